//! Prices go in, weights come out: no worker and no sandbox are needed.
#![allow(clippy::unwrap_used)]

use super::Trend;
use alchemiser_sdk::testing::{self, TestMarket};

/// Parameters as `book.toml` has them.
const PARAMETERS: &str = "symbol = 'STOCK'\nwindow = 3\nrefuge = 'BOND'";

#[test]
fn holds_what_closes_above_its_average() {
    let market = TestMarket::new()
        .symbol("STOCK", [10.0, 11.0, 12.0, 9.0])
        .symbol("BOND", [50.0; 4]);
    let mut trend: Trend = testing::load(PARAMETERS).unwrap();

    let early = market.evaluate(&mut trend, 1).unwrap_err();
    assert_eq!(early.class, "InsufficientHistory");
    assert_eq!(market.evaluate(&mut trend, 2).unwrap(), [("STOCK", 1.0)]);
    assert_eq!(market.evaluate(&mut trend, 3).unwrap(), [("BOND", 1.0)]);
}

#[test]
fn says_which_parameter_is_wrong() {
    let refused = |parameters| testing::load::<Trend>(parameters).err().unwrap().message;
    assert_eq!(
        refused("symbol = 'STOCK'\nwindow = 1\nrefuge = 'BOND'"),
        "parameters.window: it is 1, and must be from 2 to 1000"
    );
    assert_eq!(
        refused("symbol = 'STOCK'\nwindow = 3\nrefug = 'BOND'"),
        "parameters: unknown key `refug`; did you mean `refuge`?"
    );
}

/// What every strategy has to keep to, on three years of made-up prices.
#[test]
fn looks_at_nothing_but_the_past() {
    let market = TestMarket::random_walk(7, 750, &["STOCK", "BOND"]);
    let load = |_: &TestMarket| testing::load::<Trend>(PARAMETERS);
    testing::never_looks_ahead(&market, load);
    testing::depends_on_the_session_alone(&market, load);
}
