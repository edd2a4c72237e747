//! From a plan to orders and fills.

use crate::amounts::{Money, Price, Quantity};
use crate::identifiers::{BrokerOrderId, ClientOrderId, PlanId};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Orders were sent, or none were needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeExecuted {
    /// What happened to each order.
    pub execution_data: ExecutionData,
    /// Whether the workflow counts as successful, after the policy on partial
    /// execution.
    pub success: bool,
    /// Orders that the broker took.
    pub orders_placed: u32,
    /// Orders that were filled.
    pub orders_succeeded: u32,
    /// For the owner, when not successful.
    pub failure_reason: Option<String>,
    /// Symbols whose orders were not filled.
    pub failed_symbols: Vec<Symbol>,
}

/// What happened to a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionData {
    /// The plan.
    pub plan_id: PlanId,
    /// How it went as a whole.
    pub status: ExecutionStatus,
    /// Orders that the broker took.
    pub orders_placed: u32,
    /// Orders that were filled.
    pub orders_succeeded: u32,
    /// Sum of the fills' values.
    pub total_trade_value: Money,
    /// The workflow's clock.
    pub execution_timestamp: Timestamp,
    /// Whether every order was filled.
    pub success: bool,
    /// One for each item of the plan that buys or sells.
    pub orders: Vec<OrderResult>,
    /// Cash before the first order.
    pub cash_before: Money,
    /// Cash after the last fill.
    pub cash_after: Money,
}

/// How the execution of a plan went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Every order was filled.
    Success,
    /// Some orders were filled.
    PartialSuccess,
    /// No order was filled.
    Failure,
    /// There was nothing to trade.
    NoTrades,
}

/// What happened to one item of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResult {
    /// What was traded.
    pub symbol: Symbol,
    /// Which way.
    pub action: Side,
    /// How it ended.
    pub status: OrderStatus,
    /// Whether it was filled.
    pub success: bool,
    /// Our name for the order.
    pub client_order_id: ClientOrderId,
    /// The broker's name for the order.
    pub order_id: Option<BrokerOrderId>,
    /// Kind of order.
    pub order_type: OrderType,
    /// Shares asked for.
    pub requested_qty: Quantity,
    /// Shares got.
    pub filled_qty: Quantity,
    /// Shares asked for and not got.
    pub remaining_qty: Quantity,
    /// Average price of the fills.
    pub avg_fill_price: Option<Price>,
    /// Value of the fills.
    pub trade_amount: Money,
    /// The workflow's clock.
    pub timestamp: Timestamp,
    /// When it was filled.
    pub filled_at: Option<Timestamp>,
    /// Why it was not filled, at most 1,000 characters.
    pub error_message: Option<String>,
}

/// Which way to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// For cash.
    Sell,
    /// For shares.
    Buy,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sell => "SELL",
            Self::Buy => "BUY",
        })
    }
}

/// Kind of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderType {
    /// At the market.
    Market,
    /// At a price or better.
    Limit,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// All of it.
    Filled,
    /// Some of it.
    Partial,
    /// None of it, and the broker still has it or let it expire.
    Unfilled,
    /// The broker refused it.
    Rejected,
    /// It was not sent, for the reason given.
    Skipped,
    /// The broker could not be asked; it is never sent again.
    Unknown,
}
