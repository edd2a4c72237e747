//! Whether an event can be matched, and what can be wrong with it.

use crate::json::{Problem, SyntaxError};
use crate::matcher::{RuleSet, Scratch};

/// Why an event was not matched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The bytes are not text.
    #[error("the event is no UTF-8 text: byte {offset} is malformed")]
    NotUtf8 {
        /// In bytes from the start.
        offset: usize,
    },
    /// The text is not JSON, or is nested more than 1,000 deep.
    #[error("the event is no JSON: byte {offset}: {problem}")]
    Syntax {
        /// In bytes from the start.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The JSON is an array, a string or the like.
    #[error("the event is no JSON object")]
    NotAnObject,
    /// The text has 4 GiB or more.
    #[error("the event is larger than 4 GiB")]
    TooLarge,
    /// No verdict can be reached within about a second. It takes an event made
    /// for it, in which names are repeated so that arrays can be combined in
    /// very many ways, or one of a megabyte whose arrays concern thousands of
    /// rules at once.
    #[error("the event's arrays can be combined in too many ways to tell what matches")]
    TooManyCombinations,
}

/// Checks that an event can be matched: that it is a JSON object, however deep
/// within the limit of 1,000, and whatever its numbers and surrogates are.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_event(event: &[u8]) -> Result<(), EventError> {
    let nothing_asked = RuleSet::<()>::new();
    nothing_asked
        .matching(event, &mut Scratch::default())
        .map(drop)
}

impl From<SyntaxError> for EventError {
    fn from(SyntaxError { offset, problem }: SyntaxError) -> Self {
        let problem: Problem = problem;
        Self::Syntax {
            offset,
            problem: problem.to_string(),
        }
    }
}
