//! The market as a strategy sees it.

use crate::error::{Error, Place, Result};

/// The number of a session: trading days of the data set, from 0.
pub type Session = u32;

/// A symbol of the data set, from [`Market::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolHandle(pub u32);

/// An indicator series, from [`Market::indicator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series(pub u32);

/// A candidate of a selection and its score, for [`Market::explain_selection`].
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Symbol or name of the candidate.
    pub name: String,
    /// What it was ranked by.
    pub value: f64,
}

impl Score {
    /// A candidate and its score.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

/// A part of a portfolio, for [`Market::explain_division`].
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Symbol or name of the part.
    pub name: String,
    /// Its share of the whole, 0 to 1.
    pub share: f64,
    /// What the share was computed from, such as a volatility, if anything.
    pub measure: Option<f64>,
}

impl Part {
    /// A part and its share of the whole.
    pub fn new(name: impl Into<String>, share: f64) -> Self {
        Self {
            name: name.into(),
            share,
            measure: None,
        }
    }
}

/// Prices and indicators up to the session under evaluation, by handles.
/// [`Today`](crate::Today) has the same by name.
///
/// Implemented by the host for a running plugin and by
/// [`testing::TestMarket::as_of`](crate::testing::TestMarket::as_of) for native tests. The
/// exact meaning of each function, its errors included, is in
/// `plugins/wit/strategy.wit`.
pub trait Market {
    /// The handle of a symbol, or `NoData`.
    fn find(&self, name: &str) -> Result<SymbolHandle>;

    /// The date of a session, `YYYY-MM-DD`.
    fn date(&self, session: Session) -> String;

    /// How many bars the symbol has up to and including a session.
    fn bars(&self, symbol: SymbolHandle, session: Session) -> u32;

    /// The session of the symbol's last bar on or before a session, which tells
    /// how old its price is, or `InsufficientHistory`.
    fn last_bar(&self, symbol: SymbolHandle, session: Session) -> Result<Session>;

    /// The last close on or before a session, or `InsufficientHistory`.
    fn close(&self, symbol: SymbolHandle, session: Session) -> Result<f64>;

    /// The last `count` closes on or before a session, oldest first, or
    /// `InsufficientHistory`.
    fn closes(&self, symbol: SymbolHandle, session: Session, count: u32) -> Result<Vec<f64>>;

    /// The series of an indicator; without a window the default of the
    /// strategy language.
    fn indicator(&self, name: &str, symbol: SymbolHandle, window: Option<u32>) -> Result<Series>;

    /// The value of a series at a session.
    fn value(&self, series: Series, session: Session) -> Result<f64>;

    /// The values of several series at a session, in their order: one call
    /// instead of many. Not a number where there is none, or where history was
    /// not declared; [`value`](Self::value) says why.
    fn values(&self, series: &[Series], session: Session) -> Vec<f64>;

    /// Whether anybody will read the explanation. When not, the functions
    /// below do nothing, and composing their arguments is wasted work.
    fn explanation_wanted(&self) -> bool {
        false
    }

    /// Explains a condition: its operands, and whether it held.
    fn explain_condition(
        &self,
        _depth: u32,
        _at: Option<Place>,
        _text: &str,
        _left: f64,
        _right: f64,
        _holds: bool,
    ) {
    }

    /// Explains a selection: candidates by rank, of which the first `chosen`
    /// were taken.
    fn explain_selection(
        &self,
        _depth: u32,
        _at: Option<Place>,
        _text: &str,
        _ranking: &[Score],
        _chosen: u32,
    ) {
    }

    /// Explains how a portfolio is divided into parts.
    fn explain_division(&self, _depth: u32, _at: Option<Place>, _text: &str, _parts: &[Part]) {}

    /// Explains anything else.
    fn explain_note(&self, _depth: u32, _at: Option<Place>, _text: &str) {}
}

/// The running host's market, through the imports of the `strategy` world.
#[doc(hidden)]
pub struct HostMarket;

mod imports {
    pub(super) use crate::bindings::strategy::alchemiser::plugin::{explain, market};
}
use imports::{explain, market};

impl From<Place> for explain::Place {
    fn from(place: Place) -> Self {
        Self {
            line: place.line,
            column: place.column,
        }
    }
}

impl Market for HostMarket {
    fn find(&self, name: &str) -> Result<SymbolHandle> {
        market::find(name).map(SymbolHandle).map_err(Error::from)
    }

    fn date(&self, session: Session) -> String {
        market::date(session)
    }

    fn bars(&self, symbol: SymbolHandle, session: Session) -> u32 {
        market::bars(symbol.0, session)
    }

    fn last_bar(&self, symbol: SymbolHandle, session: Session) -> Result<Session> {
        market::last_bar(symbol.0, session).map_err(Error::from)
    }

    fn close(&self, symbol: SymbolHandle, session: Session) -> Result<f64> {
        market::close(symbol.0, session).map_err(Error::from)
    }

    fn closes(&self, symbol: SymbolHandle, session: Session, count: u32) -> Result<Vec<f64>> {
        market::closes(symbol.0, session, count).map_err(Error::from)
    }

    fn indicator(&self, name: &str, symbol: SymbolHandle, window: Option<u32>) -> Result<Series> {
        market::indicator(name, symbol.0, window)
            .map(Series)
            .map_err(Error::from)
    }

    fn value(&self, series: Series, session: Session) -> Result<f64> {
        market::value(series.0, session).map_err(Error::from)
    }

    fn values(&self, series: &[Series], session: Session) -> Vec<f64> {
        let series: Vec<u32> = series.iter().map(|series| series.0).collect();
        market::values(&series, session)
    }

    fn explanation_wanted(&self) -> bool {
        explain::wanted()
    }

    fn explain_condition(
        &self,
        depth: u32,
        at: Option<Place>,
        text: &str,
        left: f64,
        right: f64,
        holds: bool,
    ) {
        explain::condition(depth, at.map(Into::into), text, left, right, holds);
    }

    fn explain_selection(
        &self,
        depth: u32,
        at: Option<Place>,
        text: &str,
        ranking: &[Score],
        chosen: u32,
    ) {
        let ranking: Vec<explain::Score> = ranking
            .iter()
            .map(|score| explain::Score {
                name: score.name.clone(),
                value: score.value,
            })
            .collect();
        explain::selection(depth, at.map(Into::into), text, &ranking, chosen);
    }

    fn explain_division(&self, depth: u32, at: Option<Place>, text: &str, parts: &[Part]) {
        let parts: Vec<explain::Part> = parts
            .iter()
            .map(|part| explain::Part {
                name: part.name.clone(),
                share: part.share,
                measure: part.measure,
            })
            .collect();
        explain::division(depth, at.map(Into::into), text, &parts);
    }

    fn explain_note(&self, depth: u32, at: Option<Place>, text: &str) {
        explain::note(depth, at.map(Into::into), text);
    }
}
