//! The record of what was traded, and for whom.

use crate::ports::StoreError;
use alchemiser_events::{CorrelationId, OrderResult, PlanId, StrategyName, Weight};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One order and how it ended, whatever the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The workflow.
    pub correlation_id: CorrelationId,
    /// The plan.
    pub plan_id: PlanId,
    /// The order.
    pub order: OrderResult,
    /// Each strategy's part in the target, adding up to 1; empty for an exit.
    pub strategy_weights: BTreeMap<StrategyName, Weight>,
}

/// Keeps the record.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Keeps an entry under its order's name. An entry that is there already
    /// stays as it is.
    async fn record(&self, entry: &LedgerEntry) -> Result<(), StoreError>;

    /// The entries of a workflow, in the order in which they were made.
    async fn of_workflow(&self, workflow: &CorrelationId) -> Result<Vec<LedgerEntry>, StoreError>;
}
