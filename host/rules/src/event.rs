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
    /// Fields are spread over arrays in so many ways that no verdict can be
    /// reached in bounded time. It takes an event that repeats names, or one
    /// that was made for it.
    #[error("the event spreads fields over arrays in too many ways to tell what matches")]
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
