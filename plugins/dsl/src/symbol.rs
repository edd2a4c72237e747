//! Sets of symbols.

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
