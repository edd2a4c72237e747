//! Building requests and reading plans.

use alchemiser_sdk::Error;
use alchemiser_sdk::planner::{Action, Position, RebalancePlan, Request};
use alchemiser_sdk::testing::{self, TestAccount};
use rebalance::Rebalance;
use rust_decimal::Decimal;

/// A request with the default settings: 1 % reserve, trades from 1 % of the
/// value on, exits from 5 dollars on.
pub fn request(
    cash: &str,
    targets: &[(&str, &str)],
    positions: &[(&str, &str)],
    prices: &[(&str, &str)],
) -> Request {
    let account = TestAccount::new(cash);
    let account = targets.iter().fold(account, |account, (symbol, weight)| {
        account.target(symbol, weight)
    });
    let account = positions
        .iter()
        .fold(account, |account, (symbol, quantity)| {
            account.holds(symbol, quantity)
        });
    let account = prices.iter().fold(account, |account, (symbol, price)| {
        account.price(symbol, price)
    });
    account.request()
}

pub fn plan(request: &Request) -> RebalancePlan {
    testing::plan::<Rebalance>(request).unwrap()
}

pub fn refused(request: &Request) -> Error {
    testing::plan::<Rebalance>(request).unwrap_err()
}

/// One line an item: action, symbol, trade amount, target quantity, and
/// whether the position is closed.
pub fn lines(plan: &RebalancePlan) -> Vec<String> {
    let line = |item: &alchemiser_sdk::planner::Item| {
        format!(
            "{} {} {} to {}{}",
            name(item.action),
            item.symbol,
            item.trade_amount,
            item.target_quantity,
            if item.close_position { ", closed" } else { "" }
        )
    };
    plan.items.iter().map(line).collect()
}

pub fn name(action: Action) -> &'static str {
    match action {
        Action::Sell => "SELL",
        Action::Buy => "BUY",
        Action::Hold => "HOLD",
    }
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The account after the plan's trades at the plan's prices, asked again.
pub fn apply(request: &Request, plan: &RebalancePlan) -> Request {
    let mut cash = decimal(&request.cash);
    let mut positions = Vec::new();
    for item in &plan.items {
        let bought = decimal(&item.target_quantity) - decimal(&item.current_quantity);
        cash -= bought * decimal(&item.reference_price);
        positions.push(Position {
            symbol: item.symbol.clone(),
            quantity: item.target_quantity.clone(),
        });
    }
    Request {
        cash: cash.to_string(),
        positions,
        ..request.clone()
    }
}
