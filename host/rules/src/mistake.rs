//! What is wrong in a `routes.toml`, said to the person who wrote it.

use std::fmt;
use std::ops::Range;

/// One mistake, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file's name as given to the parser.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The place as a range of bytes.
    pub span: Range<usize>,
    /// The rule that it is about, if it has a name already.
    pub rule: Option<String>,
    /// The key, with those above it: `target`, `pattern.detail.symbol`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: ", self.file, self.line, self.column)?;
        match (&self.rule, &self.field) {
            (Some(rule), Some(field)) => write!(formatter, "rule `{rule}`, field `{field}`: ")?,
            (Some(rule), None) => write!(formatter, "rule `{rule}`: ")?,
            (None, Some(field)) => write!(formatter, "field `{field}`: ")?,
            (None, None) => {}
        }
        write!(formatter, "{}; {}", self.message, self.advice)
    }
}

/// Every mistake of a file, in the order of their places; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RoutesError {
    /// The mistakes.
    pub mistakes: Vec<Mistake>,
}

/// Line and column of a byte offset, both from 1, the column in characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    (line, column)
}
