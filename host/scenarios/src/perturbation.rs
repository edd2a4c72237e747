//! Markets that are alike up to a session, and differ after it.

use crate::prices::{price, weekdays};
use alchemiser_events::{SessionDate, Symbol};
use alchemiser_market::{Bar, Instrument, Market, Session};
use alchemiser_random_walk::Noise;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What becomes of the prices after a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Future {
    /// There are none.
    CutOff,
    /// Each close is another: from half to one and a half of what it was.
    Noise,
    /// What rose falls as much, and the other way round.
    Mirrored,
}

impl Future {
    pub(crate) const ALL: [Self; 3] = [Self::CutOff, Self::Noise, Self::Mirrored];
}

impl fmt::Display for Future {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CutOff => "without these",
            Self::Noise => "with others at random",
            Self::Mirrored => "with their opposite",
        })
    }
}

/// The bars of a market, to make others of.
pub(crate) struct Bars {
    bars: BTreeMap<Symbol, Vec<Bar>>,
    instruments: BTreeMap<Symbol, Instrument>,
}

impl Bars {
    /// Sessions that follow the last one where the future is not cut off, so
    /// that the last one has a future as well.
    const FURTHER: usize = 5;

    pub(crate) fn of(market: &Market) -> Self {
        let dates = market.calendar().dates();
        let mut bars = BTreeMap::new();
        let mut instruments = BTreeMap::new();
        for symbol in market.symbols() {
            let history = market.history(symbol);
            let of_symbol = dates.iter().zip(0..).filter_map(|(&date, session)| {
                let close = history?.price_on(Session(session))?;
                Some(Bar { date, close })
            });
            bars.insert(symbol.clone(), of_symbol.collect());
            if let Some(instrument) = market.instrument(symbol) {
                instruments.insert(symbol.clone(), instrument);
            }
        }
        Self { bars, instruments }
    }

    /// The market up to a date, with another future.
    pub(crate) fn with_future(&self, after: SessionDate, future: Future) -> Option<Arc<Market>> {
        let further: Vec<SessionDate> = match (future, self.last()) {
            (Future::CutOff, _) | (_, None) => Vec::new(),
            (_, Some(last)) => weekdays(last.date())
                .filter(|date| *date > last)
                .take(Self::FURTHER)
                .collect(),
        };
        let bars = self
            .bars
            .iter()
            .map(|(symbol, bars)| (symbol.clone(), other(symbol, bars, after, future, &further)))
            .collect();
        Market::new(&bars, self.instruments.clone())
            .map(Arc::new)
            .ok()
    }

    fn last(&self) -> Option<SessionDate> {
        let last = self.bars.values().filter_map(|bars| bars.last());
        last.map(|bar| bar.date).max()
    }
}

fn other(
    symbol: &Symbol,
    bars: &[Bar],
    after: SessionDate,
    future: Future,
    further: &[SessionDate],
) -> Vec<Bar> {
    let past = bars.partition_point(|bar| bar.date <= after);
    let mut other = bars[..past].to_vec();
    if future == Future::CutOff {
        return other;
    }
    let close = |bar: &Bar| bar.close.to_string().parse().unwrap_or(1.0);
    let pivot: f64 = bars[..past].last().or(bars.first()).map_or(1.0, close);
    let last: f64 = bars.last().map_or(1.0, close);
    let further = further.iter().map(|&date| (date, last));
    let dated = bars[past..].iter().map(|bar| (bar.date, close(bar)));
    let mut noise = Noise::new(0, symbol.as_str());
    for (date, close) in dated.chain(further) {
        let close = match future {
            Future::Mirrored => pivot * pivot / close * 1.01,
            Future::Noise | Future::CutOff => close * (0.5 + noise.uniform()),
        };
        other.extend(price(close).map(|close| Bar { date, close }));
    }
    other
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alchemiser_events::{Decimal, Price};

    fn market() -> Market {
        let dates: Vec<SessionDate> = weekdays(jiff::civil::date(2024, 1, 2)).take(6).collect();
        let series = |closes: [i64; 6]| -> Vec<Bar> {
            let priced = dates.iter().zip(closes).filter(|(_, close)| *close > 0);
            priced
                .map(|(&date, close)| Bar {
                    date,
                    close: Price::new(Decimal::new(close, 0)).unwrap(),
                })
                .collect()
        };
        let bars = BTreeMap::from([
            (
                Symbol::parse("UP").unwrap(),
                series([100, 0, 102, 103, 104, 105]),
            ),
            (Symbol::parse("LATE").unwrap(), series([0, 0, 0, 0, 50, 51])),
        ]);
        Market::new(&bars, BTreeMap::new()).unwrap()
    }

    #[test]
    fn the_past_stays_and_the_future_differs() {
        let market = market();
        let bars = Bars::of(&market);
        let dates = market.calendar().dates();
        for (&date, session) in dates.iter().zip(0..) {
            for future in Future::ALL {
                let other = bars.with_future(date, future).unwrap();
                for symbol in market.symbols() {
                    for earlier in (0..=session).map(Session) {
                        let price = |market: &Market| {
                            market
                                .history(symbol)
                                .map(|history| history.price_on(earlier))
                        };
                        assert_eq!(price(&other), price(&market), "{symbol} {future:?}");
                    }
                }
                let later = Session(session + 1);
                let up = Symbol::parse("UP").unwrap();
                let price = |market: &Market| market.history(&up).unwrap().price_on(later);
                match future {
                    Future::CutOff => assert_eq!(other.calendar().last(), Some(Session(session))),
                    _ => assert_ne!(price(&other), price(&market), "{future:?} {date}"),
                }
            }
        }
    }
}
