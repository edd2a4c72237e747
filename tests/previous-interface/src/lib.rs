//! A plugin as it was built before the interface grew: `wit` is a copy of the
//! interface at version 1.0.0, and is not to be changed.

#![allow(unsafe_code, reason = "what `export!` makes is unsafe code")]

#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "strategy" });
}

use bindings::alchemiser::plugin::{log, market};
use bindings::exports::alchemiser::plugin::evaluator::{
    Error, Guest, GuestStrategy, Requirement, Strategy, Weight,
};

struct Plugin;

impl Guest for Plugin {
    type Strategy = Follow;

    /// The parameters are the symbol, as JSON.
    fn load(parameters: String, _: Vec<(String, Vec<u8>)>) -> Result<Strategy, Error> {
        let symbol = parameters.trim_matches('"').to_owned();
        Ok(Strategy::new(Follow { symbol }))
    }
}

/// Holds one symbol while it is not below its close of the session before.
struct Follow {
    symbol: String,
}

impl GuestStrategy for Follow {
    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement {
            symbol: self.symbol.clone(),
            sessions: Some(2),
        }]
    }

    fn evaluate(&self, as_of: u32) -> Result<Vec<Weight>, Error> {
        let symbol = market::find(&self.symbol)?;
        let closes = market::closes(symbol, as_of, 2)?;
        log::write(log::Level::Info, &market::date(as_of));
        if closes[1] < closes[0] {
            return Ok(Vec::new());
        }
        Ok(vec![Weight {
            symbol: self.symbol.clone(),
            weight: 1.0,
        }])
    }
}

bindings::export!(Plugin with_types_in bindings);
