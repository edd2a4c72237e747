//! What events say, one type each.

mod notification;
mod plan;
mod signal;
mod trade;
mod workflow;

pub use notification::{
    ErrorNotificationRequested, ErrorPriority, ErrorSeverity, NotificationKind,
    SystemNotificationRequested, TradingNotificationRequested,
};
pub use plan::{
    AllocationComparison, PlanAction, PlanItem, RebalancePlan, RebalancePlanned, WeightDifference,
};
pub use signal::{
    ConsolidatedPortfolio, Signal, SignalGenerated, SignalsData, StrategyResult, StrategyStatus,
};
pub use trade::{
    ExecutionData, ExecutionStatus, OrderResult, OrderStatus, OrderType, Side, TradeExecuted,
};
pub use workflow::{
    ErrorDetail, TradingMode, WorkflowCompleted, WorkflowConfiguration, WorkflowFailed,
    WorkflowStarted, WorkflowStep, WorkflowSummary, WorkflowType,
};

use crate::event::EventType;
use serde::{Deserialize, Serialize};

/// What an event says; `event_type` in the event tells which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event_type")]
#[allow(
    missing_docs,
    reason = "each variant carries the type that documents it"
)]
pub enum Payload {
    WorkflowStarted(WorkflowStarted),
    SignalGenerated(SignalGenerated),
    RebalancePlanned(RebalancePlanned),
    TradeExecuted(TradeExecuted),
    WorkflowCompleted(WorkflowCompleted),
    WorkflowFailed(WorkflowFailed),
    TradingNotificationRequested(TradingNotificationRequested),
    ErrorNotificationRequested(ErrorNotificationRequested),
    SystemNotificationRequested(SystemNotificationRequested),
}

impl Payload {
    /// The type of event that says this.
    pub fn event_type(&self) -> EventType {
        match self {
            Self::WorkflowStarted(_) => EventType::WorkflowStarted,
            Self::SignalGenerated(_) => EventType::SignalGenerated,
            Self::RebalancePlanned(_) => EventType::RebalancePlanned,
            Self::TradeExecuted(_) => EventType::TradeExecuted,
            Self::WorkflowCompleted(_) => EventType::WorkflowCompleted,
            Self::WorkflowFailed(_) => EventType::WorkflowFailed,
            Self::TradingNotificationRequested(_) => EventType::TradingNotificationRequested,
            Self::ErrorNotificationRequested(_) => EventType::ErrorNotificationRequested,
            Self::SystemNotificationRequested(_) => EventType::SystemNotificationRequested,
        }
    }
}
