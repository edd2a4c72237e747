//! From prices to target weights.

use crate::amounts::Weight;
use crate::digest::BlobReference;
use crate::event::ProducedBy;
use crate::identifiers::{CorrelationId, StrategyName};
use crate::payload::workflow::ErrorDetail;
use crate::symbol::Symbol;
use crate::time::{SessionDate, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The strategies of the book gave target weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalGenerated {
    /// What each strategy said, and what it adds up to for each symbol.
    pub signals_data: SignalsData,
    /// The book's strategies made one.
    pub consolidated_portfolio: ConsolidatedPortfolio,
    /// Number of symbols with a target.
    pub signal_count: u32,
}

/// What each strategy said, and what it adds up to for each symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalsData {
    /// In the order of the book.
    pub strategies: Vec<StrategyResult>,
    /// In the order of the symbols.
    pub signals: Vec<Signal>,
}

/// What one strategy said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyResult {
    /// Its name in the book.
    pub strategy_id: StrategyName,
    /// Its file, if it has one.
    pub file: Option<String>,
    /// Its share of the book.
    pub weight: Weight,
    /// Whether it could answer.
    pub status: StrategyStatus,
    /// Why it could not.
    pub error: Option<ErrorDetail>,
    /// Its target weights, before the book's share is applied.
    pub allocation: BTreeMap<Symbol, Weight>,
    /// The session whose close was the last that it saw.
    pub evaluated_at: SessionDate,
    /// The build that answered.
    pub produced_by: ProducedBy,
    /// The exact question it was asked.
    pub inputs_ref: BlobReference,
    /// Why it said so, entry by entry.
    pub trace_id: Option<BlobReference>,
}

/// Whether a strategy could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrategyStatus {
    /// It gave weights.
    Ok,
    /// It did not.
    Failed,
}

/// The target for one symbol, and whose wish it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What to hold.
    pub symbol: Symbol,
    /// How much of the portfolio, as in the consolidated portfolio.
    pub target_weight: Weight,
    /// Each strategy's share of the portfolio times its weight for the symbol.
    /// That share is the book's, unless it took over some of a strategy that
    /// could not answer.
    pub contributing: BTreeMap<StrategyName, Weight>,
    /// One line for people.
    pub reasoning: String,
}

/// One target weight for each symbol; what they leave of 1 stays uninvested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsolidatedPortfolio {
    /// Shares of the portfolio, 0 to 1, ten decimals.
    pub target_allocations: BTreeMap<Symbol, Weight>,
    /// The workflow.
    pub correlation_id: CorrelationId,
    /// The workflow's clock.
    pub timestamp: Timestamp,
    /// Number of strategies that it is made of: those that answered.
    pub strategy_count: u32,
    /// Their names, in the order of the book.
    pub source_strategies: Vec<StrategyName>,
}
