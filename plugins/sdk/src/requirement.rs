//! What a strategy may look at.

use alchemiser_indicators::{Indicator, Specification};

/// A symbol whose prices the strategy may look at, and how far back.
///
/// Of several for one symbol the longest history counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Ticker, as written in the data set.
    pub symbol: String,
    /// How many of the symbol's own bars, counted back from the session under
    /// evaluation; `None` is all history.
    pub sessions: Option<u32>,
}

impl Requirement {
    /// All history of a symbol.
    pub fn all(symbol: impl Into<String>) -> Self {
        Self {
            symbol: symbol.into(),
            sessions: None,
        }
    }

    /// The symbol's last `sessions` bars.
    pub fn last(symbol: impl Into<String>, sessions: u32) -> Self {
        Self {
            symbol: symbol.into(),
            sessions: Some(sessions),
        }
    }

    /// What an indicator looks at, with a window or with its default window:
    /// a return over n sessions lies between n + 1 closes, and a recursive
    /// indicator such as `rsi` runs from the first close that there is.
    ///
    /// For a name or a window that makes no sense it is all history, since the
    /// evaluation will say what is wrong.
    ///
    /// ```
    /// use alchemiser_sdk::Requirement;
    ///
    /// assert_eq!(
    ///     Requirement::of_indicator("moving-average-price", "SPY", Some(20)),
    ///     Requirement::last("SPY", 20)
    /// );
    /// assert_eq!(
    ///     Requirement::of_indicator("cumulative-return", "SPY", None),
    ///     Requirement::last("SPY", 61)
    /// );
    /// assert_eq!(
    ///     Requirement::of_indicator("rsi", "SPY", Some(14)),
    ///     Requirement::all("SPY")
    /// );
    /// ```
    pub fn of_indicator(name: &str, symbol: impl Into<String>, window: Option<u32>) -> Self {
        let specification = name
            .parse::<Indicator>()
            .ok()
            .and_then(|indicator| Specification::new(indicator, window).ok());
        Self {
            symbol: symbol.into(),
            sessions: specification
                .filter(|specification| !specification.indicator().is_recursive())
                .map(Specification::need),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indicator_knows_its_bars() {
        for indicator in Indicator::ALL {
            let sessions = Requirement::of_indicator(indicator.name(), "SPY", None).sessions;
            let default = indicator.default_window().unwrap_or(1);
            let expected = (!indicator.is_recursive()).then(|| indicator.need(default));
            assert_eq!(sessions, expected, "{indicator}");
        }
        for (name, window) in [("macd", None), ("stdev-price", Some(1))] {
            let requirement = Requirement::of_indicator(name, "SPY", window);
            assert_eq!(requirement, Requirement::all("SPY"));
        }
    }
}
