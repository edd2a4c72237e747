//! Why a pattern does not match an event.

use std::fmt;

use super::arrays::{Place, Steps, Wanted, hold_together};
use super::paths::{PathId, Paths};
use super::scan::{Found, scan};
use crate::event::EventError;
use crate::pattern::{Alternative, Field, Pattern, Scalar};

/// The verdict of one pattern on one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// The event matches.
    Matches,
    /// It does not.
    Fails(Mismatch),
}

/// The first field that fails. In a pattern with `$or` it is that of the
/// combination that most fields held of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The field's path, dots between the names.
    pub field: String,
    /// What the pattern asks of it, in JSON.
    pub asked: String,
    /// What is the matter.
    pub reason: Reason,
}

/// Why a field fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The event has no value there: nothing, an object, or an empty array.
    Nothing,
    /// None of the values there is what was asked.
    Values {
        /// The first of them, in JSON.
        first: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// A value there is what was asked, but it lies in another element of an
    /// array than the fields that are looked at before.
    OtherElement,
}

/// How many values are shown to the person.
const SHOWN: usize = 5;

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matches => formatter.write_str("matches"),
            Self::Fails(mismatch) => mismatch.fmt(formatter),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            asked,
            reason,
        } = self;
        write!(formatter, "field `{field}`: asked for {asked}, ")?;
        match reason {
            Reason::Nothing => formatter.write_str("and there is no value"),
            Reason::Values { first, count } => {
                write!(formatter, "and there is {}", first.join(", "))?;
                match count - first.len() {
                    0 => Ok(()),
                    more => write!(formatter, " and {more} more"),
                }
            }
            Reason::OtherElement => formatter.write_str(
                "and it is there only in other elements of an array than the fields before",
            ),
        }
    }
}

impl Pattern {
    /// Says whether an event matches, and if not, why not.
    ///
    /// # Errors
    ///
    /// An event that is no JSON object; see [`EventError`].
    pub fn explain(&self, event: &[u8]) -> Result<Explanation, EventError> {
        let mut paths = Paths::default();
        let alternatives: Vec<(&Alternative, Vec<PathId>)> = self
            .alternatives()
            .iter()
            .map(|alternative| {
                let fields = alternative.fields.iter();
                (
                    alternative,
                    fields.map(|field| paths.add(&field.path)).collect(),
                )
            })
            .collect();
        let mut found = Found::default();
        scan(event, &paths, &mut found)?;

        let mut nearest: Option<(usize, Mismatch)> = None;
        for (alternative, paths) in alternatives {
            let fields = alternative.fields.iter().zip(paths);
            let Some((held, mismatch)) = first_failure(fields, event, &found)? else {
                return Ok(Explanation::Matches);
            };
            if nearest.as_ref().is_none_or(|(most, _)| held > *most) {
                nearest = Some((held, mismatch));
            }
        }
        Ok(match nearest {
            Some((_, mismatch)) => Explanation::Fails(mismatch),
            // Without alternatives nothing is asked.
            None => Explanation::Matches,
        })
    }
}

/// The first field that does not hold together with those before it, and how
/// many those are.
fn first_failure<'pattern>(
    fields: impl Iterator<Item = (&'pattern Field, PathId)>,
    event: &[u8],
    found: &Found,
) -> Result<Option<(usize, Mismatch)>, EventError> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for (field, path) in fields {
        let values: Vec<(Place, Scalar<'_>)> = found
            .of(path)
            .into_iter()
            .flat_map(|leaves| found.each(leaves))
            .map(|(_, leaf)| {
                let value = found.value(event, leaf);
                let holds = field.tests.iter().any(|test| test.holds(value));
                let element = leaf.element;
                (Place { element, holds }, value)
            })
            .collect();
        wanted.push(Wanted {
            may_be_absent: field.may_be_absent(),
            places: values.iter().map(|(place, _)| *place).collect(),
        });
        let mut steps = Steps::default();
        if hold_together(&mut wanted, &found.elements, &mut steps)? {
            continue;
        }
        let asked: Vec<String> = field.tests.iter().map(ToString::to_string).collect();
        let reason = if values.is_empty() {
            Reason::Nothing
        } else if values.iter().any(|(place, _)| place.holds) {
            Reason::OtherElement
        } else {
            Reason::Values {
                first: values
                    .iter()
                    .take(SHOWN)
                    .map(|(_, value)| json(*value))
                    .collect(),
                count: values.len(),
            }
        };
        let mismatch = Mismatch {
            field: field.path.to_string(),
            asked: format!("[{}]", asked.join(",")),
            reason,
        };
        return Ok(Some((wanted.len() - 1, mismatch)));
    }
    Ok(None)
}

/// A value in JSON.
fn json(value: Scalar<'_>) -> String {
    match value {
        Scalar::String(text) => {
            serde_json::Value::from(String::from_utf8_lossy(text).as_ref()).to_string()
        }
        Scalar::Number { text, .. } => String::from_utf8_lossy(text).into_owned(),
        Scalar::Bool(flag) => flag.to_string(),
        Scalar::Null => "null".to_owned(),
    }
}
