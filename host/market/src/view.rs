//! The market as one strategy may see it.

use crate::calendar::Session;
use crate::error::{AdvanceError, DataError, ReadError, ViolationError};
use crate::history::History;
use crate::market::Market;
use alchemiser_events::{SessionDate, Symbol};
use alchemiser_indicators::{EvaluationError, Indicator, Series, Specification, UnknownIndicator};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A symbol whose prices a strategy may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The symbol; it need not have prices.
    pub symbol: Symbol,
    /// How many of its own bars, counted back from the session under
    /// evaluation; `None` means all history.
    pub sessions: Option<u32>,
}

/// A symbol, as answered by [`View::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SymbolHandle(pub u32);

/// An indicator series, as answered by [`View::indicator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesHandle(pub u32);

/// The market as one strategy may see it: the symbols that it declared, as far
/// back as it declared them, up to the session under evaluation.
///
/// The functions are those of the `market` interface in
/// `plugins/wit/strategy.wit`. What they answer depends on the session under
/// evaluation and on nothing after it, nor on earlier calls. Handles stay valid
/// for the life of the view. Session numbers and handles come from a plugin, so
/// none of them is trusted.
#[derive(Debug)]
pub struct View {
    market: Arc<Market>,
    /// Ascending by symbol; a [`SymbolHandle`] is a place in here.
    declared: Vec<Declared>,
    /// A [`SeriesHandle`] is a place in here.
    opened: Vec<Opened>,
    handles: HashMap<(SymbolHandle, Specification), SeriesHandle>,
    /// Values that the opened series hold together.
    values: usize,
    as_of: Option<Session>,
}

/// One of the requirements.
#[derive(Debug)]
struct Declared {
    symbol: Symbol,
    sessions: Option<u32>,
    /// Where the market keeps its history; `None` if it has none.
    position: Option<usize>,
    /// The first bars, so many, that may not be seen as of this session.
    unseen: u32,
    /// Why the symbol may not be used as of this session.
    bad: Option<DataError>,
}

#[derive(Debug)]
struct Opened {
    symbol: SymbolHandle,
    series: Arc<Series>,
}

impl View {
    /// Values that the indicator series of one view may hold together (128
    /// MiB): a plugin must not be able to exhaust the host by asking for
    /// thousands of windows.
    pub const SERIES_LIMIT: usize = 16 << 20;

    /// What a series counts for at least, empty ones included.
    const SERIES_OVERHEAD: usize = 64;

    /// A view of what the requirements name. Where one symbol is named twice,
    /// the longer history counts. Nothing can be read before
    /// [`advance`](Self::advance).
    #[must_use]
    pub fn new(market: Arc<Market>, requirements: &[Requirement]) -> Self {
        let declared = widest(requirements)
            .into_iter()
            .map(|(symbol, sessions)| Declared {
                position: market.position(symbol),
                symbol: symbol.clone(),
                sessions,
                unseen: 0,
                bad: None,
            })
            .collect();
        Self {
            market,
            declared,
            opened: Vec::new(),
            handles: HashMap::new(),
            values: 0,
            as_of: None,
        }
    }

    /// Sets the session under evaluation.
    ///
    /// # Errors
    /// The session lies before the one that was evaluated last: whoever read
    /// prices through this view might remember the future. Or there is no such
    /// session.
    pub fn advance(&mut self, as_of: Session) -> Result<(), AdvanceError> {
        if let Some(from) = self.as_of.filter(|from| *from > as_of) {
            return Err(AdvanceError::Backwards { from, to: as_of });
        }
        if self.market.calendar().date(as_of).is_none() {
            return Err(AdvanceError::PastTheEnd { to: as_of });
        }
        self.as_of = Some(as_of);
        for declared in &mut self.declared {
            if let Some(position) = declared.position {
                let history = self.market.at(position);
                declared.unseen = history.unseen(declared.sessions, as_of);
                // Of a symbol that is declared with no bar nothing is seen, not
                // even that bars are missing: a slice could not tell.
                declared.bad = match declared.sessions {
                    Some(0) => None,
                    Some(_) | None => missing_sessions(history, as_of),
                };
            }
        }
        Ok(())
    }

    /// The session under evaluation.
    #[must_use]
    pub fn as_of(&self) -> Option<Session> {
        self.as_of
    }

    /// The handle of a declared symbol.
    ///
    /// # Errors
    /// [`DataError::NoData`], [`DataError::BadData`];
    /// [`ViolationError::UndeclaredSymbol`].
    pub fn find(&self, name: &str) -> Result<SymbolHandle, ReadError> {
        self.evaluating()?;
        let place = Symbol::parse(name)
            .ok()
            .and_then(|symbol| {
                self.declared
                    .binary_search_by(|declared| declared.symbol.cmp(&symbol))
                    .ok()
            })
            .ok_or_else(|| ViolationError::UndeclaredSymbol {
                name: name.to_owned(),
            })?;
        let declared = &self.declared[place];
        if declared.position.is_none() {
            return Err(ReadError::Data(DataError::NoData {
                symbol: declared.symbol.clone(),
            }));
        }
        match &declared.bad {
            Some(bad) => Err(ReadError::Data(bad.clone())),
            None => Ok(SymbolHandle(number(place))),
        }
    }

    /// The date of a session.
    ///
    /// # Errors
    /// [`ViolationError::LookAhead`].
    pub fn date(&self, session: Session) -> Result<SessionDate, ViolationError> {
        let as_of = self.evaluating()?;
        self.market
            .calendar()
            .date(session)
            .filter(|_| session <= as_of)
            .ok_or_else(|| self.look_ahead(session, as_of))
    }

    /// How many bars a symbol has up to and including a session.
    ///
    /// # Errors
    /// [`ViolationError::LookAhead`]; [`ViolationError::UndeclaredHistory`] for
    /// a session before the history that was declared.
    pub fn bars(&self, symbol: SymbolHandle, session: Session) -> Result<u32, ViolationError> {
        let (declared, history) = self.symbol(symbol)?;
        self.count(declared, history, session)
    }

    /// The session of a symbol's last bar on or before a session.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn last_bar(&self, symbol: SymbolHandle, session: Session) -> Result<Session, ReadError> {
        let (declared, history) = self.symbol(symbol)?;
        let end = self.window_end(declared, history, session, 1)?;
        Ok(history.sessions()[(end - history.omitted_bars() - 1) as usize])
    }

    /// A symbol's last close on or before a session.
    ///
    /// # Errors
    /// [`DataError::InsufficientHistory`] when there is none,
    /// [`DataError::BadData`]; [`ViolationError::LookAhead`],
    /// [`ViolationError::UndeclaredHistory`].
    pub fn close(&self, symbol: SymbolHandle, session: Session) -> Result<f64, ReadError> {
        let (declared, history) = self.symbol(symbol)?;
        let end = self.window_end(declared, history, session, 1)?;
        Ok(history.closes()[(end - history.omitted_bars() - 1) as usize])
    }

    /// A symbol's last `count` closes on or before a session, oldest first.
    ///
    /// # Errors
    /// As [`close`](Self::close).
    pub fn closes(
        &self,
        symbol: SymbolHandle,
        session: Session,
        count: u32,
    ) -> Result<&[f64], ReadError> {
        let (declared, history) = self.symbol(symbol)?;
        let end = self.window_end(declared, history, session, count)?;
        let end = (end - history.omitted_bars()) as usize;
        Ok(&history.closes()[end - count as usize..end])
    }

    /// The series of an indicator on a symbol's closes; without a window the
    /// default of the strategy language.
    ///
    /// # Errors
    /// [`DataError::Argument`] for an unknown name or a window out of range;
    /// [`ViolationError::UndeclaredHistory`] or
    /// [`ViolationError::RecursiveOnPart`] when no session could ever have a
    /// value within what was declared; [`ViolationError::TooManySeries`].
    pub fn indicator(
        &mut self,
        name: &str,
        symbol: SymbolHandle,
        window: Option<u32>,
    ) -> Result<SeriesHandle, ReadError> {
        self.evaluating()?;
        let (declared, history) = self.symbol(symbol)?;
        let specification = specification(name, window)?;
        if let Some(handle) = self.handles.get(&(symbol, specification)) {
            return Ok(*handle);
        }
        declared.check_reach(specification.need())?;
        declared.check_recursion(specification.indicator(), history)?;
        let length = history
            .closes()
            .len()
            .saturating_sub(specification.need() as usize);
        let values = self.values + length.max(Self::SERIES_OVERHEAD);
        if values > Self::SERIES_LIMIT {
            return Err(ReadError::Violation(ViolationError::TooManySeries {
                limit: Self::SERIES_LIMIT,
            }));
        }
        let series = history.series(specification);
        let handle = SeriesHandle(number(self.opened.len()));
        self.opened.push(Opened { symbol, series });
        self.handles.insert((symbol, specification), handle);
        self.values = values;
        Ok(handle)
    }

    /// The value of a series at a session.
    ///
    /// # Errors
    /// [`DataError::InsufficientHistory`], [`DataError::NonFinite`],
    /// [`DataError::BadData`]; [`ViolationError::LookAhead`],
    /// [`ViolationError::UndeclaredHistory`].
    #[inline]
    pub fn value(&self, series: SeriesHandle, session: Session) -> Result<f64, ReadError> {
        let opened = self.opened(series)?;
        let (declared, history) = self.symbol(opened.symbol)?;
        let need = opened.series.specification().need();
        let end = self.window_end(declared, history, session, need)?;
        opened
            .series
            .at(end - history.omitted_bars())
            .map_err(|error| declared.data_error(error))
    }

    /// The values of several series at a session, in their order. Not a number
    /// where there is none, or where the history for it was not declared:
    /// [`value`](Self::value) says why.
    ///
    /// # Errors
    /// [`ViolationError::LookAhead`], [`ViolationError::UnknownHandle`].
    pub fn values(
        &self,
        series: &[SeriesHandle],
        session: Session,
    ) -> Result<Vec<f64>, ViolationError> {
        let as_of = self.evaluating()?;
        if session > as_of {
            return Err(self.look_ahead(session, as_of));
        }
        series
            .iter()
            .map(|series| self.value_if_any(*series, session))
            .collect()
    }

    /// The value of a series at a session not after that under evaluation.
    #[inline]
    fn value_if_any(&self, series: SeriesHandle, session: Session) -> Result<f64, ViolationError> {
        let opened = self.opened(series)?;
        let (declared, history) = self.symbol(opened.symbol)?;
        let need = opened.series.specification().need();
        let count = history.bars(session);
        let is_seen = declared.bad.is_none()
            && declared.sessions.is_none_or(|sessions| need <= sessions)
            && count
                .checked_sub(need)
                .is_some_and(|start| start >= declared.unseen);
        let value = is_seen.then(|| opened.series.at(count - history.omitted_bars()));
        Ok(match value {
            Some(Ok(value)) => value,
            Some(Err(_)) | None => f64::NAN,
        })
    }

    #[inline]
    fn opened(&self, series: SeriesHandle) -> Result<&Opened, ViolationError> {
        let handle = series.0;
        self.opened
            .get(handle as usize)
            .ok_or(ViolationError::UnknownHandle {
                kind: "series",
                handle,
            })
    }

    /// The count of bars at a session, if the last `need` of these exist and
    /// may be seen.
    #[inline]
    fn window_end(
        &self,
        declared: &Declared,
        history: &History,
        session: Session,
        need: u32,
    ) -> Result<u32, ReadError> {
        declared.check_reach(need)?;
        let count = self.count(declared, history, session)?;
        if let Some(bad) = &declared.bad {
            return Err(ReadError::Data(bad.clone()));
        }
        let Some(start) = count.checked_sub(need) else {
            return Err(ReadError::Data(DataError::InsufficientHistory {
                symbol: declared.symbol.clone(),
                need,
                have: count,
            }));
        };
        if start < declared.unseen {
            return Err(ReadError::Violation(
                self.undeclared_history(declared, history, start),
            ));
        }
        Ok(count)
    }

    /// How many bars there are up to and including a session that may be seen.
    #[inline]
    fn count(
        &self,
        declared: &Declared,
        history: &History,
        session: Session,
    ) -> Result<u32, ViolationError> {
        let as_of = self.evaluating()?;
        if session > as_of {
            return Err(self.look_ahead(session, as_of));
        }
        let count = history.bars(session);
        if declared.unseen > 0 && count <= declared.unseen {
            return Err(self.undeclared_history(declared, history, declared.unseen - 1));
        }
        Ok(count)
    }

    #[inline]
    fn symbol(&self, handle: SymbolHandle) -> Result<(&Declared, &History), ViolationError> {
        self.declared
            .get(handle.0 as usize)
            .and_then(|declared| Some((declared, self.market.at(declared.position?))))
            .ok_or(ViolationError::UnknownHandle {
                kind: "symbol",
                handle: handle.0,
            })
    }

    #[inline]
    fn evaluating(&self) -> Result<Session, ViolationError> {
        self.as_of.ok_or(ViolationError::NotEvaluating)
    }

    #[cold]
    fn look_ahead(&self, asked: Session, as_of: Session) -> ViolationError {
        match self.market.calendar().date(as_of) {
            Some(date) => ViolationError::LookAhead { asked, as_of, date },
            // Not reached: `advance` takes only sessions of the calendar.
            None => ViolationError::NotEvaluating,
        }
    }

    /// `first` is a bar that was needed, counted from 0.
    #[cold]
    fn undeclared_history(
        &self,
        declared: &Declared,
        history: &History,
        first: u32,
    ) -> ViolationError {
        let bars = self.as_of.map_or(0, |as_of| history.bars(as_of));
        ViolationError::UndeclaredHistory {
            symbol: declared.symbol.clone(),
            declared: bars - declared.unseen,
            needed: bars - first,
        }
    }
}

impl Declared {
    /// Refuses what could be answered on no session.
    #[inline]
    fn check_reach(&self, need: u32) -> Result<(), ViolationError> {
        match self.sessions {
            Some(sessions) if need > sessions => Err(ViolationError::UndeclaredHistory {
                symbol: self.symbol.clone(),
                declared: sessions,
                needed: need,
            }),
            _ => Ok(()),
        }
    }

    fn check_recursion(
        &self,
        indicator: Indicator,
        history: &History,
    ) -> Result<(), ViolationError> {
        let part = self.sessions.is_some() || history.omitted_bars() > 0;
        if part && indicator.is_recursive() {
            return Err(ViolationError::RecursiveOnPart {
                symbol: self.symbol.clone(),
                indicator,
            });
        }
        Ok(())
    }

    #[cold]
    fn data_error(&self, error: EvaluationError) -> ReadError {
        ReadError::Data(match error {
            EvaluationError::InsufficientHistory { need, have } => DataError::InsufficientHistory {
                symbol: self.symbol.clone(),
                need,
                have,
            },
            EvaluationError::NonFinite { specification } => DataError::NonFinite {
                what: format!("{specification} of `{}`", self.symbol),
            },
        })
    }
}

/// Each symbol once, ascending, with the longest history asked for.
pub(crate) fn widest(requirements: &[Requirement]) -> BTreeMap<&Symbol, Option<u32>> {
    let mut widest = BTreeMap::new();
    for Requirement { symbol, sessions } in requirements {
        widest
            .entry(symbol)
            .and_modify(|longest: &mut Option<u32>| {
                *longest = longest.zip(*sessions).map(|(left, right)| left.max(right));
            })
            .or_insert(*sessions);
    }
    widest
}

fn specification(name: &str, window: Option<u32>) -> Result<Specification, DataError> {
    let argument = |message| DataError::Argument {
        operator: name.to_owned(),
        message,
    };
    let indicator: Indicator = name
        .parse()
        .map_err(|error: UnknownIndicator| argument(error.to_string()))?;
    Specification::new(indicator, window).map_err(|error| argument(error.to_string()))
}

/// The error when more than a fifth of the sessions between a symbol's first
/// bar and its last as of a session have no bar. Bars after that session do not
/// count, lest the answer depend on the future.
fn missing_sessions(history: &History, as_of: Session) -> Option<DataError> {
    let (first, last) = (history.first_session()?, history.last_session(as_of)?);
    let sessions = last.0 - first.0 + 1;
    let missing = sessions - history.bars(as_of);
    (u64::from(missing) * 5 > u64::from(sessions)).then(|| DataError::BadData {
        symbol: history.symbol().clone(),
        missing,
        sessions,
    })
}

/// A handle from a place. There are always fewer of either than a `u32` counts:
/// requirements come from a plugin's memory, and series are limited.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
