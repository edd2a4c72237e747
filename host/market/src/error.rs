//! What can go wrong when a strategy reads prices.

use crate::calendar::Session;
use alchemiser_events::{SessionDate, Symbol};
use alchemiser_indicators::Indicator;

/// The data cannot answer. A strategy may handle it, or answer with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The data set does not have the symbol.
    #[error("there are no prices for `{symbol}`")]
    NoData {
        /// The symbol.
        symbol: Symbol,
    },
    /// Fewer bars than needed.
    #[error("`{symbol}` has {} and {need} are needed", bars(*.have))]
    InsufficientHistory {
        /// The symbol.
        symbol: Symbol,
        /// Bars needed.
        need: u32,
        /// Bars there.
        have: u32,
    },
    /// The result is not a finite number.
    #[error("{what} is not a finite number")]
    NonFinite {
        /// What was computed.
        what: String,
    },
    /// The symbol lacks a bar on too many sessions.
    #[error(
        "`{symbol}` has no bar on {missing} of the {sessions} sessions between its first and its last"
    )]
    BadData {
        /// The symbol.
        symbol: Symbol,
        /// Sessions without a bar.
        missing: u32,
        /// Sessions from the first bar to the last, both included.
        sessions: u32,
    },
    /// An unknown indicator, or a window that does not suit it.
    #[error("{message}")]
    Argument {
        /// The indicator as named by the caller.
        operator: String,
        /// What is wrong with it.
        message: String,
    },
}

impl DataError {
    /// The stable name that programs match on.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::NoData { .. } => "NoData",
            Self::InsufficientHistory { .. } => "InsufficientHistory",
            Self::NonFinite { .. } => "NonFinite",
            Self::BadData { .. } => "BadData",
            Self::Argument { .. } => "ArgumentError",
        }
    }
}

/// The strategy asked for what it may not see. That is a defect of the
/// strategy, and ends the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViolationError {
    /// No evaluation is going on.
    #[error("the market was asked outside of an evaluation")]
    NotEvaluating,
    /// A session after the one under evaluation.
    #[error("session {} was asked for while session {} ({date}) was evaluated", .asked.0, .as_of.0)]
    LookAhead {
        /// The session asked for.
        asked: Session,
        /// The session under evaluation…
        as_of: Session,
        /// …and its date.
        date: SessionDate,
    },
    /// A symbol that the requirements do not name.
    #[error("`{name}` is not among the declared requirements; declare it")]
    UndeclaredSymbol {
        /// The name asked for.
        name: String,
    },
    /// More of a symbol's history than the requirements name.
    #[error(
        "`{symbol}` is declared with its last {} and at least {needed} were needed; declare more sessions",
        bars(*.declared)
    )]
    UndeclaredHistory {
        /// The symbol.
        symbol: Symbol,
        /// Bars declared.
        declared: u32,
        /// Bars that would have to be declared at least, counted back from the
        /// session under evaluation.
        needed: u32,
    },
    /// A recursive indicator on a part of the history.
    #[error(
        "`{indicator}` runs from the first bar of `{symbol}`, of which only the last ones are declared; declare all history"
    )]
    RecursiveOnPart {
        /// The symbol.
        symbol: Symbol,
        /// The indicator.
        indicator: Indicator,
    },
    /// A symbol or series that was never handed out.
    #[error("{handle} is not a {kind} that was handed out")]
    UnknownHandle {
        /// `symbol` or `series`.
        kind: &'static str,
        /// The number given.
        handle: u32,
    },
    /// More indicator series than one strategy may hold.
    #[error("the indicator series of one strategy may hold {limit} values together")]
    TooManySeries {
        /// Values allowed.
        limit: usize,
    },
}

/// Why a [`View`](crate::View) did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The data cannot answer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The strategy may not ask.
    #[error(transparent)]
    Violation(#[from] ViolationError),
}

/// A view was asked to move to where it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvanceError {
    /// Back in time; that takes a new view.
    #[error("session {} lies before session {}, which was evaluated already", .to.0, .from.0)]
    Backwards {
        /// Where the view is.
        from: Session,
        /// Where it should go.
        to: Session,
    },
    /// Past the end of the data.
    #[error("the data set has no session {}", .to.0)]
    PastTheEnd {
        /// Where it should go.
        to: Session,
    },
}

fn bars(count: u32) -> String {
    match count {
        1 => "1 bar".to_owned(),
        count => format!("{count} bars"),
    }
}
