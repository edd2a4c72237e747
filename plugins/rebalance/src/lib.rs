//! The portfolio plugin: from target weights to the trades that reach them.
//!
//! [`request`] parses what the host sends, [`planning`] does all the
//! arithmetic on decimals, and this file writes the answer.

mod planning;
mod request;

use alchemiser_sdk::planner::{Item, RebalancePlan, Request};
use alchemiser_sdk::{NoParameters, Portfolio, Result, export_portfolio};
use rust_decimal::Decimal;

use planning::{Plan, Trade, money};
use request::Snapshot;

/// Plans the trades between an account and its targets.
///
/// With the portfolio value V = cash + Σ quantity · price, the target value of
/// a symbol is T = weight · V · (1 − cash reserve), and what is to be traded is
/// T less the value held. Money is rounded to cents, half away from zero, only
/// where the plan states it.
///
/// - A trade below `min-trade-share` of V is not made; one of exactly that size
///   is. A position whose target is 0 is sold from `min-trade-amount` on,
///   however small a share of V it is.
/// - Quantities are rounded down, to six decimals or whole shares. For whole
///   shares the trade amount says what the target asks for, the target quantity
///   what can be had.
/// - Without margin, buys are scaled down to cash plus 99.5 % of the expected
///   proceeds. Where that leaves a buy too small, it is given up, smallest
///   first, and the others share what it would have cost.
/// - While no weight is off by `rebalance-threshold`, nothing is traded.
///
/// Errors are of class `ArgumentError`, with the symbol or the setting that
/// they are about.
pub struct Rebalance;

impl Portfolio for Rebalance {
    type Parameters = NoParameters;

    fn plan(request: &Request, _: NoParameters) -> Result<RebalancePlan> {
        let snapshot = Snapshot::parse(request)?;
        let plan = planning::plan(&snapshot)?;
        Ok(answer(&plan))
    }
}

export_portfolio!(Rebalance);

fn answer(plan: &Plan<'_>) -> RebalancePlan {
    RebalancePlan {
        portfolio_value: money(plan.portfolio_value).to_string(),
        total_trade_value: money(plan.total_trade_value()).to_string(),
        items: plan.trades.iter().map(item).collect(),
    }
}

fn item(trade: &Trade<'_>) -> Item {
    Item {
        symbol: trade.holding.symbol.clone(),
        action: trade.action(),
        priority: trade.priority(),
        current_quantity: plain(trade.holding.quantity),
        target_quantity: plain(trade.target_quantity),
        reference_price: plain(trade.holding.price),
        current_value: money(trade.current_value).to_string(),
        target_value: money(trade.target_value).to_string(),
        trade_amount: money(trade.amount).to_string(),
        current_weight: plain(trade.current_weight),
        target_weight: plain(trade.target_weight),
        close_position: trade.closes_position(),
    }
}

/// Full precision, without zeros at the end.
fn plain(number: Decimal) -> String {
    number.normalize().to_string()
}
