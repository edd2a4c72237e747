//! Holds a symbol while it closes above its average, and a refuge otherwise.
//!
//! Change it into your own idea: what the book may set, what prices are needed,
//! and what follows from them. All that there is to ask with is in the pages of
//! `cargo doc --package alchemiser-sdk --open`.

use alchemiser_sdk::{
    Files, Requirement, Result, Strategy, Today, Weights, check, export_strategy,
};

/// What the book may set. A misspelt key is an error, not a default.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trend {
    /// Held while it closes above its average.
    symbol: String,
    /// Sessions of the average.
    window: u32,
    /// Held otherwise.
    refuge: String,
}

impl Strategy for Trend {
    type Parameters = Self;

    // Called when the book is read: refuse here what makes no sense.
    fn load(parameters: Self, _: &Files) -> Result<Self> {
        check::range("window", parameters.window, 2..=1000)?;
        Ok(parameters)
    }

    // All symbols that may be looked at or held, and how many of their closes.
    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement::last(&self.symbol, self.window),
            Requirement::last(&self.refuge, 1),
        ]
    }

    // Called for each session. `?` hands on what cannot be answered, such as too
    // short a history; nothing is traded then.
    fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
        let close = today.close(&self.symbol)?;
        let average = today.moving_average_price(&self.symbol, self.window)?;
        let rises = today.is_above("it closes above its average", close, average);
        Weights::all_in(if rises { &self.symbol } else { &self.refuge })
    }
}

export_strategy!(Trend);

#[cfg(test)]
mod tests;
