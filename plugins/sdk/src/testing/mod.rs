//! Native tests of a plugin, without the sandbox: `cargo test` in its crate.
//!
//! A [`TestMarket`] has prices from closes in the test, from a table, from a
//! file or from a seeded random walk; [`load`] makes a strategy from parameters
//! as the book has them; [`TestMarket::evaluate`] asks it as the host does.
//!
//! ```
//! use alchemiser_sdk::testing::{self, TestMarket};
//! use alchemiser_sdk::{Files, NoParameters, Requirement, Result, Strategy, Today, Weights};
//!
//! /// All in `SPY` while it closes above its three-day average.
//! struct Trend;
//!
//! impl Strategy for Trend {
//!     type Parameters = NoParameters;
//!
//!     fn load(_: NoParameters, _: &Files) -> Result<Self> {
//!         Ok(Self)
//!     }
//!
//!     fn requirements(&self) -> Vec<Requirement> {
//!         vec![Requirement::last("SPY", 3)]
//!     }
//!
//!     fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
//!         let (close, average) = (today.close("SPY")?, today.moving_average_price("SPY", 3)?);
//!         if today.is_above("SPY above its average", close, average) {
//!             Weights::all_in("SPY")
//!         } else {
//!             Ok(Weights::nothing())
//!         }
//!     }
//! }
//!
//! let market = TestMarket::new().symbol("SPY", [100.0, 101.0, 102.0, 90.0]);
//!
//! let early = market.evaluate(&mut Trend, 1).unwrap_err();
//! assert_eq!((early.need, early.have), (Some(3), Some(2)));
//! assert_eq!(market.evaluate(&mut Trend, 2)?, [("SPY", 1.0)]);
//! assert_eq!(market.evaluate(&mut Trend, 3)?, []);
//!
//! // The same in two steps, to look at the explanation.
//! let view = market.as_of(3);
//! Trend.evaluate(&view.today())?;
//! assert_eq!(view.explanations()[0].text(), "SPY above its average");
//!
//! // What every strategy has to keep to, on three years of made-up prices.
//! let market = TestMarket::random_walk(7, 750, &["SPY"]);
//! testing::never_looks_ahead(&market, |_| testing::load::<Trend>(""));
//! testing::depends_on_the_session_alone(&market, |_| testing::load::<Trend>(""));
//! # Ok::<(), alchemiser_sdk::Error>(())
//! ```

mod account;
mod explanation;
mod lines;
mod market;
mod properties;
mod view;

pub use account::{TestAccount, plan};
pub use alchemiser_random_walk::random_walk;
pub use explanation::Explanation;
pub use lines::{LogLine, logged};
pub use market::TestMarket;
pub use properties::{depends_on_the_session_alone, never_looks_ahead};
pub use view::AsOf;

use crate::error::{Error, Result};
use crate::files::Files;
use crate::strategy::Strategy;

/// Loads a strategy with parameters as `book.toml` has them, and no files.
///
/// ```
/// # use alchemiser_sdk::{Files, Requirement, Result, Strategy, Today, Weights};
/// # #[derive(serde::Deserialize)]
/// # #[serde(deny_unknown_fields)]
/// # struct Mine { symbols: Vec<String>, top: usize }
/// # impl Strategy for Mine {
/// #     type Parameters = Self;
/// #     fn load(parameters: Self, _: &Files) -> Result<Self> { Ok(parameters) }
/// #     fn requirements(&self) -> Vec<Requirement> { vec![] }
/// #     fn evaluate(&mut self, _: &Today<'_>) -> Result<Weights> { Weights::equal_parts(self.top, &self.symbols) }
/// # }
/// use alchemiser_sdk::testing;
///
/// let mine: Mine = testing::load("symbols = ['SPY', 'TLT']\ntop = 1")?;
/// # let _ = mine;
/// # Ok::<(), alchemiser_sdk::Error>(())
/// ```
///
/// # Errors
/// What is wrong with the parameters, as the host would say it.
///
/// # Panics
/// The text is no TOML.
pub fn load<S: Strategy>(parameters: &str) -> Result<S> {
    load_with_files(parameters, &Files::default())
}

/// The same with files.
///
/// # Errors
/// See [`load`].
///
/// # Panics
/// See [`load`].
pub fn load_with_files<S: Strategy>(parameters: &str, files: &Files) -> Result<S> {
    crate::strategy::load(&json(parameters), files)
}

/// Parameters as they cross the border.
fn json(parameters: &str) -> String {
    let table: toml::Table = toml::from_str(parameters)
        .unwrap_or_else(|error| panic!("these parameters are no TOML: {error}"));
    serde_json::to_string(&table).unwrap_or_else(|error| panic!("{error}"))
}

/// Symbols as the market spells them; what is no symbol is never found.
fn canonical(name: &str) -> String {
    crate::symbol::spelling(name).unwrap_or_else(|| name.to_owned())
}

#[expect(clippy::expect_used, reason = "tests do not have that many prices")]
fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a number of closes")
}

/// An answer, for messages.
fn shown(answer: &Result<crate::Weights>) -> String {
    match answer {
        Ok(weights) => weights.to_string(),
        Err(error) => Error::to_string(error),
    }
}
