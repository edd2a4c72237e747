//! EventBridge patterns: what they are made of and when they match.
//!
//! A pattern is kept as a tree of field names, dots in names split, since
//! EventBridge takes `"a.b"` and `b` within `a` for the same field. An event is
//! walked along that tree, and only along it.

mod number;
mod read;

use std::collections::BTreeMap;

use serde_json::Value;

use number::Number;
pub use read::{PatternError, PatternMistake};
pub(crate) use read::{compile, node_of_toml};

/// A pattern of a rule: matches an event when every field that it names does.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    fields: Fields,
}

/// What the fields of one object must be, by name.
type Fields = BTreeMap<String, Test>;

/// What one field must be; an empty part asks nothing.
#[derive(Clone, Debug, Default, PartialEq)]
struct Test {
    /// One of these must hold for the field's value.
    values: Vec<Matcher>,
    /// These must all hold for the fields within.
    fields: Fields,
}

/// A condition on one scalar value.
#[derive(Clone, Debug, PartialEq)]
enum Matcher {
    Equals(Literal),
    Prefix(String),
}

/// A scalar, compared by type and value.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    String(String),
    Number(Number),
    Bool(bool),
    Null,
}

/// Something of the event that lies where a test looks: a value, or a value
/// under names that still follow (`b.c`, after `a` of a key `a.b.c` was taken).
#[derive(Clone, Copy)]
struct Found<'event> {
    names_to_follow: Option<&'event str>,
    value: &'event Value,
}

impl Pattern {
    /// Reads a pattern in EventBridge's own JSON form.
    ///
    /// # Errors
    ///
    /// Every mistake in it: no JSON object, empty objects and arrays, values
    /// outside an array, operators that are unknown or not supported.
    pub fn from_json(text: &str) -> Result<Self, PatternError> {
        let node = read::node_of_json(text)?;
        compile(&node)
    }

    /// Whether an event matches; `event` is the whole envelope as EventBridge
    /// delivers it (`source`, `detail-type`, `detail`, …).
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        let event = Found {
            names_to_follow: None,
            value: event,
        };
        fields_hold(&self.fields, &[event])
    }

    /// Whether some event of this source and type can match, whatever its
    /// other fields are.
    pub(crate) fn admits(&self, source: &str, detail_type: &str) -> bool {
        [("source", source), ("detail-type", detail_type)]
            .into_iter()
            .all(|(name, text)| {
                self.fields.get(name).is_none_or(|test| {
                    let value = Value::String(text.to_owned());
                    test.holds(&[Found {
                        names_to_follow: None,
                        value: &value,
                    }])
                })
            })
    }

    /// The values that `source` may have, each with the question whether a
    /// given source is meant by it; for the person, as they are written.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (String, impl Fn(&str) -> bool)> {
        self.fields
            .get("source")
            .into_iter()
            .flat_map(|test| &test.values)
            .filter_map(|matcher| match matcher {
                Matcher::Equals(Literal::String(text)) => Some((text.clone(), matcher)),
                Matcher::Prefix(prefix) => Some((format!("{prefix}…"), matcher)),
                Matcher::Equals(_) => None,
            })
            .map(|(written, matcher)| {
                let means = |source: &str| matcher.holds(&Value::String(source.to_owned()));
                (written, means)
            })
    }
}

impl Test {
    /// Whether the test holds for what was found at its place: usually one
    /// value, several only where an event spells one field in two ways.
    fn holds(&self, found: &[Found<'_>]) -> bool {
        let array = found
            .iter()
            .enumerate()
            .find_map(|(index, found)| Some((index, found.array()?)));
        let Some((index, elements)) = array else {
            return self.value_holds(found) && fields_hold(&self.fields, found);
        };
        // Of an array one element is looked at a time, so that fields tested
        // together are fields of the same element.
        let mut others = found.to_vec();
        others.swap_remove(index);
        let nothing_of_it = std::iter::once(None);
        elements
            .iter()
            .map(Some)
            .chain(nothing_of_it)
            .any(|element| {
                let mut choice = others.clone();
                choice.extend(element.map(|value| Found {
                    names_to_follow: None,
                    value,
                }));
                self.holds(&choice)
            })
    }

    fn value_holds(&self, found: &[Found<'_>]) -> bool {
        self.values.is_empty()
            || found.iter().any(|found| {
                found.names_to_follow.is_none()
                    && self.values.iter().any(|matcher| matcher.holds(found.value))
            })
    }
}

fn fields_hold(fields: &Fields, found: &[Found<'_>]) -> bool {
    fields.iter().all(|(name, test)| {
        let within: Vec<Found<'_>> = found.iter().flat_map(|found| found.field(name)).collect();
        test.holds(&within)
    })
}

impl<'event> Found<'event> {
    fn array(&self) -> Option<&'event [Value]> {
        match (self.names_to_follow, self.value) {
            (None, Value::Array(elements)) => Some(elements),
            _ => None,
        }
    }

    /// What is there under a name without dots.
    fn field(self, name: &str) -> impl Iterator<Item = Found<'event>> {
        let followed = self
            .names_to_follow
            .and_then(|names| after_first_name(names, name))
            .map(|names_to_follow| Found {
                names_to_follow,
                ..self
            });
        let entries = match (self.names_to_follow, self.value) {
            (None, Value::Object(object)) => Some(object),
            _ => None,
        };
        let entered = entries
            .into_iter()
            .flatten()
            .filter_map(move |(key, value)| {
                after_first_name(key, name).map(|names_to_follow| Found {
                    names_to_follow,
                    value,
                })
            });
        followed.into_iter().chain(entered)
    }
}

/// The names that follow `first` in a dotted list of names that begins with
/// it: `Some(None)` when it is the only one.
fn after_first_name<'names>(names: &'names str, first: &str) -> Option<Option<&'names str>> {
    match names.strip_prefix(first)? {
        "" => Some(None),
        rest => rest.strip_prefix('.').map(Some),
    }
}

impl Matcher {
    /// Whether it holds for a scalar; never for an array or an object.
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Equals(Literal::String(expected)), Value::String(text)) => expected == text,
            (Self::Equals(Literal::Number(expected)), Value::Number(number)) => {
                *expected == Number::from(number)
            }
            (Self::Equals(Literal::Bool(expected)), Value::Bool(flag)) => expected == flag,
            (Self::Equals(Literal::Null), Value::Null) => true,
            (Self::Prefix(prefix), Value::String(text)) => text.starts_with(prefix),
            _ => false,
        }
    }
}
