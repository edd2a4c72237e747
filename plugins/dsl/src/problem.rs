//! What can be wrong with a file.

use crate::operator::{Operator, suggestion};
use alchemiser_sdk::{Error, Place};
use std::borrow::Cow;

/// The text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::new("ParseError", error.message).at(error.place)
    }
}

/// As much of a text of the file as a message needs.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// There is no operator of this name.
pub(crate) fn unknown_operator(place: Place, name: &str) -> Error {
    let name = shortened(name);
    let mut message = format!("there is no operator `{name}`");
    if let Some(suggestion) = suggestion(&name) {
        message.push_str("; ");
        message.push_str(&suggestion);
    }
    let mut error = Error::new("UnknownOperator", message).at(place);
    error.what = Some(name.into_owned());
    error
}

/// An operator's arguments are not what it takes. `operator` is `None` for the
/// outermost form, which stands in no operator.
pub(crate) fn argument_error(
    place: Place,
    operator: Option<Operator>,
    message: impl Into<String>,
) -> Error {
    let mut error = Error::new("ArgumentError", message).at(place);
    error.what = operator.map(|operator| operator.name().to_owned());
    error
}

/// The problems of a file, first in the text first; those that begin at the
/// same place stay in the order in which they were found. Further ones than a
/// reader would look at are not kept.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Error>);

impl Problems {
    const KEPT: usize = 100;

    pub(crate) fn push(&mut self, error: Error) {
        let key = position(&error);
        let index = self.0.partition_point(|known| position(known) <= key);
        self.0.insert(index, error);
        self.0.truncate(Self::KEPT);
    }

    pub(crate) fn into_vec(self) -> Vec<Error> {
        self.0
    }
}

fn position(error: &Error) -> Option<(u32, u32)> {
    error.place.map(|place| (place.line, place.column))
}
