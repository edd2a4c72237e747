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
use smallvec::SmallVec;

use super::intervals::Intervals;
use super::paths::PathId;
use super::values::{ValueId, Values};
use crate::pattern::{Scalar, Test, fold, network, parse_address};

/// The numbers of alternatives; seldom more than a few.
pub(super) type Ids = SmallVec<[u32; 4]>;

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

impl Part {
    fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Version4,
            IpAddr::V6(_) => Self::Version6,
        }
    }
}

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
        let network = network(address, bits);
        Self::Part(Part::of_address(address), bits, hash_of_address(network))
    }

    /// How often events are guessed to have what the point asks for, given
    /// how many different values patterns ask for there.
    pub(super) fn likelihood(&self, values: u32) -> f64 {
        match self {
            Self::Value(_) => 1.0 / (1.0 + f64::from(values)),
            Self::Part(..) => 0.25,
            Self::Numbers(..) => 0.5,
            Self::Any => 0.95,
            Self::Always => 1.0,
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

fn hash_of_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => hash_on(HASH_OF_NOTHING, &address.octets()),
        IpAddr::V6(address) => hash_on(HASH_OF_NOTHING, &address.octets()),
    }
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

    fn contains(&self, length: u32) -> bool {
        let found = self.0.binary_search_by_key(&length, |(length, _)| *length);
        found.is_ok()
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
    any: Ids,
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

/// The number of a list of what is anchored at one point.
type BucketId = u32;

/// Lists of what is anchored. Places that are given up are given out again.
#[derive(Clone, Debug, Default)]
struct Buckets {
    lists: Vec<Ids>,
    unused: Vec<BucketId>,
}

impl Buckets {
    fn add(&mut self) -> BucketId {
        self.unused.pop().unwrap_or_else(|| {
            self.lists.push(SmallVec::new());
            (self.lists.len() - 1) as BucketId
        })
    }

    fn push(&mut self, bucket: BucketId, id: u32) {
        self.lists[bucket as usize].push(id);
    }

    /// Takes an id out; whether the bucket was given up with it.
    fn take(&mut self, bucket: BucketId, id: u32) -> bool {
        let list = &mut self.lists[bucket as usize];
        take(list, id);
        let empty = list.is_empty();
        if empty {
            *list = SmallVec::new();
            self.unused.push(bucket);
        }
        empty
    }

    fn memory(&self) -> usize {
        let outside = self.lists.iter().filter(|list| list.spilled());
        let ids: usize = outside.map(SmallVec::capacity).sum();
        self.lists.capacity() * size_of::<Ids>() + (ids + self.unused.capacity()) * size_of::<u32>()
    }
}

/// The candidates for an event, each found once.
pub(super) struct Candidates<'scratch> {
    /// The number of the event.
    pub(super) event: u32,
    /// For each alternative and bucket, the event that it was last found for.
    pub(super) alternatives_seen: &'scratch mut [u32],
    pub(super) buckets_seen: &'scratch mut [u32],
    pub(super) found: &'scratch mut Vec<u32>,
    /// How often an alternative was looked at.
    pub(super) looked_at: usize,
}

impl Candidates<'_> {
    #[inline]
    pub(super) fn add(&mut self, ids: &[u32]) {
        self.looked_at += ids.len();
        for id in ids {
            if mark(self.alternatives_seen, *id, self.event) {
                self.found.push(*id);
            }
        }
    }

    #[inline]
    fn add_bucket(&mut self, bucket: BucketId, buckets: &Buckets) {
        self.looked_at += 1;
        if mark(self.buckets_seen, bucket, self.event) {
            self.add(&buckets.lists[bucket as usize]);
        }
    }
}

/// Whether this is the first time in an event.
#[inline]
pub(super) fn mark(seen: &mut [u32], index: u32, event: u32) -> bool {
    std::mem::replace(&mut seen[index as usize], event) != event
}

/// What is anchored where.
#[derive(Clone, Debug, Default)]
pub(super) struct Anchors {
    by_path: Vec<Option<Box<Operators>>>,
    by_hash: HashMap<u64, BucketId, FxBuildHasher>,
    buckets: Buckets,
    always: Ids,
}

impl Anchors {
    /// Anchors an alternative at a point under a path.
    pub(super) fn add(&mut self, path: PathId, point: Point, id: u32, values: &mut Values) {
        match point {
            Point::Value(value) => values.anchored_mut(value).push(id),
            Point::Always => self.always.push(id),
            Point::Any => operators(&mut self.by_path, path).any.push(id),
            Point::Numbers(lowest, highest) => {
                let numbers = &mut operators(&mut self.by_path, path).numbers;
                let bucket = numbers.get(lowest, highest).unwrap_or_else(|| {
                    let bucket = self.buckets.add();
                    numbers.add(lowest, highest, bucket);
                    bucket
                });
                self.buckets.push(bucket, id);
            }
            Point::Part(part, length, hash) => {
                operators(&mut self.by_path, path).lengths[part as usize].add(length);
                let entry = self.by_hash.entry(key(path, part, length, hash));
                let bucket = *entry.or_insert_with(|| self.buckets.add());
                self.buckets.push(bucket, id);
            }
        }
    }

    /// Takes back what [`add`](Self::add) did.
    pub(super) fn remove(&mut self, path: PathId, point: Point, id: u32, values: &mut Values) {
        match point {
            Point::Value(value) => take(values.anchored_mut(value), id),
            Point::Always => take(&mut self.always, id),
            Point::Any => take(&mut operators(&mut self.by_path, path).any, id),
            Point::Numbers(lowest, highest) => {
                let numbers = &mut operators(&mut self.by_path, path).numbers;
                if let Some(bucket) = numbers.get(lowest, highest)
                    && self.buckets.take(bucket, id)
                {
                    numbers.remove(lowest, highest);
                }
            }
            Point::Part(part, length, hash) => {
                operators(&mut self.by_path, path).lengths[part as usize].remove(length);
                let key = key(path, part, length, hash);
                if let Some(bucket) = self.by_hash.get(&key)
                    && self.buckets.take(*bucket, id)
                {
                    self.by_hash.remove(&key);
                }
            }
        }
        self.forget(path);
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

    /// One more than the largest number of a bucket.
    pub(super) fn buckets(&self) -> usize {
        self.buckets.lists.len()
    }

    /// What is anchored at every event.
    pub(super) fn always(&self) -> &[u32] {
        &self.always
    }

    /// Finds what is anchored at a value of an event, other than at the value
    /// as it is; what any value leads to only for the first under its path.
    /// `folded` is memory to use.
    #[inline]
    pub(super) fn find(
        &self,
        path: PathId,
        value: Scalar<'_>,
        first: bool,
        folded: &mut Vec<u8>,
        candidates: &mut Candidates<'_>,
    ) {
        let Some(Some(operators)) = self.by_path.get(path.index()) else {
            return;
        };
        if first {
            candidates.add(&operators.any);
        }
        match value {
            Scalar::String(text) => self.find_by_text(path, operators, text, folded, candidates),
            Scalar::Number {
                value: Some(number),
                ..
            } => operators.numbers.each(number, |bucket| {
                candidates.add_bucket(bucket, &self.buckets);
            }),
            _ => {}
        }
    }

    fn find_by_text(
        &self,
        path: PathId,
        operators: &Operators,
        text: &[u8],
        folded: &mut Vec<u8>,
        candidates: &mut Candidates<'_>,
    ) {
        let mut look_up = |part, length, hash| {
            if let Some(bucket) = self.by_hash.get(&key(path, part, length, hash)) {
                candidates.add_bucket(*bucket, &self.buckets);
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
            // Only if it is as long as a pattern's text is it worth hashing.
            let length = folded.len() as u32;
            if operators.lengths(Part::Folded).contains(length) {
                look_up(Part::Folded, length, hash_on(HASH_OF_NOTHING, &*folded));
            }
        }
        if operators.address_needed()
            && let Some(address) = parse_address(text)
        {
            let part = Part::of_address(address);
            for bits in operators.lengths(part).up_to(128) {
                look_up(part, bits, hash_of_address(network(address, bits)));
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
        operators
            + self.by_path.capacity() * size_of::<Option<Box<Operators>>>()
            + self.by_hash.capacity() * size_of::<(u64, BucketId)>()
            + self.buckets.memory()
            + self.always.capacity() * size_of::<u32>()
    }
}

fn operators(by_path: &mut Vec<Option<Box<Operators>>>, path: PathId) -> &mut Operators {
    if by_path.len() <= path.index() {
        by_path.resize_with(path.index() + 1, || None);
    }
    by_path[path.index()].get_or_insert_default()
}

/// Takes an id out of a list in which it is.
fn take(ids: &mut Ids, id: u32) {
    if let Some(at) = ids.iter().position(|other| *other == id) {
        ids.swap_remove(at);
    }
}

#[inline]
fn key(path: PathId, part: Part, length: u32, hash: u64) -> u64 {
    let place = (path.index() as u64) << 32 | u64::from(length) << 3 | part as u64;
    hash ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
