//! Holds the symbols of a list that rose most: a strategy to copy.
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
    Error, Files, Market, Requirement, Result, Score, Session, Strategy, Weight, export_strategy,
};
use serde::Deserialize;

/// What the book may set. A misspelt key is an error, not a default.
#[derive(Deserialize)]
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

    fn load(parameters: Self, files: &Files) -> Result<Self> {
        let refuse = |key, message| Err(Error::parameter(key, message));
        if !files.0.is_empty() {
            return refuse("file", "this strategy reads no file".into());
        }
        let Momentum { symbols, .. } = &parameters;
        if symbols.is_empty() {
            return refuse(
                "symbols",
                "`symbols` is empty; name what may be held".into(),
            );
        }
        for (index, symbol) in symbols.iter().enumerate() {
            let is_same = |other: &String| other.eq_ignore_ascii_case(symbol);
            if symbols[..index].iter().any(is_same) {
                return refuse("symbols", format!("`symbols` names `{symbol}` twice"));
            }
        }
        let lookback = parameters.lookback;
        if !(1..=10_000).contains(&lookback) {
            let message = format!("`lookback` is {lookback}, and must be from 1 to 10000");
            return refuse("lookback", message);
        }
        let (top, count) = (parameters.top, symbols.len());
        if !(1..=count).contains(&top) {
            let message = format!("`top` is {top}, and must be from 1 to {count}, all symbols");
            return refuse("top", message);
        }
        Ok(parameters)
    }

    // The host fetches these prices before the first evaluation. A return over
    // n sessions needs n + 1 closes.
    fn requirements(&self) -> Vec<Requirement> {
        let bars = self.lookback + 1;
        self.symbols
            .iter()
            .map(|symbol| Requirement::last(symbol, bars))
            .collect()
    }

    // Whatever the market cannot answer, such as too short a history, is an
    // error of the whole evaluation: `?` hands it on, and nothing is traded.
    fn evaluate(&mut self, market: &dyn Market, as_of: Session) -> Result<Vec<Weight>> {
        let mut ranking = Vec::new();
        for symbol in &self.symbols {
            let handle = market.find(symbol)?;
            let series = market.indicator("cumulative-return", handle, Some(self.lookback))?;
            let name = symbol.clone();
            let value = market.value(series, as_of)?; // in percent
            ranking.push(Score { name, value });
        }
        // Largest first. The sort is stable: of equals, the one listed first.
        ranking.sort_by(|left, right| right.value.total_cmp(&left.value));

        let rising = ranking.iter().take_while(|score| score.value > 0.0);
        let chosen: Vec<&Score> = rising.take(self.top).collect();

        if market.explanation_wanted() {
            let Self { top, lookback, .. } = self;
            let text = format!("top {top} of those that rose over {lookback} sessions");
            market.explain_selection(0, None, &text, &ranking, chosen.len() as u32);
        }

        // Each place is an equal share; a place that nothing fills stays cash.
        let share = 1.0 / self.top as f64;
        let weights = chosen.iter().map(|score| Weight::new(&score.name, share));
        Ok(weights.collect())
    }
}

export_strategy!(Momentum);

#[cfg(test)]
mod tests;
