//! The values that patterns ask for as they are, each kept once.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

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
#[derive(Clone, Copy, PartialEq)]
struct Form<'value> {
    tag: u8,
    /// The bits of a number that is compared by value.
    bits: u64,
    text: &'value [u8],
}

impl<'value> Form<'value> {
    fn of_scalar(scalar: Scalar<'value>) -> Self {
        let (tag, bits, text): (u8, u64, &[u8]) = match scalar {
            Scalar::String(text) => (0, 0, text),
            Scalar::Number {
                value: Some(value), ..
            } => (1, value.to_bits(), &[]),
            Scalar::Number { text, value: None } => (2, 0, text),
            Scalar::Bool(flag) => (3, u64::from(flag), &[]),
            Scalar::Null => (4, 0, &[]),
        };
        Self { tag, bits, text }
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
    fn hash(&self, path: PathId) -> u64 {
        let mut hasher = FxHasher::default();
        hasher.write_u32(path.index() as u32);
        hasher.write_u64(self.bits ^ u64::from(self.tag));
        hasher.write(self.text);
        hasher.finish()
    }
}

#[derive(Clone, Debug)]
struct Value {
    path: PathId,
    tag: u8,
    bits: u64,
    text: Box<[u8]>,
    /// How many tests ask for it.
    uses: u32,
    /// What is anchored at it.
    anchored: Vec<u32>,
}

impl Value {
    fn form(&self) -> Form<'_> {
        Form {
            tag: self.tag,
            bits: self.bits,
            text: &self.text,
        }
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
        let hash = form.hash(path);
        if let Some(value) = self.find(path, form) {
            self.values[value.index()].uses += 1;
            return Some((value, false));
        }
        let value = Value {
            path,
            tag: form.tag,
            bits: form.bits,
            text: form.text.into(),
            uses: 1,
            anchored: Vec::new(),
        };
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
        self.by_form.insert_unique(hash, id, |id| {
            let value = &values[id.index()];
            value.form().hash(value.path)
        });
        Some((id, true))
    }

    /// Takes away a test that asks for a value; whether it was the last.
    pub(super) fn remove(&mut self, id: ValueId) -> bool {
        let value = &mut self.values[id.index()];
        value.uses -= 1;
        if value.uses > 0 {
            return false;
        }
        let hash = value.form().hash(value.path);
        value.text = Box::default();
        value.anchored = Vec::new();
        if let Ok(entry) = self.by_form.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.unused.push(id);
        true
    }

    /// The value that an event has under a path, if some test asks for it.
    #[inline]
    pub(super) fn of(&self, path: PathId, scalar: Scalar<'_>) -> ValueId {
        self.find(path, Form::of_scalar(scalar))
            .unwrap_or(ValueId::NONE)
    }

    #[inline]
    fn find(&self, path: PathId, form: Form<'_>) -> Option<ValueId> {
        self.by_form
            .find(form.hash(path), |id| {
                let value = &self.values[id.index()];
                value.path == path && value.form() == form
            })
            .copied()
    }

    pub(super) fn anchored(&self, id: ValueId) -> &[u32] {
        &self.values[id.index()].anchored
    }

    pub(super) fn anchored_mut(&mut self, id: ValueId) -> &mut Vec<u32> {
        &mut self.values[id.index()].anchored
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        let within: usize = self
            .values
            .iter()
            .map(|value| value.text.len() + value.anchored.capacity() * size_of::<u32>())
            .sum();
        self.values.capacity() * size_of::<Value>()
            + within
            + self.by_form.allocation_size()
            + self.unused.capacity() * size_of::<ValueId>()
    }
}
