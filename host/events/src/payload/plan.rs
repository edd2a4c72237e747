//! From target weights to a rebalance plan.

use crate::amounts::{Money, Price, Quantity, Weight, decimal_text};
use crate::identifiers::{CausationId, CorrelationId, PlanId, StrategyName};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The portfolio made a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalancePlanned {
    /// The plan.
    pub rebalance_plan: RebalancePlan,
    /// Where the account is against where it should be.
    pub allocation_comparison: AllocationComparison,
    /// Whether any item buys or sells.
    pub trades_required: bool,
    /// After this the plan is stale, and execution refuses it.
    pub deadline: Timestamp,
}

/// The trades between where the account is and where it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalancePlan {
    /// Derived from workflow and cause: the same on every attempt.
    pub plan_id: PlanId,
    /// The workflow.
    pub correlation_id: CorrelationId,
    /// The SignalGenerated event that it follows.
    pub causation_id: CausationId,
    /// The workflow's clock.
    pub timestamp: Timestamp,
    /// In the order of execution: sells, buys, holds.
    pub items: Vec<PlanItem>,
    /// Cash plus positions at the reference prices.
    pub total_portfolio_value: Money,
    /// Cash before any trade.
    pub cash: Money,
    /// Sum of the trades' sizes.
    pub total_trade_value: Money,
}

/// One symbol of a plan. Weights are shares of the portfolio value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// What to trade.
    pub symbol: Symbol,
    /// What to do.
    pub action: PlanAction,
    /// 1 (first) to 5, by the size of the trade; for display.
    pub priority: u8,
    /// Share held.
    pub current_weight: Weight,
    /// Share wanted.
    pub target_weight: Weight,
    /// Wanted less held.
    pub weight_diff: WeightDifference,
    /// Value held.
    pub current_value: Money,
    /// Value wanted.
    pub target_value: Money,
    /// Value to trade: above 0 to buy, below 0 to sell.
    pub trade_amount: Money,
    /// Shares held.
    pub current_qty: Quantity,
    /// Shares to hold after the trade.
    pub target_qty: Quantity,
    /// The price that the plan was made at.
    pub reference_price: Price,
    /// True only when the target is exactly 0: everything is sold.
    pub close_position: bool,
    /// Each strategy's part of the target, adding up to 1; empty when the
    /// symbol is no target.
    pub strategy_attribution: BTreeMap<StrategyName, Weight>,
}

/// What to do with a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PlanAction {
    /// Sell some or all.
    Sell,
    /// Buy.
    Buy,
    /// Leave it.
    Hold,
}

impl fmt::Display for PlanAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sell => "SELL",
            Self::Buy => "BUY",
            Self::Hold => "HOLD",
        })
    }
}

/// Where the account is against where it should be, for people. Fractions of
/// the portfolio value, and the money that they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationComparison {
    /// Share wanted.
    pub target_values: BTreeMap<Symbol, Weight>,
    /// Share held.
    pub current_values: BTreeMap<Symbol, Weight>,
    /// Wanted less held.
    pub deltas: BTreeMap<Symbol, WeightDifference>,
    /// Money wanted.
    pub target_money: BTreeMap<Symbol, Money>,
    /// Money held.
    pub current_money: BTreeMap<Symbol, Money>,
}

/// A difference of weights, −1 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WeightDifference(#[serde(with = "decimal_text")] pub Decimal);
