//! What is wrong with an expression, said to the person who wrote it.

use std::fmt;
use std::ops::Range;

/// One mistake in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionMistake {
    /// Where in the expression, in bytes.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for ExpressionMistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.message, self.advice)
    }
}

/// Every mistake of an expression, in the order of their places; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ExpressionError {
    /// The mistakes.
    pub mistakes: Vec<ExpressionMistake>,
}

impl From<ExpressionMistake> for ExpressionError {
    fn from(mistake: ExpressionMistake) -> Self {
        Self {
            mistakes: vec![mistake],
        }
    }
}
