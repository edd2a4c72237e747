//! What can be wrong with an event.

use crate::json::{Problem, SyntaxError};

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

impl From<SyntaxError> for EventError {
    fn from(SyntaxError { offset, problem }: SyntaxError) -> Self {
        let problem: Problem = problem;
        Self::Syntax {
            offset,
            problem: problem.to_string(),
        }
    }
}
