//! Holds the symbols of a list that rose most: the example to read.
//!
//! In `book.toml`:
//!
//! ```toml
//! [[strategy]]
//! name = "strongest-two"
//! plugin = "momentum"
//! weight = 0.25
//! parameters = { symbols = ["AAPL", "MSFT", "XOM", "JNJ"], lookback = 126, top = 2 }
//! ```

use alchemiser_sdk::{
    Files, Requirement, Result, Strategy, Today, Weights, check, export_strategy, rank,
};

/// What the book may set. A misspelt key is an error, not a default.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Momentum {
    /// What may be held.
    symbols: Vec<String>,
    /// Sessions over which the return is measured; half a year if not given.
    #[serde(default = "half_a_year")]
    lookback: u32,
    /// How many symbols are held at most; 3 if not given.
    #[serde(default = "three")]
    top: usize,
}

fn half_a_year() -> u32 {
    126
}

fn three() -> usize {
    3
}

impl Strategy for Momentum {
    // This strategy is nothing but its parameters. One that prepares something
    // in `load` has a type of its own for them.
    type Parameters = Self;

    // Refuse here what makes no sense, with the key and what would: the book is
    // checked by it, long before anything is traded.
    fn load(parameters: Self, _: &Files) -> Result<Self> {
        check::symbols("symbols", &parameters.symbols)?;
        check::range("lookback", parameters.lookback, 1..=10_000)?;
        check::range("top", parameters.top, 1..=parameters.symbols.len())?;
        Ok(parameters)
    }

    // The host fetches these prices before the first evaluation. Asking for any
    // other ends the evaluation.
    fn requirements(&self) -> Vec<Requirement> {
        let need =
            |symbol| Requirement::of_indicator("cumulative-return", symbol, Some(self.lookback));
        self.symbols.iter().map(need).collect()
    }

    // Whatever the market cannot answer, such as too short a history, is an
    // error of the whole evaluation: `?` hands it on, and nothing is traded.
    fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
        let Self { lookback, top, .. } = *self;

        // In percent, largest first; of equals, the one listed first.
        let ranking = rank(&self.symbols, |symbol| {
            today.cumulative_return(symbol, lookback)
        })?;
        let rising = ranking.iter().take_while(|score| score.value > 0.0);
        let chosen: Vec<&str> = rising.take(top).map(|score| score.name.as_str()).collect();

        let text = format_args!("top {top} of those that rose over {lookback} sessions");
        today.explain_selection(text, &ranking, chosen.len());

        // Each place is an equal share; a place that nothing fills stays cash.
        Weights::equal_parts(top, chosen)
    }
}

export_strategy!(Momentum);

#[cfg(test)]
mod tests;
