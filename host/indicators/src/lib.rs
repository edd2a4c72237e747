//! Technical indicators as pure functions over a series of closes.
//!
//! An [`Indicator`] with its window is a [`Specification`]; it answers the value
//! at the last of the points given ([`Specification::evaluate`]) or at every
//! one of them ([`Specification::series`]). Both run the same code, and a value
//! depends on nothing after its point: the series of a prefix is a prefix of
//! the series, bit for bit. That is what allows a series to be computed once
//! and shared by every evaluation.
//!
//! A series that grows is continued by a [`Recursion`] where a value depends on
//! all points before it.
//!
//! A portfolio has no closes, only returns. The same indicators on such a
//! synthetic series are [`Specification::evaluate_returns`] and
//! [`Specification::series_of_returns`].
//!
//! There is no neutral value: too short a history and a result that is not
//! finite are errors. Sums run from the oldest point to the newest and every
//! window is summed afresh, so nothing drifts and results are reproducible.
//!
//! The crate does no I/O and compiles for plugins as well.
//!
//! ```
//! use alchemiser_indicators::{Indicator, Specification};
//!
//! let closes = [100.0, 101.0, 99.0, 102.0, 105.0, 103.0, 104.0, 106.0];
//! let rsi = Specification::new(Indicator::RelativeStrengthIndex, Some(3))?;
//! assert!((rsi.evaluate(&closes)? - 77.1930).abs() < 1e-4);
//!
//! let series = rsi.series(&closes);
//! assert!((series.at(4)? - 66.6667).abs() < 1e-4);
//! assert!(series.at(3).is_err(), "four closes are needed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod indicator;
mod recursive;
mod series;
mod specification;
mod windowed;

pub use indicator::{Indicator, Unit, UnknownIndicator};
pub use recursive::Recursion;
pub use series::{EvaluationError, Series};
pub use specification::{Specification, WindowError};
