//! Ticker symbols.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A ticker symbol in its one spelling: upper case, `.` between share classes.
///
/// Cheap to clone: a symbol occurs once for every weight, item and order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(Arc<str>);

/// The text is no ticker symbol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a symbol: 1 to 10 of A–Z, 0–9, `.` and `-`, with no `.` or `-` at an end or doubled"
)]
pub struct SymbolError(String);

impl Symbol {
    /// Longest symbol, in characters.
    const LONGEST: usize = 10;

    /// Upper-cases the text, turns `/` into `.` (`brk/b` is `BRK.B`), and
    /// checks the result.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let symbol = text.to_ascii_uppercase().replace('/', ".");
        let is_mark = |byte: u8| byte == b'.' || byte == b'-';
        let bytes = symbol.as_bytes();
        let characters_are_legal = bytes
            .iter()
            .all(|&byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || is_mark(byte));
        let marks_stand_alone = bytes
            .windows(2)
            .all(|pair| !(is_mark(pair[0]) && is_mark(pair[1])));
        let ends_are_legal = matches!(
            (bytes.first(), bytes.last()),
            (Some(&first), Some(&last)) if !is_mark(first) && !is_mark(last)
        );
        if characters_are_legal
            && marks_stand_alone
            && ends_are_legal
            && bytes.len() <= Self::LONGEST
        {
            Ok(Self(symbol.into()))
        } else {
            Err(SymbolError(text.to_owned()))
        }
    }

    /// The symbol's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        Self::parse(&text)
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_spelling() {
        for (text, symbol) in [
            ("spy", "SPY"),
            ("brk/b", "BRK.B"),
            ("BF-B", "BF-B"),
            ("3M", "3M"),
        ] {
            assert_eq!(Symbol::parse(text).unwrap().as_str(), symbol);
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            ".",
            "-A",
            "A.",
            "A..B",
            "A.-B",
            "ABCDEFGHIJK",
            "SP 500",
            "ÄPFEL",
            "A_B",
        ] {
            assert_eq!(Symbol::parse(text), Err(SymbolError(text.to_owned())));
        }
    }
}
