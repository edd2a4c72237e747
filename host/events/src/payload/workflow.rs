//! How workflows begin and end.

use crate::amounts::Money;
use crate::event::EventType;
use crate::identifiers::{EventId, PlanId};
use crate::payload::trade::ExecutionData;
use crate::time::SessionDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A workflow began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowStarted {
    /// What kind of workflow.
    pub workflow_type: WorkflowType,
    /// Who asked for it: the command line, or a schedule by name.
    pub requested_by: String,
    /// What every later step checks itself against.
    pub configuration: WorkflowConfiguration,
}

/// What a workflow was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowConfiguration {
    /// Whether real money moves.
    pub trading_mode: TradingMode,
    /// Deployment stage, such as `dev`.
    pub stage: String,
    /// The book of strategies.
    pub strategy_profile: String,
    /// The session whose closes are decided on.
    pub session: SessionDate,
    /// Whether to stop short of sending orders.
    pub dry_run: bool,
}

/// Whether real money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TradingMode {
    /// A simulated account.
    Paper,
    /// A real account.
    Live,
}

/// What kind of workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowType {
    /// From prices to orders.
    Trading,
}

/// The workflow reached its goal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowCompleted {
    /// What kind of workflow.
    pub workflow_type: WorkflowType,
    /// From start to completion on the workflow's clock, in milliseconds.
    pub workflow_duration_ms: i64,
    /// Always true.
    pub success: bool,
    /// What was done.
    pub summary: WorkflowSummary,
}

/// What a workflow did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowSummary {
    /// Orders that the broker took.
    pub orders_placed: u32,
    /// Orders that were filled.
    pub orders_succeeded: u32,
    /// Sum of the fills' values.
    pub total_trade_value: Money,
    /// The plan that was executed.
    pub execution_plan_id: PlanId,
}

/// The workflow cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowFailed {
    /// What kind of workflow.
    pub workflow_type: WorkflowType,
    /// For the owner: what happened.
    pub failure_reason: String,
    /// Where it happened.
    pub failure_step: WorkflowStep,
    /// For programs: what happened.
    pub error: ErrorDetail,
    /// The event whose handling failed.
    pub original_event_type: EventType,
    /// The event whose handling failed.
    pub original_event_id: EventId,
    /// What had been traded by then, if execution had ended.
    pub execution_data: Option<ExecutionData>,
}

/// The steps of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowStep {
    /// Prices to weights.
    SignalGeneration,
    /// Weights to a plan.
    PortfolioAnalysis,
    /// A plan to orders.
    TradeExecution,
    /// Closing the workflow.
    Orchestration,
}

impl fmt::Display for WorkflowStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::SignalGeneration => "signal generation",
            Self::PortfolioAnalysis => "portfolio analysis",
            Self::TradeExecution => "trade execution",
            Self::Orchestration => "orchestration",
        })
    }
}

/// An error as events carry it. Secrets and account numbers never enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// Stable name, such as `MemoryLimit` or `InsufficientHistory`.
    pub class: String,
    /// For a person.
    pub message: String,
    /// Whether another attempt could succeed.
    pub retryable: bool,
    /// The error's own fields: plugin, digest, limit, symbol, ….
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}
