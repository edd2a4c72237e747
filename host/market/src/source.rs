//! Where prices come from.

use crate::market::{Market, MarketError};
use crate::view::Requirement;
use alchemiser_events::{SessionDate, Symbol, SymbolError, TimeError};
use async_trait::async_trait;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The port through which prices reach the worker.
#[async_trait]
pub trait PriceSource: Send + Sync {
    /// A snapshot that holds at least what is required, as far as the source
    /// has it; a symbol that it does not know is absent from the snapshot.
    ///
    /// # Errors
    /// See [`SourceError`].
    async fn load(&self, requirements: &[Requirement]) -> Result<Arc<Market>, SourceError>;
}

/// A snapshot at hand is a source of itself.
#[async_trait]
impl PriceSource for Arc<Market> {
    async fn load(&self, _requirements: &[Requirement]) -> Result<Arc<Market>, SourceError> {
        Ok(Arc::clone(self))
    }
}

/// Prices could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// Something is wrong with the content of a file.
    #[error("{}{}: {problem}", path.display(), AfterColon(*.line))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The line, from 1, if it is about one.
        line: Option<usize>,
        /// What is wrong.
        problem: Problem,
    },
    /// The parts do not fit together.
    #[error(transparent)]
    Market(#[from] MarketError),
}

/// What is wrong with the content of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No CSV file in a folder.
    #[error("the folder holds no CSV file")]
    NoFiles,
    /// Files of both forms in one folder.
    #[error(
        "the file has one column for each symbol, and other CSV files lie beside it; a folder holds one such file, or one file for each symbol"
    )]
    MixedForms,
    /// Two files of one symbol.
    #[error("another file of the folder has the prices of `{symbol}` too")]
    RepeatedSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// Nothing in a file.
    #[error("the file is empty; its first line has to name the columns")]
    Empty,
    /// No rows in a file.
    #[error("the file has no rows")]
    NoRows,
    /// The table cannot be read at all.
    #[error("the table cannot be read: {0}")]
    Table(String),
    /// A column that is needed.
    #[error("there is no column `{name}`; the first line has to name the columns")]
    MissingColumn {
        /// Its name.
        name: &'static str,
    },
    /// A column named twice.
    #[error("the column `{name}` occurs twice")]
    RepeatedColumn {
        /// Its name.
        name: String,
    },
    /// The dates of a wide file are not in front.
    #[error("the column `date` has to be the first one where each symbol has a column")]
    DateNotFirst,
    /// A file name, heading or key that is no symbol.
    #[error(transparent)]
    Symbol(#[from] SymbolError),
    /// More cells than columns, or fewer.
    #[error("there are {found} cells and {expected} columns")]
    CellCount {
        /// Columns.
        expected: usize,
        /// Cells.
        found: usize,
    },
    /// Not a date.
    #[error(transparent)]
    Date(#[from] TimeError),
    /// A date twice.
    #[error("{date} occurs twice")]
    RepeatedDate {
        /// The date.
        date: SessionDate,
    },
    /// Dates out of order.
    #[error("{date} stands below {before}; dates have to ascend")]
    UnsortedDate {
        /// The date.
        date: SessionDate,
        /// The date above it.
        before: SessionDate,
    },
    /// Not a price.
    #[error(
        "`{text}` in column `{column}` is not a price: a decimal number above 0, of at most 28 digits"
    )]
    Price {
        /// What is there.
        text: String,
        /// The column.
        column: String,
    },
    /// A bar without a close.
    #[error("there is no close; a session without a bar has no line")]
    MissingPrice,
    /// A session on which nothing was traded.
    #[error("no symbol has a price on {date}; remove the line")]
    EmptyRow {
        /// The session.
        date: SessionDate,
    },
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// Not TOML.
    #[error("{0}")]
    Toml(String),
    /// An instrument that is no table.
    #[error("an instrument is a table such as `{{ tradable = false }}`, and this is a {found}")]
    NotATable {
        /// The type found.
        found: &'static str,
    },
    /// A symbol with a point that is not in quotes.
    #[error("a symbol with a point has to be in quotes: `\"{name}\"`")]
    UnquotedSymbol {
        /// The symbol.
        name: String,
    },
    /// A key that instruments do not have.
    #[error("there is no key `{name}`{}", DidYouMean(*.suggestion))]
    UnknownKey {
        /// The key.
        name: String,
        /// One that it might stand for.
        suggestion: Option<&'static str>,
    },
    /// A setting that is not true or false.
    #[error("`{name}` is true or false, and this is a {found}")]
    NotABoolean {
        /// The key.
        name: String,
        /// The type found.
        found: &'static str,
    },
    /// An instrument twice, in two spellings.
    #[error("`{symbol}` occurs twice")]
    RepeatedInstrument {
        /// The symbol.
        symbol: Symbol,
    },
    /// An instrument without prices.
    #[error("there are no prices for `{symbol}`{}", DidYouMean(suggestion.as_deref()))]
    InstrumentWithoutPrices {
        /// The symbol.
        symbol: Symbol,
        /// One that it might stand for.
        suggestion: Option<String>,
    },
    /// The header of a slice.
    #[error("the header of the slice is damaged")]
    SliceHeader,
}

struct AfterColon(Option<usize>);

impl fmt::Display for AfterColon {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(formatter, ":{line}"),
            None => Ok(()),
        }
    }
}

struct DidYouMean<'a>(Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(suggestion) => write!(formatter, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}
