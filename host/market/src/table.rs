//! Comma-separated tables of prices: the bars of one symbol, or the closes of
//! many.

use crate::history::Bar;
use crate::source::Problem;
use alchemiser_events::{Decimal, Price, SessionDate, Symbol};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::collections::BTreeMap;

/// A place in a file, and what is wrong there.
pub(crate) type Fault = (Option<usize>, Problem);

/// What a file of prices holds.
pub(crate) enum Table {
    /// The bars of one symbol, which the file's name tells.
    Bars(Vec<Bar>),
    /// One column for each symbol.
    Wide(WideTable),
}

/// The closes of many symbols.
pub(crate) struct WideTable {
    /// The date of every row.
    pub(crate) dates: Vec<SessionDate>,
    /// The bars of each symbol.
    pub(crate) columns: BTreeMap<Symbol, Vec<Bar>>,
}

/// Which tables are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Each row of a wide table holds a price, and there is a column to hold
    /// it: a session is a date on which something was traded.
    Prices,
    /// Rows may be empty: a slice lists sessions of which it holds no price.
    Sessions,
}

/// Reads either kind of table; the headings tell which it is.
pub(crate) fn read(content: &[u8], strictness: Strictness) -> Result<Table, Fault> {
    let mut rows = Rows::new(content);
    let Some(headings) = rows.next()? else {
        return Err((None, Problem::Empty));
    };
    let headings = Headings {
        names: headings.iter().map(trimmed).collect(),
    };
    let form = headings
        .form(strictness)
        .map_err(|problem| rows.here(problem))?;
    match form {
        Form::Bars { date, close } => read_bars(&mut rows, headings.names.len(), date, close),
        Form::Wide(symbols) => read_wide(&mut rows, symbols, strictness),
    }
}

/// What the headings of a table say.
enum Form {
    /// Places of the columns that are read.
    Bars { date: usize, close: usize },
    /// The symbols of the columns after `date`, which comes first.
    Wide(Vec<Symbol>),
}

struct Headings {
    names: Vec<String>,
}

impl Headings {
    fn form(&self, strictness: Strictness) -> Result<Form, Problem> {
        let date = self
            .column("date")?
            .ok_or(Problem::MissingColumn { name: "date" })?;
        if let Some(close) = self.column("close")? {
            return Ok(Form::Bars { date, close });
        }
        let others = || {
            self.names
                .iter()
                .filter(|name| !name.eq_ignore_ascii_case("date"))
        };
        // OPEN and LOW are symbols too, and VOLUME might be: only where there is
        // nothing else is it likely that the close was forgotten, or has another
        // name ("closing", "adj close", "price").
        let of_a_bar = |name: &String| {
            let name = name.to_ascii_lowercase();
            ["open", "high", "low", "volume"].contains(&name.as_str())
                || ["clos", "price"].iter().any(|part| name.contains(part))
        };
        if strictness == Strictness::Prices && others().all(of_a_bar) {
            return Err(Problem::MissingColumn { name: "close" });
        }
        if date != 0 {
            return Err(Problem::DateNotFirst);
        }
        let mut symbols = Vec::with_capacity(self.names.len());
        for name in others() {
            let symbol = Symbol::parse(name)?;
            if symbols.contains(&symbol) {
                return Err(Problem::RepeatedColumn {
                    name: symbol.to_string(),
                });
            }
            symbols.push(symbol);
        }
        Ok(Form::Wide(symbols))
    }

    /// The place of a column, in whatever case it is written.
    fn column(&self, name: &str) -> Result<Option<usize>, Problem> {
        let mut places =
            (0..self.names.len()).filter(|place| self.names[*place].eq_ignore_ascii_case(name));
        match (places.next(), places.next()) {
            (place, None) => Ok(place),
            (_, Some(_)) => Err(Problem::RepeatedColumn {
                name: name.to_owned(),
            }),
        }
    }
}

fn read_bars(rows: &mut Rows, width: usize, date: usize, close: usize) -> Result<Table, Fault> {
    let mut bars = Vec::<Bar>::new();
    while let Some(row) = rows.next()? {
        let before = bars.last().map(|bar| bar.date);
        let bar = check_width(row, width)
            .and_then(|()| {
                Ok(Bar {
                    date: read_date(&row[date], before)?,
                    close: read_price(&row[close], "close")?.ok_or(Problem::MissingPrice)?,
                })
            })
            .map_err(|problem| rows.here(problem))?;
        bars.push(bar);
    }
    if bars.is_empty() {
        return Err((None, Problem::NoRows));
    }
    Ok(Table::Bars(bars))
}

fn read_wide(
    rows: &mut Rows,
    symbols: Vec<Symbol>,
    strictness: Strictness,
) -> Result<Table, Fault> {
    let mut dates = Vec::new();
    let mut columns: Vec<(Symbol, Vec<Bar>)> = symbols
        .into_iter()
        .map(|symbol| (symbol, Vec::new()))
        .collect();
    while let Some(row) = rows.next()? {
        let date = check_width(row, columns.len() + 1)
            .and_then(|()| {
                let date = read_date(&row[0], dates.last().copied())?;
                let mut empty = true;
                for ((symbol, bars), cell) in columns.iter_mut().zip(row.iter().skip(1)) {
                    if let Some(close) = read_price(cell, symbol.as_str())? {
                        bars.push(Bar { date, close });
                        empty = false;
                    }
                }
                if empty && strictness == Strictness::Prices {
                    return Err(Problem::EmptyRow { date });
                }
                Ok(date)
            })
            .map_err(|problem| rows.here(problem))?;
        dates.push(date);
    }
    if dates.is_empty() {
        return Err((None, Problem::NoRows));
    }
    Ok(Table::Wide(WideTable {
        dates,
        columns: columns.into_iter().collect(),
    }))
}

fn check_width(row: &ByteRecord, expected: usize) -> Result<(), Problem> {
    if row.len() == expected {
        Ok(())
    } else {
        Err(Problem::CellCount {
            expected,
            found: row.len(),
        })
    }
}

fn read_date(cell: &[u8], before: Option<SessionDate>) -> Result<SessionDate, Problem> {
    let date = match std::str::from_utf8(cell.trim_ascii()) {
        Ok(text) => SessionDate::parse(text)?,
        Err(_) => SessionDate::parse(&trimmed(cell))?,
    };
    match before {
        Some(before) if before == date => Err(Problem::RepeatedDate { date }),
        Some(before) if before > date => Err(Problem::UnsortedDate { date, before }),
        _ => Ok(date),
    }
}

/// The price in a cell; `None` if the cell is empty.
fn read_price(cell: &[u8], column: &str) -> Result<Option<Price>, Problem> {
    let cell = cell.trim_ascii();
    if cell.is_empty() {
        return Ok(None);
    }
    // Digits and a point only: what else the decimal type would take, such as
    // `1_000`, is more likely a mistake.
    let plain = cell
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.');
    std::str::from_utf8(cell)
        .ok()
        .filter(|_| plain)
        .and_then(|text| Decimal::from_str_exact(text).ok())
        .and_then(|decimal| Price::new(decimal).ok())
        .map(Some)
        .ok_or_else(|| Problem::Price {
            text: trimmed(cell),
            column: column.to_owned(),
        })
}

fn trimmed(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell.trim_ascii()).into_owned()
}

/// The rows of a table, one at a time.
struct Rows<'a> {
    content: &'a [u8],
    reader: Reader<&'a [u8]>,
    row: ByteRecord,
}

impl<'a> Rows<'a> {
    fn new(content: &'a [u8]) -> Self {
        Self {
            content,
            reader: ReaderBuilder::new()
                .has_headers(false)
                // The number of cells is checked here, for a better message.
                .flexible(true)
                .comment(Some(b'#'))
                .from_reader(content),
            row: ByteRecord::new(),
        }
    }

    fn next(&mut self) -> Result<Option<&ByteRecord>, Fault> {
        match self.reader.read_byte_record(&mut self.row) {
            Ok(true) => Ok(Some(&self.row)),
            Ok(false) => Ok(None),
            Err(error) => Err(self.here(Problem::Table(error.to_string()))),
        }
    }

    /// A problem with the row read last.
    fn here(&self, problem: Problem) -> Fault {
        let start = self.row.position().map_or(0, |position| position.byte());
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        (Some(line_of_row(self.content, start)), problem)
    }
}

/// The line, from 1, on which a row begins. The reader's own count does not
/// serve: it lies before the blank lines and comments that the reader skips on
/// the way to the row.
fn line_of_row(content: &[u8], start: usize) -> usize {
    let mut place = start.min(content.len());
    loop {
        match content.get(place) {
            Some(b'\r' | b'\n') => place += 1,
            Some(b'#') => {
                let rest = &content[place..];
                place += rest
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(rest.len());
            }
            _ => break,
        }
    }
    1 + content[..place]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}
