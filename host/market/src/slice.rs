//! What a strategy could see, kept so that it can be asked again.

use crate::calendar::{Calendar, Session};
use crate::history::{Bar, History, Omitted};
use crate::market::Market;
use crate::source::Problem;
use crate::table::{self, Fault, Strictness, Table, WideTable};
use crate::view::{Requirement, widest};
use alchemiser_events::{Sha256Digest, Symbol};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Exactly what some requirements may see as of a session, as text: the same
/// market, requirements and session give the same bytes.
///
/// It is a wide CSV table of the sessions up to and including that one and of
/// the required symbols that have prices, ascending. All sessions are listed,
/// since their numbers count; cells outside of the declared history are empty.
/// Comments in front tell what else may be known of a symbol of which bars were
/// left out: how many, and the session of the first, which are needed to count
/// bars and missing sessions.
///
/// ```text
/// # alchemiser market slice 1
/// # omitted SPY 2 0
/// date,SPY
/// 2022-12-23,
/// 2022-12-27,
/// 2022-12-28,376.66
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    text: String,
    digest: Sha256Digest,
}

const FIRST_LINE: &str = "# alchemiser market slice 1";
const OMITTED: &str = "# omitted ";

impl Slice {
    /// Its bytes, UTF-8.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The digest of its bytes.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }
}

/// The bytes are no slice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a market slice{}: {problem}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct SliceError {
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl Market {
    /// What some requirements may see as of a session. A view on
    /// [`from_slice`](Self::from_slice) of it, with the same requirements and
    /// the same session, answers everything as a view on this market does.
    #[must_use]
    pub fn slice(&self, requirements: &[Requirement], as_of: Session) -> Slice {
        let columns: Vec<Column<'_>> = widest(requirements)
            .into_iter()
            .filter_map(|(symbol, sessions)| {
                let history = self.history(symbol)?;
                let unseen = history.unseen(sessions, as_of);
                Some(Column { history, unseen })
            })
            .collect();
        let text = write(self.calendar(), &columns, as_of);
        Slice {
            digest: Sha256Digest::of(text.as_bytes()),
            text,
        }
    }

    /// Whether a requirement is met as of a session as it would be on the whole
    /// market: nothing of it was left out when this market was sliced.
    #[must_use]
    pub fn holds(&self, requirement: &Requirement, as_of: Session) -> bool {
        self.history(&requirement.symbol).is_some_and(|history| {
            let undeclared = requirement
                .sessions
                .map_or(0, |sessions| history.bars(as_of).saturating_sub(sessions));
            history.omitted_bars() <= undeclared
        })
    }

    /// The market that a slice tells of. Its last session is the one that the
    /// slice was made as of.
    ///
    /// # Errors
    /// The bytes are no slice.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SliceError> {
        read(bytes).map_err(|(line, problem)| SliceError { line, problem })
    }
}

/// A symbol of a slice, and how many of its first bars may not be seen.
struct Column<'a> {
    history: &'a History,
    unseen: u32,
}

fn write(calendar: &Calendar, columns: &[Column<'_>], as_of: Session) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for Column { history, unseen } in columns {
        if let (1.., Some(first)) = (unseen, history.first_session()) {
            text += &format!("{OMITTED}{} {unseen} {}\n", history.symbol(), first.0);
        }
    }
    text += "date";
    for column in columns {
        text.push(',');
        text += column.history.symbol().as_str();
    }
    text.push('\n');
    for (session, date) in calendar.until(as_of) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{date}");
        for Column { history, unseen } in columns {
            text.push(',');
            if let Some(price) = history.price_on(session)
                && history.bars(session) > *unseen
            {
                let _ = write!(text, "{price}");
            }
        }
        text.push('\n');
    }
    text
}

fn read(bytes: &[u8]) -> Result<Market, Fault> {
    let omitted = read_header(bytes)?;
    let Table::Wide(WideTable { dates, columns }) = table::read(bytes, Strictness::Sessions)?
    else {
        return Err((None, Problem::SliceHeader));
    };
    let calendar = Calendar::new(dates);
    for (symbol, omitted) in &omitted {
        check_omitted(omitted, columns.get(symbol), &calendar)
            .ok_or((None, Problem::SliceHeader))?;
    }
    Market::with_calendar(calendar, &columns, &omitted, BTreeMap::new())
        .map_err(|_| (None, Problem::SliceHeader))
}

fn read_header(bytes: &[u8]) -> Result<BTreeMap<Symbol, Omitted>, Fault> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if lines.next() != Some(FIRST_LINE.as_bytes()) {
        return Err((Some(1), Problem::SliceHeader));
    }
    lines
        .take_while(|line| line.starts_with(b"#"))
        .enumerate()
        .map(|(place, line)| read_omitted(line).ok_or((Some(place + 2), Problem::SliceHeader)))
        .collect()
}

fn read_omitted(line: &[u8]) -> Option<(Symbol, Omitted)> {
    let fields = std::str::from_utf8(line).ok()?.strip_prefix(OMITTED)?;
    let mut fields = fields.split(' ');
    let symbol = Symbol::parse(fields.next()?).ok()?;
    let bars = fields.next()?.parse().ok()?;
    let first = Session(fields.next()?.parse().ok()?);
    fields
        .next()
        .is_none()
        .then_some((symbol, Omitted { bars, first }))
}

/// The bars left out have to find room before those that are there.
fn check_omitted(omitted: &Omitted, bars: Option<&Vec<Bar>>, calendar: &Calendar) -> Option<()> {
    let room = match bars?.first() {
        Some(bar) => calendar.session(bar.date).ok()?.0,
        None => calendar.last()?.0 + 1,
    };
    (omitted.bars > 0 && room.checked_sub(omitted.first.0)? >= omitted.bars).then_some(())
}
