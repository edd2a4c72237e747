//! The exchanges' calendar against the sessions of the bundled prices.

#![allow(clippy::unwrap_used)]

use alchemiser_events::SessionDate;
use alchemiser_market::{Closure, TradingDay, closing_time, trading_day};
use jiff::ToSpan as _;
use std::collections::BTreeSet;

/// Every date from the first to the last: a session if there are prices, and
/// else a weekend or a day with a name.
#[test]
fn the_bundled_sessions_are_those_of_the_exchanges() {
    let prices = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/closes.csv");
    let sessions: BTreeSet<SessionDate> = std::fs::read_to_string(prices)
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    let mut date = *sessions.first().unwrap();
    let last = *sessions.last().unwrap();
    let mut holidays = 0;
    while date <= last {
        match trading_day(date).unwrap() {
            TradingDay::Open(hours) => {
                assert!(sessions.contains(&date), "{date} is no session");
                assert!(hours.closes <= closing_time(date));
            }
            TradingDay::Closed(closure) => {
                assert!(!sessions.contains(&date), "{date}: {closure}");
                holidays += usize::from(closure != Closure::Weekend);
            }
        }
        date = SessionDate::new(date.date().checked_add(1.day()).unwrap());
    }
    assert_eq!((sessions.len(), holidays), (2264, 81));
}
