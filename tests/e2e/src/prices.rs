//! The bundled prices, read without the program's help.

use crate::program::workspace;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Closes by date and symbol.
#[derive(Debug)]
pub struct Prices {
    closes: BTreeMap<String, BTreeMap<String, Decimal>>,
}

impl Prices {
    /// The bundled ones.
    #[must_use]
    pub fn bundled() -> Self {
        let path = workspace().join("data/closes.csv");
        let text = std::fs::read_to_string(path).expect("prices are bundled");
        let mut lines = text.lines().map(|line| line.split(','));
        let symbols: Vec<&str> = lines.next().expect("a heading").skip(1).collect();
        let closes = lines
            .map(|mut cells| {
                let date = cells.next().expect("a date").to_owned();
                let closes = cells.map(|cell| cell.parse().expect("a price"));
                let symbols = symbols.iter().map(ToString::to_string);
                (date, symbols.zip(closes).collect())
            })
            .collect();
        Self { closes }
    }

    /// This many sessions up to a date, the date included.
    #[must_use]
    pub fn sessions(&self, count: usize, last: &str) -> Vec<String> {
        let until = self.closes.range(..=last.to_owned()).rev();
        let mut dates: Vec<String> = until.take(count).map(|(date, _)| date.clone()).collect();
        dates.reverse();
        assert_eq!(dates.len(), count);
        assert_eq!(dates.last().map(String::as_str), Some(last));
        dates
    }

    /// The close of a symbol on a date.
    #[must_use]
    pub fn close(&self, symbol: &str, date: &str) -> Decimal {
        self.closes[date][symbol]
    }
}
