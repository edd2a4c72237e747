//! Prices from CSV files.

use crate::calendar::Calendar;
use crate::history::Bar;
use crate::instruments::{self, Instrument};
use crate::market::Market;
use crate::source::{PriceSource, Problem, SourceError};
use crate::table::{self, Fault, Strictness, Table};
use crate::view::Requirement;
use alchemiser_events::Symbol;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prices from CSV files on disk, in one of two forms:
///
/// - one file for each symbol, which the file's name tells, with the columns
///   `date` and `close`, in any order and in either case; others are ignored;
/// - one wide file: `date`, then one column of closes for each symbol, where an
///   empty cell is a session without a bar.
///
/// The path is that of a folder or of a single file of either form. In a
/// folder, a single CSV file without a `close` column is a wide one. Dates are
/// written `2022-12-28` and ascend; prices are above 0. An `instruments.toml`
/// beside the files says what cannot be traded:
///
/// ```toml
/// SP500 = { tradable = false }
/// "BRK.A" = { fractionable = false }
/// ```
#[derive(Clone, Debug)]
pub struct CsvSource {
    path: PathBuf,
}

impl CsvSource {
    /// A source that reads a folder or a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads everything there is.
    ///
    /// # Errors
    /// The first fault, with file and line.
    pub fn read(&self) -> Result<Market, SourceError> {
        let metadata = std::fs::metadata(&self.path).map_err(unreadable(&self.path))?;
        if metadata.is_dir() {
            let files = csv_files(&self.path)?;
            read_files(&files, &self.path)
        } else {
            let folder = self.path.parent().unwrap_or(Path::new(""));
            read_files(std::slice::from_ref(&self.path), folder)
        }
    }
}

#[async_trait]
impl PriceSource for CsvSource {
    /// Holds everything there is, whatever is required: the sessions are those
    /// of all symbols together.
    async fn load(&self, _requirements: &[Requirement]) -> Result<Arc<Market>, SourceError> {
        self.read().map(Arc::new)
    }
}

/// The CSV files of a folder in the order of their names.
fn csv_files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let is_csv = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_csv && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(faulty(folder)((None, Problem::NoFiles)));
    }
    Ok(files)
}

fn read_files(files: &[PathBuf], folder: &Path) -> Result<Market, SourceError> {
    let mut dates = Vec::new();
    let mut bars = BTreeMap::<Symbol, Vec<Bar>>::new();
    for path in files {
        let content = std::fs::read(path).map_err(unreadable(path))?;
        let fault = faulty(path);
        match table::read(&content, Strictness::Prices).map_err(&fault)? {
            Table::Bars(series) => {
                let symbol = symbol_of(path).map_err(&fault)?;
                dates.extend(series.iter().map(|bar| bar.date));
                if bars.insert(symbol.clone(), series).is_some() {
                    return Err(fault((None, Problem::RepeatedSymbol { symbol })));
                }
            }
            Table::Wide(_) if files.len() > 1 => return Err(fault((None, Problem::MixedForms))),
            Table::Wide(table) => {
                dates = table.dates;
                bars = table.columns;
            }
        }
    }
    let instruments = read_instruments(&folder.join("instruments.toml"), &bars)?;
    Ok(Market::with_calendar(
        Calendar::new(dates),
        &bars,
        &BTreeMap::new(),
        instruments,
    )?)
}

/// The symbol that a file's name tells.
fn symbol_of(path: &Path) -> Result<Symbol, Fault> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Symbol::parse(&name).map_err(|error| (None, error.into()))
}

fn read_instruments(
    path: &Path,
    bars: &BTreeMap<Symbol, Vec<Bar>>,
) -> Result<BTreeMap<Symbol, Instrument>, SourceError> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(path)(error)),
    };
    std::str::from_utf8(&content)
        .map_err(|_| (None, Problem::NotText))
        .and_then(|text| instruments::read(text, &bars.keys().collect()))
        .map_err(faulty(path))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> SourceError {
    |error| SourceError::Read {
        path: path.to_owned(),
        error,
    }
}

fn faulty(path: &Path) -> impl Fn(Fault) -> SourceError {
    |(line, problem)| SourceError::File {
        path: path.to_owned(),
        line,
        problem,
    }
}
