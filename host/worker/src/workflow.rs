//! The state of a workflow.

use alchemiser_events::{
    AccountName, CorrelationId, SessionDate, Timestamp, WorkflowConfiguration, WorkflowKey,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a workflow has come. The handler that takes a step moves it on, in
/// the same commit as what it emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// It exists.
    Started,
    /// There are target weights.
    Signals,
    /// There is a plan.
    Planned,
    /// Orders may have been sent.
    Executing,
    /// It reached its goal.
    Completed,
    /// It cannot go on.
    Failed,
    /// It took too long.
    TimedOut,
}

impl WorkflowState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Started,
        Self::Signals,
        Self::Planned,
        Self::Executing,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
    ];

    /// Whether nothing can follow.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::TimedOut)
    }

    /// The name in stores and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Signals => "signals",
            Self::Planned => "planned",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A workflow as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Its name, which is also every one of its events' correlation.
    pub correlation_id: CorrelationId,
    /// The account traded.
    pub account: AccountName,
    /// The slot of the day, `HHMM` in New York.
    pub slot: String,
    /// 0 for the first run of the slot, then 1, 2, …
    pub rerun: u32,
    /// The workflow's clock, fixed when it starts. Every event, deadline and
    /// quote age goes by it, so that a second run says the same.
    pub clock: Timestamp,
    /// What it was started with.
    pub configuration: WorkflowConfiguration,
    /// How far it has come.
    pub state: WorkflowState,
    /// Whether an order may have reached the broker. Set before the first one
    /// is sent; forbids a rerun.
    pub orders_sent: bool,
}

impl Workflow {
    /// The session decided on.
    pub fn session(&self) -> SessionDate {
        self.configuration.session
    }

    /// What makes the workflow unique.
    pub fn key(&self) -> WorkflowKey {
        WorkflowKey {
            stage: self.configuration.stage.clone(),
            account: self.account.clone(),
            session: self.session(),
            slot: self.slot.clone(),
            rerun: self.rerun,
        }
    }
}
