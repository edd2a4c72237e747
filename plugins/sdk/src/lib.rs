//! What a plugin author depends on.
//!
//! A strategy implements [`Strategy`] and names itself with
//! [`export_strategy!`]; a portfolio plugin implements [`Portfolio`] and uses
//! [`export_portfolio!`]. Both are plain Rust and can be tested natively; see
//! [`testing`].
//!
//! ```
//! use alchemiser_sdk::{
//!     Files, Requirement, Result, Strategy, Today, Weights, check, export_strategy,
//! };
//!
//! /// All in a symbol while it closes above its average.
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Trend {
//!     symbol: String,
//!     window: u32,
//! }
//!
//! impl Strategy for Trend {
//!     type Parameters = Self; // `parameters = { symbol = "SPY", window = 200 }` in the book
//!
//!     fn load(parameters: Self, _: &Files) -> Result<Self> {
//!         check::range("window", parameters.window, 2..=1000)?;
//!         Ok(parameters)
//!     }
//!
//!     fn requirements(&self) -> Vec<Requirement> {
//!         vec![Requirement::last(&self.symbol, self.window)]
//!     }
//!
//!     fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
//!         let close = today.close(&self.symbol)?;
//!         let average = today.moving_average_price(&self.symbol, self.window)?;
//!         if today.is_above("it closes above its average", close, average) {
//!             Weights::all_in(&self.symbol)
//!         } else {
//!             Ok(Weights::nothing())
//!         }
//!     }
//! }
//!
//! export_strategy!(Trend);
//!
//! use alchemiser_sdk::testing::{self, TestMarket};
//!
//! let mut trend: Trend = testing::load("symbol = 'SPY'\nwindow = 3")?;
//! let market = TestMarket::new().symbol("SPY", [100.0, 101.0, 102.0, 90.0]);
//! assert_eq!(market.evaluate(&mut trend, 2)?, [("SPY", 1.0)]);
//! assert_eq!(market.evaluate(&mut trend, 3)?, []);
//! # Ok::<(), alchemiser_sdk::Error>(())
//! ```
//!
//! Lines for the worker's log are written with [`log`]: `log::info!("…")`, after
//! `use alchemiser_sdk::log`.
//!
//! The border that the macros cross is described in `plugins/wit`.

mod error;
mod files;
mod logging;
mod market;
mod parameters;
mod portfolio;
mod requirement;
mod strategy;
mod symbol;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod today;
mod weights;

pub use error::{Error, Place, Result};
pub use files::Files;
/// `log::debug!`, `log::info!`, `log::warn!` and `log::error!` write to the
/// worker's log. A call may write as many lines as its limit allows, whatever
/// their level.
pub use log;
pub use market::{Market, Part, Score, Series, Session, SymbolHandle};
pub use parameters::{NoParameters, check, parse_parameters};
pub use portfolio::Portfolio;
pub use requirement::Requirement;
pub use strategy::Strategy;
pub use symbol::spelling;
pub use today::{Today, rank};
pub use weights::{Weight, Weights};

/// The records of the portfolio world, as generated from `plugins/wit`, and the
/// reading of their decimals.
pub mod planner {
    pub use crate::bindings::portfolio::exports::alchemiser::plugin::planner::{
        Action, Instrument, Item, Position, RebalancePlan, Request, Settings, Target,
    };
    pub use crate::portfolio::parse_decimal;
}

/// Generated from `plugins/wit`; used by the export macros, not by authors.
#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    clippy::needless_pass_by_value,
    clippy::uninlined_format_args,
    clippy::semicolon_if_nothing_returned
)]
pub mod bindings {
    pub mod strategy {
        wit_bindgen::generate!({
            path: "../wit",
            world: "strategy",
            pub_export_macro: true,
            export_macro_name: "export_strategy_world",
            default_bindings_module: "alchemiser_sdk::bindings::strategy",
        });
    }
    pub mod portfolio {
        wit_bindgen::generate!({
            path: "../wit",
            world: "portfolio",
            pub_export_macro: true,
            export_macro_name: "export_portfolio_world",
            default_bindings_module: "alchemiser_sdk::bindings::portfolio",
        });
    }
}

#[doc(hidden)]
pub mod guest {
    pub use crate::market::HostMarket;
    pub use crate::portfolio::guest::PortfolioGuest;
    pub use crate::strategy::guest::{StrategyGuest, StrategyResource};
}

/// Makes a type that implements [`Strategy`] the plugin of this crate.
///
/// Expands to nothing except on `wasm32`, so that the crate's tests link
/// natively.
#[macro_export]
macro_rules! export_strategy {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Guest = $crate::guest::StrategyGuest<$strategy>;
            $crate::bindings::strategy::export_strategy_world!(Guest with_types_in $crate::bindings::strategy);
        };
    };
}

/// Makes a type that implements [`Portfolio`] the plugin of this crate.
///
/// Expands to nothing except on `wasm32`, so that the crate's tests link
/// natively.
#[macro_export]
macro_rules! export_portfolio {
    ($portfolio:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Guest = $crate::guest::PortfolioGuest<$portfolio>;
            $crate::bindings::portfolio::export_portfolio_world!(Guest with_types_in $crate::bindings::portfolio);
        };
    };
}

/// The code in the guide to plugins compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins.md")]
struct Guide;
