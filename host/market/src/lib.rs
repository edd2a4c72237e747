//! Price history as of a session.
//!
//! A [`Market`] is a snapshot of closes by session and symbol. It comes from a
//! [`PriceSource`], such as a [`CsvSource`], and never changes. A strategy sees
//! it through a [`View`], which holds it to what it declared and to the session
//! under evaluation. What it saw can be kept as a [`Slice`] and asked again
//! later.
//!
//! *Invariants:* what a view answers does not depend on any bar after the
//! session under evaluation. Prices are exact decimals, and become doubles in
//! one place, for statistics only.

mod calendar;
mod csv_source;
mod error;
mod exchange;
mod history;
mod instruments;
mod market;
mod shared;
mod slice;
mod source;
mod table;
mod view;

pub use calendar::{Calendar, NotASession, Session, closing_time};
pub use csv_source::CsvSource;
pub use error::{AdvanceError, DataError, ReadError, ViolationError};
pub use exchange::{
    BeyondCalendar, Closure, FIRST_YEAR, Hours, LAST_YEAR, TradingDay, exchange_date,
    exchange_time, trading_day,
};
pub use history::{Bar, History};
pub use instruments::Instrument;
pub use market::{Market, MarketError};
pub use shared::SharedMarket;
pub use slice::{Slice, SliceError};
pub use source::{PriceSource, Problem, SourceError};
pub use view::{Requirement, SeriesHandle, SymbolHandle, View};
