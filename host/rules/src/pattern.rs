//! EventBridge patterns: what they are made of, and when they match.

mod address;
mod case;
mod node;
mod number;
mod read;
mod test;
mod wildcard;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::envelope::Values;
pub(crate) use address::{network, parse as parse_address};
pub(crate) use case::{AnyCase, fold};
pub(crate) use number::{Number, comparable};
pub(crate) use test::{Literal, Scalar, Test};

/// A pattern of a rule: matches an event when every field that it names does.
///
/// A field is named by its path. `a.b` as one name and `b` within `a` are the
/// same path, in patterns and in events, as they are to EventBridge.
///
/// Fields that lie in one array must be matched by one element of it: the
/// pattern `{"fills":{"symbol":["A"],"side":["BUY"]}}` asks for a purchase of A,
/// not for any purchase and any fill of A. `{"exists":false}` asks that no value
/// be found under the path; fields are looked at in the order of their paths,
/// and where one before it has chosen the element, only that element counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The combinations of `$or`, of which one must hold; never empty.
    alternatives: Vec<Alternative>,
}

/// A combination of `$or`: fields that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alternative {
    /// Sorted by the UTF-16 of their paths, as EventBridge looks at them;
    /// never empty, and no path is there twice.
    pub(crate) fields: Vec<Field>,
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// The names that lead to it, with dots between.
    pub(crate) path: Arc<str>,
    /// One of these must hold.
    pub(crate) tests: Arc<[Test]>,
}

impl Field {
    /// Whether the field may also not be there.
    pub(crate) fn may_be_absent(&self) -> bool {
        self.tests.contains(&Test::Absent)
    }
}

/// How large and how intricate a pattern may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternLimits {
    /// The length of its JSON in characters; 2,048 in EventBridge, unless a
    /// higher quota was granted.
    pub characters: usize,
    /// How many `*` a wildcard may have. EventBridge refuses wildcards that
    /// could be in too many states at once and does not say how many those
    /// are; matching here is linear in the text however many there are.
    pub stars: usize,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self {
            characters: 2048,
            stars: 20,
        }
    }
}

/// One mistake in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMistake {
    /// The field, with those above it: `detail.symbol`; empty for the pattern
    /// as a whole.
    pub field: String,
    /// Where it is, in bytes of the text that the pattern was read from.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for PatternMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(formatter, "field `{}`: ", self.field)?;
        }
        write!(formatter, "{}; {}", self.message, self.advice)
    }
}

/// Every mistake of a pattern; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PatternError {
    /// The mistakes.
    pub mistakes: Vec<PatternMistake>,
}

impl From<PatternMistake> for PatternError {
    fn from(mistake: PatternMistake) -> Self {
        Self {
            mistakes: vec![mistake],
        }
    }
}

impl Pattern {
    /// Reads a pattern in EventBridge's own JSON form, within the default
    /// limits.
    ///
    /// # Errors
    ///
    /// Every mistake in it: no JSON object, empty objects and arrays, values
    /// outside an array, operators that there are not, operands that they do
    /// not take, limits.
    pub fn from_json(text: &str) -> Result<Self, PatternError> {
        Self::from_json_within(text, &PatternLimits::default())
    }

    /// Reads a pattern in EventBridge's own JSON form, within limits.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_json_within(text: &str, limits: &PatternLimits) -> Result<Self, PatternError> {
        let node = node::node_of_json(text)?;
        read::compile(&node, read::Language::Json, text.chars().count(), limits)
    }

    /// Reads a pattern written as a TOML table; the spans of mistakes are those
    /// of the file.
    pub(crate) fn from_toml(
        value: &toml::Spanned<toml::de::DeValue<'_>>,
    ) -> Result<Self, PatternError> {
        let node = node::node_of_toml(value);
        let characters = node.length_in_json();
        let limits = PatternLimits::default();
        read::compile(&node, read::Language::Toml, characters, &limits)
    }

    pub(crate) fn alternatives(&self) -> &[Alternative] {
        &self.alternatives
    }

    /// Whether some event can match that has such values as are said of each
    /// path. It may say so where none can, never the reverse.
    pub(crate) fn admits<'event>(&self, values: impl Fn(&str) -> Values<'event>) -> bool {
        self.alternatives.iter().any(|alternative| {
            alternative.fields.iter().all(|field| {
                let values = values(&field.path);
                field.tests.iter().any(|test| test.admits(values))
            })
        })
    }

    /// The paths of the fields that it names, each once.
    pub(crate) fn paths(&self) -> BTreeSet<&str> {
        let fields = self.alternatives.iter().flat_map(|one| &one.fields);
        fields.map(|field| &*field.path).collect()
    }

    /// The sources that are asked for, each with the question whether a given
    /// source is meant by it; for the person, as far as possible as it is
    /// written. What no source can be is not asked for as one.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (String, impl Fn(&str) -> bool)> {
        let mut tests: Vec<&Test> = Vec::new();
        let fields = self.alternatives.iter().flat_map(|one| &one.fields);
        for field in fields.filter(|field| &*field.path == "source") {
            for test in field.tests.iter() {
                // `$or` repeats what is asked beside it.
                if test.admits(Values::SomeText) && !tests.contains(&test) {
                    tests.push(test);
                }
            }
        }
        tests.into_iter().map(|test| {
            let written = match test {
                Test::Equals(Literal::String(text)) => text.to_string(),
                Test::Prefix(prefix) => format!("{prefix}…"),
                Test::Suffix(suffix) => format!("…{suffix}"),
                other => other.to_string(),
            };
            let means = |source: &str| test.holds(Scalar::String(source.as_bytes()));
            (written, means)
        })
    }
}
