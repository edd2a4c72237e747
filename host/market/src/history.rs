//! The bars of one symbol.

use crate::calendar::{Calendar, Session, numbered};
use alchemiser_events::{Price, SessionDate, Symbol};
use alchemiser_indicators::{Series, Specification};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The close of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The session.
    pub date: SessionDate,
    /// Its close, exactly as quoted.
    pub close: Price,
}

/// Bars that a slice left out before the first one that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Omitted {
    /// How many.
    pub(crate) bars: u32,
    /// The session of the first.
    pub(crate) first: Session,
}

/// The bars of one symbol, oldest first, and the indicator series computed on
/// them.
///
/// Bars are counted, and found through the count of bars up to and including a
/// session, which is one look into a dense table.
pub struct History {
    symbol: Symbol,
    prices: Vec<Price>,
    closes: Vec<f64>,
    /// The session of each bar.
    sessions: Vec<Session>,
    /// For each session of the calendar, how many of the bars here are up to
    /// and including it.
    counts: Vec<u32>,
    omitted: Option<Omitted>,
    series: Mutex<HashMap<Specification, Arc<OnceLock<Arc<Series>>>>>,
}

impl History {
    /// `bars` ascend strictly by date, and each date is in the calendar.
    pub(crate) fn new(
        symbol: Symbol,
        bars: &[Bar],
        calendar: &Calendar,
        omitted: Option<Omitted>,
    ) -> Self {
        let mut counts = Vec::with_capacity(calendar.dates().len());
        let mut sessions = Vec::with_capacity(bars.len());
        let mut count = 0;
        let mut rest = bars.iter().peekable();
        for (place, date) in calendar.dates().iter().enumerate() {
            if rest.next_if(|bar| bar.date == *date).is_some() {
                sessions.push(numbered(place));
                count += 1;
            }
            counts.push(count);
        }
        Self {
            symbol,
            prices: bars.iter().map(|bar| bar.close).collect(),
            closes: bars.iter().map(|bar| nearest_double(bar.close)).collect(),
            sessions,
            counts,
            omitted,
            series: Mutex::default(),
        }
    }

    /// The symbol.
    #[must_use]
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// How many bars there are up to and including a session; all of them for a
    /// session past the end of the data.
    #[must_use]
    pub fn bars(&self, session: Session) -> u32 {
        self.omitted_bars() + self.bars_here(session)
    }

    /// The last close on or before a session, exactly as quoted.
    #[must_use]
    pub fn price(&self, session: Session) -> Option<Price> {
        let last = self.bars_here(session).checked_sub(1)?;
        Some(self.prices[last as usize])
    }

    /// The close of this very session, exactly as quoted; `None` when the
    /// symbol has no bar on it.
    #[must_use]
    pub fn price_on(&self, session: Session) -> Option<Price> {
        let last = self.bars_here(session).checked_sub(1)? as usize;
        (self.sessions[last] == session).then(|| self.prices[last])
    }

    /// The session of the first bar, one left out included.
    pub(crate) fn first_session(&self) -> Option<Session> {
        match self.omitted {
            Some(omitted) => Some(omitted.first),
            None => self.sessions.first().copied(),
        }
    }

    /// The session of the last bar on or before a session.
    pub(crate) fn last_session(&self, session: Session) -> Option<Session> {
        let last = self.bars_here(session).checked_sub(1)?;
        Some(self.sessions[last as usize])
    }

    /// How many bars a slice left out before the first one here.
    pub(crate) fn omitted_bars(&self) -> u32 {
        self.omitted.map_or(0, |omitted| omitted.bars)
    }

    /// How many of the first bars lie outside of a declared history as of a
    /// session, or were left out here.
    pub(crate) fn unseen(&self, declared: Option<u32>, as_of: Session) -> u32 {
        let undeclared = match declared {
            Some(bars) => self.bars(as_of).saturating_sub(bars),
            None => 0,
        };
        undeclared.max(self.omitted_bars())
    }

    /// As [`bars`](Self::bars), without those left out.
    #[inline]
    pub(crate) fn bars_here(&self, session: Session) -> u32 {
        match self.counts.get(session.0 as usize) {
            Some(count) => *count,
            None => self.counts.last().copied().unwrap_or(0),
        }
    }

    /// The closes here, oldest first, as the nearest doubles.
    pub(crate) fn closes(&self) -> &[f64] {
        &self.closes
    }

    /// The session of each bar here, oldest first.
    pub(crate) fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The series of an indicator on all bars here. Computed once, then shared.
    pub(crate) fn series(&self, specification: Specification) -> Arc<Series> {
        let cell = {
            // Nothing that could panic runs under the lock.
            let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(series.entry(specification).or_default())
        };
        let series = cell.get_or_init(|| Arc::new(specification.series(&self.closes)));
        Arc::clone(series)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("History")
            .field("symbol", &self.symbol)
            .field("bars", &self.prices.len())
            .finish_non_exhaustive()
    }
}

/// The double nearest to a price: the one place where prices become statistics.
#[expect(
    clippy::expect_used,
    reason = "the text of a decimal has the form of a double"
)]
fn nearest_double(price: Price) -> f64 {
    /// 10²² is the largest power of ten that a double holds exactly.
    const POWERS: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    let decimal = price.decimal();
    let power = POWERS.get(decimal.scale() as usize);
    match (u64::try_from(decimal.mantissa()), power) {
        // Both operands are exact, so the one division rounds correctly.
        (Ok(mantissa), Some(power)) if mantissa < 1 << f64::MANTISSA_DIGITS => {
            mantissa as f64 / power
        }
        // Slower, and as correct.
        _ => decimal.to_string().parse().expect("a decimal is a number"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]
    use super::*;
    use alchemiser_events::Decimal;
    use proptest::prelude::*;

    proptest! {
        /// Decimal text has the form of a double, and the standard library
        /// rounds that correctly.
        #[test]
        fn the_nearest_double_of_any_price(mantissa in 1..(1i128 << 96), bits in 0u32..96, scale in 0u32..=28) {
            let mantissa = (mantissa >> bits).max(1);
            let price = Price::new(Decimal::from_i128_with_scale(mantissa, scale)).unwrap();
            let expected: f64 = price.to_string().parse().unwrap();
            prop_assert_eq!(nearest_double(price), expected);
        }
    }

    #[test]
    fn a_series_is_computed_once() {
        let date = "2022-12-28".parse().unwrap();
        let close = Price::new(Decimal::ONE).unwrap();
        let symbol = Symbol::parse("SPY").unwrap();
        let calendar = Calendar::new(vec![date]);
        let history = History::new(symbol, &[Bar { date, close }], &calendar, None);
        let price =
            Specification::new(alchemiser_indicators::Indicator::CurrentPrice, None).unwrap();
        assert!(Arc::ptr_eq(&history.series(price), &history.series(price)));
    }
}
