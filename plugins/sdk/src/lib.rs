//! What a plugin author depends on.
//!
//! A strategy implements [`Strategy`] and names itself with
//! [`export_strategy!`]; a portfolio plugin implements [`Portfolio`] and uses
//! [`export_portfolio!`]. Both are plain Rust and can be tested natively, with
//! any implementation of [`Market`]; see [`testing`].
//!
//! The border that the macros cross is described in `plugins/wit`.

mod error;
mod market;
mod panic;
mod portfolio;
mod strategy;
pub mod testing;

pub use error::{Error, Place, Result};
pub use market::{Market, Part, Score, Series, Session, SymbolHandle};
pub use portfolio::Portfolio;
pub use strategy::{Files, Requirement, Strategy, Weight, parse_parameters};

/// The records of the portfolio world, as generated from `plugins/wit`.
pub mod planner {
    pub use crate::bindings::portfolio::exports::alchemiser::plugin::planner::{
        Action, Instrument, Item, Position, RebalancePlan, Request, Settings, Target,
    };
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
