//! Building requests and reading plans.

use alchemiser_sdk::planner::{
    Action, Instrument, Position, RebalancePlan, Request, Settings, Target,
};
use alchemiser_sdk::{Error, Portfolio};
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
    let targets = targets.iter().map(|(symbol, weight)| Target {
        symbol: (*symbol).to_owned(),
        weight: (*weight).to_owned(),
    });
    let positions = positions.iter().map(|(symbol, quantity)| Position {
        symbol: (*symbol).to_owned(),
        quantity: (*quantity).to_owned(),
    });
    let instruments = prices.iter().map(|(symbol, price)| Instrument {
        symbol: (*symbol).to_owned(),
        price: (*price).to_owned(),
        fractionable: true,
    });
    Request {
        targets: targets.collect(),
        cash: cash.to_owned(),
        positions: positions.collect(),
        instruments: instruments.collect(),
        settings: Settings {
            cash_reserve: "0.01".to_owned(),
            min_trade_share: "0.01".to_owned(),
            min_trade_amount: "5".to_owned(),
            max_position: "1".to_owned(),
            rebalance_threshold: "0".to_owned(),
            allow_margin: false,
        },
        parameters: "{}".to_owned(),
    }
}

pub fn plan(request: &Request) -> RebalancePlan {
    Rebalance::plan(request.clone()).unwrap()
}

pub fn refused(request: &Request) -> Error {
    Rebalance::plan(request.clone()).unwrap_err()
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
