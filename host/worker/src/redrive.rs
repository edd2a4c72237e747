//! Whether a dead letter may be delivered again.

use crate::ports::Transition;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{CorrelationId, EventType, Timestamp, Transported};
use std::time::Duration;

/// A delivery that failed for good, with all that decides whether it may be
/// tried once more.
#[derive(Clone, Copy, Debug)]
pub struct DeadDelivery<'a> {
    /// What could not be delivered.
    pub event: &'a Transported,
    /// Time since the event was published, by the system clock.
    pub age: Duration,
    /// The event's workflow, if it belongs to one.
    pub workflow: Option<&'a Workflow>,
    /// All workflows of that workflow's account, the oldest first.
    pub account: &'a [Workflow],
    /// Whether the workflow's trades were reported.
    pub trades_reported: bool,
}

/// Why a dead letter must not be delivered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedriveRefusal {
    /// The workflow reached its goal without it.
    #[error("{0} has completed")]
    Completed(CorrelationId),
    /// The trades of the workflow were reported: an earlier step would lead to
    /// others.
    #[error("{0} has traded; an earlier step must not be taken again")]
    Traded(CorrelationId),
    /// An order may have reached the broker, and what became of it was not
    /// reported.
    #[error(
        "{0} may have sent orders, and what became of them was not reported; look at the account \
         at the broker first"
    )]
    OrderFateUnknown(CorrelationId),
    /// The plan was made for prices that are gone.
    #[error("the plan was good for {good_for} s, and {age} s have passed; run the workflow again")]
    StalePlan {
        /// From the plan's making to its deadline, in seconds.
        good_for: u64,
        /// Since its publication, in seconds.
        age: u64,
    },
    /// The account's state is no longer what the workflow began with.
    #[error("account `{}` has moved on with {}", .0.account, .0.correlation_id)]
    MovedOn(Box<Workflow>),
}

impl RedriveRefusal {
    /// The kind of refusal, for scripts.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Completed(_) => "Completed",
            Self::Traded(_) => "Traded",
            Self::OrderFateUnknown(_) => "OrderFateUnknown",
            Self::StalePlan { .. } => "StalePlan",
            Self::MovedOn(_) => "MovedOn",
        }
    }
}

/// How the workflow goes back to before the step that failed; `None` if the
/// delivery is none of its steps, or the workflow has not ended.
///
/// # Errors
///
/// Delivering it again could trade twice, or on a plan of the past.
pub fn readmit(delivery: &DeadDelivery<'_>) -> Result<Option<Transition>, RedriveRefusal> {
    let Some((workflow, before)) = delivery
        .workflow
        .zip(state_before(delivery.event.event_type()))
    else {
        return Ok(None);
    };
    let name = || workflow.correlation_id.clone();
    if workflow.state == WorkflowState::Completed {
        return Err(RedriveRefusal::Completed(name()));
    }
    // The report of trades is never refused: it tells of what has happened.
    if before != WorkflowState::Executing {
        if delivery.trades_reported {
            return Err(RedriveRefusal::Traded(name()));
        }
        if workflow.orders_sent {
            return Err(RedriveRefusal::OrderFateUnknown(name()));
        }
        refuse_stale(delivery)?;
    }
    let has_acted =
        |other: &&Workflow| other.state == WorkflowState::Completed || other.orders_sent;
    let since = delivery
        .account
        .iter()
        .skip_while(|other| other.correlation_id != workflow.correlation_id)
        .skip(1)
        .find(has_acted);
    // An earlier attempt at the same, redriven before this one.
    let same = delivery
        .account
        .iter()
        .filter(|other| other.correlation_id != workflow.correlation_id)
        .filter(|other| other.session() == workflow.session() && other.slot == workflow.slot)
        .find(has_acted);
    let active = delivery.account.iter().find(|other| {
        other.correlation_id != workflow.correlation_id && !other.state.is_terminal()
    });
    if let Some(other) = since.or(same).or(active) {
        return Err(RedriveRefusal::MovedOn(Box::new(other.clone())));
    }
    Ok(workflow.state.is_terminal().then(|| Transition {
        workflow: name(),
        from: vec![workflow.state],
        to: before,
    }))
}

/// Where a workflow is before the step that an event of this type asks for;
/// `None` if it asks for none.
fn state_before(event_type: EventType) -> Option<WorkflowState> {
    match event_type {
        EventType::WorkflowStarted => Some(WorkflowState::Started),
        EventType::SignalGenerated => Some(WorkflowState::Signals),
        EventType::RebalancePlanned => Some(WorkflowState::Planned),
        EventType::TradeExecuted => Some(WorkflowState::Executing),
        EventType::WorkflowCompleted
        | EventType::WorkflowFailed
        | EventType::TradingNotificationRequested
        | EventType::ErrorNotificationRequested
        | EventType::SystemNotificationRequested => None,
    }
}

/// A plan's deadline is by the workflow's clock, which stands still. What has
/// passed since it was published is held against what it was good for.
fn refuse_stale(delivery: &DeadDelivery<'_>) -> Result<(), RedriveRefusal> {
    let Some(deadline) = delivery.event.deadline() else {
        return Ok(());
    };
    let good_for = seconds_between(delivery.event.header().timestamp, deadline);
    let age = delivery.age.as_secs();
    if age > good_for {
        return Err(RedriveRefusal::StalePlan { good_for, age });
    }
    Ok(())
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.milliseconds_since(from) / 1000).unwrap_or(0)
}
