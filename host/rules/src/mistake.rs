//! What is wrong in a `routes.toml`, said to the person who wrote it.

use std::fmt;
use std::ops::Range;

use crate::pattern::PatternMistake;

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
    /// The rule, schedule or test that it is about, if that has a name.
    pub entry: Option<Entry>,
    /// The key, with those above it: `target`, `pattern.detail.symbol`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl PatternMistake {
    /// The mistake in a text of its own: the pattern's, from a file or the like.
    #[must_use]
    pub fn within(self, text: &str, file: &str) -> Mistake {
        let (line, column) = line_and_column(text, self.span.start);
        Mistake {
            file: file.to_owned(),
            line,
            column,
            span: self.span,
            entry: None,
            field: Some(self.field).filter(|field| !field.is_empty()),
            message: self.message,
            advice: self.advice,
        }
    }
}

/// Something of the file that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name as written, which may be mistaken.
    pub name: String,
}

/// What stands in double brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// `[[rule]]`
    Rule,
    /// `[[schedule]]`
    Schedule,
    /// `[[test]]`
    Test,
}

impl EntryKind {
    /// The key in the file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Schedule => "schedule",
            Self::Test => "test",
        }
    }
}

impl Mistake {
    /// What it is about: ``rule `audit`, field `target` ``; empty for the file
    /// as a whole.
    #[must_use]
    pub fn subject(&self) -> String {
        match (&self.entry, &self.field) {
            (Some(entry), Some(field)) => format!("{entry}, field `{field}`"),
            (Some(entry), None) => entry.to_string(),
            (None, Some(field)) => format!("field `{field}`"),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} `{}`", self.kind.key(), self.name)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: ", self.file, self.line, self.column)?;
        match self.subject().as_str() {
            "" => {}
            subject => write!(formatter, "{subject}: ")?,
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
