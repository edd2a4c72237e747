//! Finding the rules that an event may match.
//!
//! Each alternative of a rule is *anchored* at one of its fields, at every test
//! of that field: only an event with a value there for which one of the tests
//! may hold can match it. A value of an event leads to what is anchored at it
//! by hash, whatever the operator: a prefix by the hash of as many bytes of the
//! value as the prefix has, a range of addresses by the hash of as many bits.
//! What is found so is a candidate and no more; hashes may be equal by chance.

use std::collections::HashMap;
use std::net::IpAddr;

use rustc_hash::FxBuildHasher;

use super::intervals::Intervals;
use super::paths::PathId;
use super::values::{ValueId, Values};
use crate::pattern::{Scalar, Test, fold, network, parse_address};

/// A place that alternatives are anchored at, under a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Point {
    /// A value as it is.
    Value(ValueId),
    /// The hash of a part of the value.
    Part(Part, u32, u64),
    /// The numbers between two, both included.
    Numbers(f64, f64),
    /// Any value.
    Any,
    /// Every event.
    Always,
}

/// Which part of a value is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Prefix,
    Suffix,
    /// All of it, in one case.
    Folded,
    FoldedPrefix,
    FoldedSuffix,
    /// Bits of an address.
    Version4,
    Version6,
}

const PARTS: usize = 7;

impl Point {
    /// Where a test is anchored, if it does not ask for a value as it is.
    pub(super) fn of_test(test: &Test) -> Self {
        let folded = |part, text: &crate::pattern::AnyCase| match text.folded() {
            Some(folded) => Self::of_text(part, &folded),
            None => Self::Any,
        };
        match test {
            Test::Prefix(prefix) => Self::of_text(Part::Prefix, prefix.as_bytes()),
            Test::Suffix(suffix) => Self::of_text(Part::Suffix, suffix.as_bytes()),
            Test::EqualsIgnoreCase(text) => folded(Part::Folded, text),
            Test::PrefixIgnoreCase(text) => folded(Part::FoldedPrefix, text),
            Test::SuffixIgnoreCase(text) => folded(Part::FoldedSuffix, text),
            Test::Wildcard(wildcard) if wildcard.head().len() >= wildcard.tail().len() => {
                Self::of_text(Part::Prefix, wildcard.head())
            }
            Test::Wildcard(wildcard) => Self::of_text(Part::Suffix, wildcard.tail()),
            Test::Address { address, .. } => {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                Self::of_address(*address, bits)
            }
            Test::Cidr(range) => Self::of_address(range.network(), range.bits()),
            Test::Numeric(range) => Self::Numbers(range.lowest, range.highest),
            Test::AnythingBut(_) | Test::Present => Self::Any,
            // A value as it is has its point elsewhere.
            Test::Equals(_) | Test::Exactly(_) => Self::Any,
            Test::Absent => Self::Always,
        }
    }

    fn of_text(part: Part, text: &[u8]) -> Self {
        if text.is_empty() && part != Part::Folded {
            return Self::Any;
        }
        let hash = match part {
            Part::Suffix | Part::FoldedSuffix => hash_on(HASH_OF_NOTHING, text.iter().rev()),
            _ => hash_on(HASH_OF_NOTHING, text),
        };
        // A pattern's text is far below 4 GiB.
        Self::Part(part, text.len() as u32, hash)
    }

    fn of_address(address: IpAddr, bits: u32) -> Self {
        let (part, hash) = match network(address, bits) {
            IpAddr::V4(network) => (Part::Version4, hash_on(HASH_OF_NOTHING, &network.octets())),
            IpAddr::V6(network) => (Part::Version6, hash_on(HASH_OF_NOTHING, &network.octets())),
        };
        Self::Part(part, bits, hash)
    }

    /// How often events are guessed to have what the point asks for, given
    /// how many different values patterns ask for there.
    pub(super) fn likelihood(&self, values: u32) -> f64 {
        match self {
            Self::Value(_) => 1.0 / (1.0 + f64::from(values)),
            Self::Part(..) => 0.25,
            Self::Numbers(..) => 0.5,
            Self::Any => 0.95,
            Self::Always => 2.0,
        }
    }
}

const HASH_OF_NOTHING: u64 = 0xcbf2_9ce4_8422_2325;

/// Continues a hash byte by byte (FNV-1a), so that the hashes of all prefixes
/// of a text are found on the way to that of the longest.
#[inline]
fn hash_on<'bytes>(hash: u64, bytes: impl IntoIterator<Item = &'bytes u8>) -> u64 {
    bytes.into_iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The lengths of what is anchored by a part, each with how often.
#[derive(Clone, Debug, Default)]
struct Lengths(Vec<(u32, u32)>);

impl Lengths {
    fn add(&mut self, length: u32) {
        match self.0.binary_search_by_key(&length, |(length, _)| *length) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (length, 1)),
        }
    }

    fn remove(&mut self, length: u32) {
        if let Ok(at) = self.0.binary_search_by_key(&length, |(length, _)| *length) {
            self.0[at].1 -= 1;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lengths up to a longest, the short ones first.
    fn up_to(&self, longest: usize) -> impl Iterator<Item = u32> {
        let lengths = self.0.iter().map(|(length, _)| *length);
        lengths.take_while(move |length| *length as usize <= longest)
    }
}

/// What is anchored under one path, by other than values as they are.
#[derive(Clone, Debug, Default)]
struct Operators {
    lengths: [Lengths; PARTS],
    numbers: Intervals,
    any: Vec<u32>,
}

impl Operators {
    fn lengths(&self, part: Part) -> &Lengths {
        &self.lengths[part as usize]
    }

    fn fold_needed(&self) -> bool {
        [Part::Folded, Part::FoldedPrefix, Part::FoldedSuffix]
            .into_iter()
            .any(|part| !self.lengths(part).is_empty())
    }

    fn address_needed(&self) -> bool {
        !self.lengths(Part::Version4).is_empty() || !self.lengths(Part::Version6).is_empty()
    }
}

/// What is anchored where.
#[derive(Clone, Debug, Default)]
pub(super) struct Anchors {
    by_path: Vec<Option<Box<Operators>>>,
    by_hash: HashMap<u64, Vec<u32>, FxBuildHasher>,
    always: Vec<u32>,
}

impl Anchors {
    /// Anchors an alternative at a point under a path.
    pub(super) fn add(&mut self, path: PathId, point: Point, id: u32, values: &mut Values) {
        match point {
            Point::Value(value) => values.anchored_mut(value).push(id),
            Point::Always => self.always.push(id),
            Point::Any => self.operators(path).any.push(id),
            Point::Numbers(lowest, highest) => {
                self.operators(path).numbers.add(lowest, highest, id);
            }
            Point::Part(part, length, hash) => {
                self.operators(path).lengths[part as usize].add(length);
                let key = key(path, part, length, hash);
                self.by_hash.entry(key).or_default().push(id);
            }
        }
    }

    /// Takes back what [`add`](Self::add) did.
    pub(super) fn remove(&mut self, path: PathId, point: Point, id: u32, values: &mut Values) {
        match point {
            Point::Value(value) => values.anchored_mut(value).retain(|other| *other != id),
            Point::Always => take(&mut self.always, id),
            Point::Any => take(&mut self.operators(path).any, id),
            Point::Numbers(lowest, highest) => {
                self.operators(path).numbers.remove(lowest, highest, id);
            }
            Point::Part(part, length, hash) => {
                self.operators(path).lengths[part as usize].remove(length);
                let key = key(path, part, length, hash);
                if let Some(ids) = self.by_hash.get_mut(&key) {
                    take(ids, id);
                    if ids.is_empty() {
                        self.by_hash.remove(&key);
                    }
                }
            }
        }
        self.forget(path);
    }

    fn operators(&mut self, path: PathId) -> &mut Operators {
        if self.by_path.len() <= path.index() {
            self.by_path.resize_with(path.index() + 1, || None);
        }
        self.by_path[path.index()].get_or_insert_default()
    }

    /// Gives up what a path has, if nothing is anchored there any more.
    fn forget(&mut self, path: PathId) {
        if let Some(operators) = self.by_path.get_mut(path.index())
            && operators.as_ref().is_some_and(|operators| {
                operators.lengths.iter().all(Lengths::is_empty)
                    && operators.numbers.is_empty()
                    && operators.any.is_empty()
            })
        {
            *operators = None;
        }
    }

    /// What is anchored at every event.
    pub(super) fn always(&self) -> &[u32] {
        &self.always
    }

    /// Calls back with what is anchored at a value of an event, other than at
    /// the value as it is. `folded` is memory to use.
    #[inline]
    pub(super) fn each(
        &self,
        path: PathId,
        value: Scalar<'_>,
        folded: &mut Vec<u8>,
        mut found: impl FnMut(&[u32]),
    ) {
        let Some(Some(operators)) = self.by_path.get(path.index()) else {
            return;
        };
        found(&operators.any);
        match value {
            Scalar::String(text) => self.each_of_text(path, operators, text, folded, &mut found),
            Scalar::Number {
                value: Some(number),
                ..
            } => operators.numbers.each(number, found),
            _ => {}
        }
    }

    fn each_of_text(
        &self,
        path: PathId,
        operators: &Operators,
        text: &[u8],
        folded: &mut Vec<u8>,
        found: &mut impl FnMut(&[u32]),
    ) {
        let mut look_up = |part, length, hash| {
            if let Some(ids) = self.by_hash.get(&key(path, part, length, hash)) {
                found(ids);
            }
        };
        let mut ends = |text: &[u8], prefix, suffix| {
            let (mut hash, mut done) = (HASH_OF_NOTHING, 0);
            for length in operators.lengths(prefix).up_to(text.len()) {
                hash = hash_on(hash, &text[done..length as usize]);
                done = length as usize;
                look_up(prefix, length, hash);
            }
            let (mut hash, mut done) = (HASH_OF_NOTHING, 0);
            for length in operators.lengths(suffix).up_to(text.len()) {
                let part = text.len() - length as usize..text.len() - done;
                hash = hash_on(hash, text[part].iter().rev());
                done = length as usize;
                look_up(suffix, length, hash);
            }
        };
        ends(text, Part::Prefix, Part::Suffix);
        if operators.fold_needed() {
            folded.clear();
            fold(text, folded);
            ends(folded, Part::FoldedPrefix, Part::FoldedSuffix);
            // As long as a pattern's text, it is worth hashing.
            let length = folded.len() as u32;
            let lengths = &operators.lengths(Part::Folded).0;
            if lengths
                .binary_search_by_key(&length, |(length, _)| *length)
                .is_ok()
            {
                look_up(Part::Folded, length, hash_on(HASH_OF_NOTHING, &*folded));
            }
        }
        if operators.address_needed()
            && let Some(address) = parse_address(text)
        {
            let part = if address.is_ipv4() {
                Part::Version4
            } else {
                Part::Version6
            };
            for bits in operators.lengths(part).up_to(128) {
                if let Point::Part(part, bits, hash) = Point::of_address(address, bits) {
                    look_up(part, bits, hash);
                }
            }
        }
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        let operators: usize = self
            .by_path
            .iter()
            .flatten()
            .map(|operators| {
                let lengths = operators.lengths.iter().map(|lengths| lengths.0.capacity());
                size_of::<Operators>()
                    + lengths.sum::<usize>() * size_of::<(u32, u32)>()
                    + operators.numbers.memory()
                    + operators.any.capacity() * size_of::<u32>()
            })
            .sum();
        let ids: usize = self.by_hash.values().map(Vec::capacity).sum();
        operators
            + self.by_path.capacity() * size_of::<Option<Box<Operators>>>()
            + self.by_hash.capacity() * size_of::<(u64, Vec<u32>)>()
            + (ids + self.always.capacity()) * size_of::<u32>()
    }
}

/// Takes an id out of a list in which it is.
fn take(ids: &mut Vec<u32>, id: u32) {
    if let Some(at) = ids.iter().position(|other| *other == id) {
        ids.swap_remove(at);
    }
}

#[inline]
fn key(path: PathId, part: Part, length: u32, hash: u64) -> u64 {
    let place = (path.index() as u64) << 32 | u64::from(length) << 3 | part as u64;
    hash ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
