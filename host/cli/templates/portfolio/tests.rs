//! An account goes in, a plan comes out: no worker and no sandbox are needed.
#![allow(clippy::unwrap_used)]

use super::Full;
use alchemiser_sdk::planner::Request;
use alchemiser_sdk::testing::{self, TestAccount};

/// One line an item: action, symbol, and shares after the trade.
fn plan(request: &Request) -> Vec<String> {
    let plan = testing::plan::<Full>(request).unwrap();
    plan.items
        .iter()
        .map(|item| format!("{:?} {} {}", item.action, item.symbol, item.target_quantity))
        .collect()
}

/// 1000 dollars, of which the default reserve of 1 % stays uninvested.
fn account() -> TestAccount {
    TestAccount::new("400")
        .price("BOND", "100")
        .price("STOCK", "50")
        .holds("BOND", "6")
}

#[test]
fn brings_every_position_to_its_target() {
    let moved = account().target("STOCK", "0.5").target("BOND", "0.5");
    assert_eq!(
        plan(&moved.request()),
        ["Action::Sell BOND 4.95", "Action::Buy STOCK 9.9"]
    );
    let sold = account().target("STOCK", "1");
    assert_eq!(
        plan(&sold.request()),
        ["Action::Sell BOND 0", "Action::Buy STOCK 19.8"]
    );
}

#[test]
fn leaves_alone_what_is_not_worth_its_costs() {
    // 3 dollars below the target.
    let near = account().target("BOND", "0.609");
    assert_eq!(
        plan(&near.request()),
        ["Action::Hold BOND 6", "Action::Hold STOCK 0"]
    );
}

#[test]
fn buys_whole_shares_where_there_are_no_others() {
    let whole = TestAccount::new("1000")
        .price_of_whole_shares("STOCK", "300")
        .target("STOCK", "1");
    assert_eq!(plan(&whole.request()), ["Action::Buy STOCK 3"]);
}

#[test]
fn says_which_number_is_wrong() {
    let wrong = TestAccount::new("1e3").request();
    let refused = testing::plan::<Full>(&wrong).err().unwrap();
    assert_eq!(
        refused.message,
        "`cash` is `1e3`, which is no decimal number"
    );
}
