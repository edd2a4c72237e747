//! A snapshot of prices.

use crate::calendar::{Calendar, Session};
use crate::error::DataError;
use crate::history::{Bar, History, Omitted};
use crate::instruments::Instrument;
use alchemiser_events::{Price, SessionDate, Symbol};
use std::collections::BTreeMap;

/// The bars of some symbols, and what is known of these as instruments. It
/// never changes, and may be shared by any number of strategies and threads.
#[derive(Debug)]
pub struct Market {
    calendar: Calendar,
    /// Ascending by symbol.
    histories: Vec<History>,
    /// Those that are not as usual.
    instruments: BTreeMap<Symbol, Instrument>,
}

/// The parts of a market do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Bars that do not ascend strictly by date.
    #[error("`{symbol}`: the bar of {date} does not come after that of {before}")]
    Unsorted {
        /// The symbol.
        symbol: Symbol,
        /// The date out of order.
        date: SessionDate,
        /// The date of the bar before.
        before: SessionDate,
    },
    /// An instrument without prices.
    #[error("there are no prices for the instrument `{symbol}`")]
    InstrumentWithoutPrices {
        /// The symbol.
        symbol: Symbol,
    },
}

impl Market {
    /// A market of the bars of each symbol. Sessions are all dates on which any
    /// symbol has a bar; instruments not named are as usual.
    ///
    /// # Errors
    /// The bars of a symbol do not ascend by date, or an instrument has no
    /// prices.
    pub fn new(
        bars: &BTreeMap<Symbol, Vec<Bar>>,
        instruments: BTreeMap<Symbol, Instrument>,
    ) -> Result<Self, MarketError> {
        let dates = bars.values().flatten().map(|bar| bar.date).collect();
        Self::with_calendar(Calendar::new(dates), bars, &BTreeMap::new(), instruments)
    }

    /// `calendar` holds the date of every bar.
    pub(crate) fn with_calendar(
        calendar: Calendar,
        bars: &BTreeMap<Symbol, Vec<Bar>>,
        omitted: &BTreeMap<Symbol, Omitted>,
        instruments: BTreeMap<Symbol, Instrument>,
    ) -> Result<Self, MarketError> {
        for (symbol, bars) in bars {
            for pair in bars.windows(2) {
                if pair[0].date >= pair[1].date {
                    return Err(MarketError::Unsorted {
                        symbol: symbol.clone(),
                        date: pair[1].date,
                        before: pair[0].date,
                    });
                }
            }
        }
        if let Some(symbol) = instruments.keys().find(|symbol| !bars.contains_key(symbol)) {
            return Err(MarketError::InstrumentWithoutPrices {
                symbol: symbol.clone(),
            });
        }
        let histories = bars
            .iter()
            .map(|(symbol, bars)| {
                let omitted = omitted.get(symbol).copied();
                History::new(symbol.clone(), bars, &calendar, omitted)
            })
            .collect();
        Ok(Self {
            calendar,
            histories,
            instruments,
        })
    }

    /// The sessions.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Every symbol that has prices, ascending.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = &Symbol> {
        self.histories.iter().map(History::symbol)
    }

    /// The bars of a symbol; `None` if there are no prices for it.
    #[must_use]
    pub fn history(&self, symbol: &Symbol) -> Option<&History> {
        self.position(symbol).map(|place| &self.histories[place])
    }

    /// What is known of a symbol as an instrument; `None` if there are no
    /// prices for it.
    #[must_use]
    pub fn instrument(&self, symbol: &Symbol) -> Option<Instrument> {
        self.position(symbol)?;
        Some(self.instruments.get(symbol).copied().unwrap_or_default())
    }

    /// A symbol's last close on or before a session, exactly as quoted.
    ///
    /// # Errors
    /// [`DataError::NoData`], or [`DataError::InsufficientHistory`] when the
    /// symbol has no bar yet.
    pub fn price(&self, symbol: &Symbol, session: Session) -> Result<Price, DataError> {
        let history = self.history(symbol).ok_or_else(|| DataError::NoData {
            symbol: symbol.clone(),
        })?;
        history
            .price(session)
            .ok_or_else(|| DataError::InsufficientHistory {
                symbol: symbol.clone(),
                need: 1,
                have: 0,
            })
    }

    /// The place of a symbol's history in [`at`](Self::at).
    pub(crate) fn position(&self, symbol: &Symbol) -> Option<usize> {
        self.histories
            .binary_search_by(|history| history.symbol().cmp(symbol))
            .ok()
    }

    /// The history at a place from [`position`](Self::position).
    #[inline]
    pub(crate) fn at(&self, position: usize) -> &History {
        &self.histories[position]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alchemiser_events::Decimal;

    fn bars(dates: &[&str]) -> BTreeMap<Symbol, Vec<Bar>> {
        let bar = |date: &&str| Bar {
            date: date.parse().unwrap(),
            close: Price::new(Decimal::ONE).unwrap(),
        };
        let symbol = Symbol::parse("SPY").unwrap();
        BTreeMap::from([(symbol, dates.iter().map(bar).collect())])
    }

    #[test]
    fn bars_have_to_ascend() {
        for dates in [["2022-12-28", "2022-12-27"], ["2022-12-27", "2022-12-27"]] {
            let error = Market::new(&bars(&dates), BTreeMap::new()).unwrap_err();
            let expected = format!(
                "`SPY`: the bar of {} does not come after that of {}",
                dates[1], dates[0]
            );
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn instruments_have_to_have_prices() {
        let symbol = Symbol::parse("QQQ").unwrap();
        let instruments = BTreeMap::from([(symbol.clone(), Instrument::default())]);
        let error = Market::new(&bars(&["2022-12-28"]), instruments).unwrap_err();
        assert_eq!(error, MarketError::InstrumentWithoutPrices { symbol });
    }

    #[test]
    fn prices_on_or_before_a_session() {
        let market = Market::new(&bars(&["2022-12-28"]), BTreeMap::new()).unwrap();
        let symbol = Symbol::parse("SPY").unwrap();
        assert!(market.price(&symbol, Session(0)).is_ok());
        let unknown = Symbol::parse("QQQ").unwrap();
        assert_eq!(
            market.price(&unknown, Session(0)),
            Err(DataError::NoData { symbol: unknown })
        );
    }
}
