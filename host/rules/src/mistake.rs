//! What is wrong in a `routes.toml`, said to the person who wrote it.

use std::fmt;
use std::ops::Range;

use crate::lines::Lines;
use crate::pattern::PatternError;

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

impl PatternError {
    /// The mistakes in a text of its own: the pattern's, from a file or the
    /// like.
    #[must_use]
    pub fn within(self, text: &str, file: &str) -> Vec<Mistake> {
        let lines = Lines::of(text);
        let mistakes = self.mistakes.into_iter();
        mistakes
            .map(|mistake| Mistake {
                file: file.to_owned(),
                line: lines.line(mistake.span.start),
                column: lines.column(mistake.span.start),
                span: mistake.span,
                entry: None,
                field: Some(mistake.field).filter(|field| !field.is_empty()),
                message: mistake.message,
                advice: mistake.advice,
            })
            .collect()
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
