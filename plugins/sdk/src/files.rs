//! The files that the book gives a strategy.

use crate::error::{Error, Result};
use std::cell::Cell;

/// The files that the book names for the strategy, in the book's order.
///
/// A strategy that never looks at them is not loaded with any: a file that has
/// no influence is a mistake in the book.
#[derive(Clone, Default)]
pub struct Files {
    files: Vec<(String, Vec<u8>)>,
    were_read: Cell<bool>,
}

impl Files {
    /// Files by name and content.
    #[must_use]
    pub fn new(files: Vec<(String, Vec<u8>)>) -> Self {
        Self {
            files,
            were_read: Cell::new(false),
        }
    }

    /// The only file, name and content.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn only(&self) -> Result<(&str, &[u8])> {
        self.were_read.set(true);
        match self.files.as_slice() {
            [(name, content)] => Ok((name, content)),
            files => Err(Error::parameter(
                "file",
                format!("exactly one file is needed, and {} were given", files.len()),
            )),
        }
    }

    /// All files, name and content.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.were_read.set(true);
        self.files
            .iter()
            .map(|(name, content)| (name.as_str(), content.as_slice()))
    }

    /// An error if there are files, and nobody has looked at them.
    pub(crate) fn refuse_unread(&self) -> Result<()> {
        match self.files.first() {
            Some((name, _)) if !self.were_read.get() => Err(Error::parameter(
                "file",
                format!("this strategy reads no file, and the book gives it `{name}`"),
            )),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Files").field(&self.files).finish()
    }
}
