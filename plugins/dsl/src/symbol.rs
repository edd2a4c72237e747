//! Symbols: how they are written, and sets of them.

use crate::program::SymbolId;

/// A set of a program's symbols. Emptying it takes no time, since a member is
/// a symbol whose mark is the current one.
#[derive(Debug)]
pub(crate) struct SymbolSet {
    marks: Vec<u32>,
    current: u32,
}

impl SymbolSet {
    pub(crate) fn new(symbols: usize) -> Self {
        Self {
            marks: vec![0; symbols],
            current: 1,
        }
    }

    pub(crate) fn clear(&mut self) {
        match self.current.checked_add(1) {
            Some(next) => self.current = next,
            None => *self = Self::new(self.marks.len()),
        }
    }

    /// Whether the symbol is new.
    pub(crate) fn insert(&mut self, symbol: SymbolId) -> bool {
        let mark = &mut self.marks[symbol.index()];
        std::mem::replace(mark, self.current) != self.current
    }
}

/// The one spelling of a symbol: upper case, `.` between share classes
/// (`brk/b` is `BRK.B`). `None` if the text is no symbol.
pub(crate) fn spelling(text: &str) -> Option<String> {
    const LONGEST: usize = 10;

    let symbol = text.to_ascii_uppercase().replace('/', ".");
    // A mark only ever stands between two parts, so no part may be empty.
    let is_legal = symbol.len() <= LONGEST
        && symbol.split(['.', '-']).all(|part| {
            let is_legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            !part.is_empty() && part.bytes().all(is_legal)
        });
    is_legal.then_some(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_one_spelling() {
        let cases = [
            ("SPY", Some("SPY")),
            ("brk/b", Some("BRK.B")),
            ("BF-A", Some("BF-A")),
            ("3M", Some("3M")),
            ("ABCDEFGHIJ", Some("ABCDEFGHIJ")),
            ("ABCDEFGHIJK", None),
            ("", None),
            (".A", None),
            ("A.", None),
            ("A..B", None),
            ("A.-B", None),
            ("T L T", None),
            ("é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(spelling(text).as_deref(), expected, "{text}");
        }
    }
}
