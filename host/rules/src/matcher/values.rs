//! The values that patterns ask for as they are, each kept once.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::anchors::Ids;
use super::bytes::same;
use super::paths::PathId;
use crate::pattern::{Literal, Number, Scalar, Test};

/// The number of a value under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ValueId(u32);

impl ValueId {
    /// No value that a pattern asks for.
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value in one form: two are equal if and only if their forms are.
#[derive(Clone, Copy)]
struct Form<'value> {
    kind: Kind,
    text: &'value [u8],
    /// The bits of a number that is compared by value, which has no text.
    bits: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    String,
    /// A number that is compared by value.
    Number,
    /// A number that is compared by its text.
    NumberText,
    True,
    False,
    Null,
}

impl<'value> Form<'value> {
    #[inline]
    fn of_scalar(scalar: Scalar<'value>) -> Self {
        let (kind, text, value): (_, &[u8], _) = match scalar {
            Scalar::String(text) => (Kind::String, text, 0.0),
            Scalar::Number {
                value: Some(value), ..
            } => (Kind::Number, &[], value),
            Scalar::Number { text, value: None } => (Kind::NumberText, text, 0.0),
            Scalar::Bool(true) => (Kind::True, &[], 0.0),
            Scalar::Bool(false) => (Kind::False, &[], 0.0),
            Scalar::Null => (Kind::Null, &[], 0.0),
        };
        let bits = value.to_bits().to_ne_bytes();
        Self { kind, text, bits }
    }

    fn of_test(test: &'value Test) -> Option<Self> {
        Some(Self::of_scalar(match test {
            Test::Exactly(text) | Test::Equals(Literal::String(text)) => {
                Scalar::String(text.as_bytes())
            }
            Test::Equals(Literal::Number(Number::Value(value))) => Scalar::Number {
                text: &[],
                value: Some(*value),
            },
            Test::Equals(Literal::Number(Number::Text(text))) => Scalar::Number {
                text: text.as_bytes(),
                value: None,
            },
            Test::Equals(Literal::Bool(flag)) => Scalar::Bool(*flag),
            Test::Equals(Literal::Null) => Scalar::Null,
            _ => return None,
        }))
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        if self.kind == Kind::Number {
            &self.bits
        } else {
            self.text
        }
    }
}

#[inline]
fn hash(path: PathId, kind: Kind, bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64((path.index() as u64) << 8 | kind as u64);
    hasher.write(bytes);
    hasher.finish()
}

/// One value, in as little memory as can be: a large set is limited by how
/// much of it lies near the processor.
#[derive(Clone, Debug)]
struct Value {
    path: PathId,
    /// How many tests ask for it.
    uses: u32,
    kind: Kind,
    bytes: SmallVec<[u8; 16]>,
    /// What is anchored at it.
    anchored: Ids,
}

impl Value {
    fn hash(&self) -> u64 {
        hash(self.path, self.kind, &self.bytes)
    }
}

/// All values that patterns ask for as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    values: Vec<Value>,
    by_form: HashTable<ValueId>,
    unused: Vec<ValueId>,
}

impl Values {
    /// One more than the largest index of a value.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value that a test asks for, if it asks for one as it is, and
    /// whether it is new.
    pub(super) fn add(&mut self, path: PathId, test: &Test) -> Option<(ValueId, bool)> {
        let form = Form::of_test(test)?;
        if let Some(value) = self.find(path, &form) {
            self.values[value.index()].uses += 1;
            return Some((value, false));
        }
        let value = Value {
            path,
            uses: 1,
            kind: form.kind,
            bytes: SmallVec::from_slice(form.bytes()),
            anchored: SmallVec::new(),
        };
        let hash = value.hash();
        let id = match self.unused.pop() {
            Some(unused) => {
                self.values[unused.index()] = value;
                unused
            }
            None => {
                self.values.push(value);
                ValueId((self.values.len() - 1) as u32)
            }
        };
        let values = &self.values;
        self.by_form
            .insert_unique(hash, id, |id| values[id.index()].hash());
        Some((id, true))
    }

    /// Takes away a test that asks for a value; whether it was the last.
    pub(super) fn remove(&mut self, id: ValueId) -> bool {
        let value = &mut self.values[id.index()];
        value.uses -= 1;
        if value.uses > 0 {
            return false;
        }
        let hash = value.hash();
        value.bytes = SmallVec::new();
        value.anchored = SmallVec::new();
        if let Ok(entry) = self.by_form.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.unused.push(id);
        true
    }

    /// The value that an event has under a path, if some test asks for it.
    #[inline]
    pub(super) fn of(&self, path: PathId, scalar: Scalar<'_>) -> ValueId {
        self.find(path, &Form::of_scalar(scalar))
            .unwrap_or(ValueId::NONE)
    }

    #[inline]
    fn find(&self, path: PathId, form: &Form<'_>) -> Option<ValueId> {
        let bytes = form.bytes();
        self.by_form
            .find(hash(path, form.kind, bytes), |id| {
                let value = &self.values[id.index()];
                value.path == path && value.kind == form.kind && same(&value.bytes, bytes)
            })
            .copied()
    }

    pub(super) fn anchored(&self, id: ValueId) -> &[u32] {
        &self.values[id.index()].anchored
    }

    pub(super) fn anchored_mut(&mut self, id: ValueId) -> &mut Ids {
        &mut self.values[id.index()].anchored
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        let within: usize = self
            .values
            .iter()
            .map(|value| {
                let outside = |spilled: bool, bytes: usize| if spilled { bytes } else { 0 };
                outside(value.bytes.spilled(), value.bytes.capacity())
                    + outside(
                        value.anchored.spilled(),
                        value.anchored.capacity() * size_of::<u32>(),
                    )
            })
            .sum();
        self.values.capacity() * size_of::<Value>()
            + within
            + self.by_form.allocation_size()
            + self.unused.capacity() * size_of::<ValueId>()
    }
}
