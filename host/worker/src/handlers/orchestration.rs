//! Closes workflows: complete or failed, and one notification.

use super::unexpected;
use crate::failure::Failure;
use crate::handler::{Context, Declaration, Emission, Handler, Outcome, Step};
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{
    ErrorDetail, Event, EventType, ExecutionData, Money, NotificationKind, Payload, Source,
    SystemNotificationRequested, TradeExecuted, TradingNotificationRequested, WorkflowCompleted,
    WorkflowFailed, WorkflowStep, WorkflowSummary, WorkflowType,
};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Takes `TradeExecuted` and `WorkflowFailed`.
#[derive(Debug, Default)]
pub struct OrchestrationHandler;

impl OrchestrationHandler {
    /// What it takes and may emit.
    pub const DECLARATION: Declaration = Declaration {
        target: "orchestrator",
        source: Source::Orchestration,
        workflow_step: WorkflowStep::Orchestration,
        acts: false,
        steps: &[
            Step {
                takes: EventType::TradeExecuted,
                // Never refused: it tells of real trades.
                expects: &[],
                emits: &[
                    EventType::WorkflowCompleted,
                    EventType::WorkflowFailed,
                    EventType::TradingNotificationRequested,
                    EventType::SystemNotificationRequested,
                ],
            },
            Step {
                takes: EventType::WorkflowFailed,
                expects: &[],
                emits: &[EventType::TradingNotificationRequested],
            },
        ],
    };
}

#[async_trait]
impl Handler for OrchestrationHandler {
    fn declaration(&self) -> &'static Declaration {
        &Self::DECLARATION
    }

    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let workflow = context.workflow()?;
        match &event.payload {
            Payload::TradeExecuted(trade) if workflow.state.is_terminal() => {
                Ok(traded_after_the_end(trade, workflow))
            }
            Payload::TradeExecuted(trade) if trade.success => Ok(completed(trade, event, workflow)),
            Payload::TradeExecuted(trade) => Ok(failed(trade, event)),
            Payload::WorkflowFailed(failed) => Ok(failure_notification(failed, workflow)),
            _ => Err(unexpected(event)),
        }
    }
}

fn completed(trade: &TradeExecuted, event: &Event, workflow: &Workflow) -> Outcome {
    let data = &trade.execution_data;
    let completed = Payload::WorkflowCompleted(WorkflowCompleted {
        workflow_type: WorkflowType::Trading,
        workflow_duration_ms: event.header.timestamp.milliseconds_since(workflow.clock),
        success: true,
        summary: WorkflowSummary {
            orders_placed: data.orders_placed,
            orders_succeeded: data.orders_succeeded,
            total_trade_value: data.total_trade_value,
            execution_plan_id: data.plan_id.clone(),
        },
    });
    let notification = notification(workflow, Some(data), None);
    Outcome {
        emissions: vec![completed.into(), notification],
        next: Some(WorkflowState::Completed),
        ..Outcome::default()
    }
}

fn failed(trade: &TradeExecuted, event: &Event) -> Outcome {
    let reason = trade
        .failure_reason
        .clone()
        .unwrap_or_else(|| "the plan was not executed".to_owned());
    let failed = Payload::WorkflowFailed(WorkflowFailed {
        workflow_type: WorkflowType::Trading,
        failure_reason: reason.clone(),
        failure_step: WorkflowStep::TradeExecution,
        error: ErrorDetail {
            class: "PartialExecution".to_owned(),
            message: reason,
            retryable: false,
            context: BTreeMap::new(),
        },
        original_event_type: event.event_type(),
        original_event_id: event.header.event_id.clone(),
        execution_data: Some(trade.execution_data.clone()),
    });
    Outcome::emit(failed, Some(WorkflowState::Failed))
}

fn failure_notification(failed: &WorkflowFailed, workflow: &Workflow) -> Outcome {
    let mut reason = failed.failure_reason.clone();
    if failed.execution_data.is_none() && workflow.orders_sent {
        reason.push_str(
            ". Orders may have been sent: compare the account with the ledger before the next run",
        );
    }
    let notification = notification(
        workflow,
        failed.execution_data.as_ref(),
        Some((&failed.error.class, &reason)),
    );
    Outcome::emit(notification, None)
}

fn traded_after_the_end(trade: &TradeExecuted, workflow: &Workflow) -> Outcome {
    let alert = Payload::SystemNotificationRequested(SystemNotificationRequested {
        notification_type: NotificationKind::Alert,
        subject: format!("{} traded after it had ended", workflow.correlation_id),
        text_content: format!(
            "The workflow was {} when execution reported {} of {} orders filled. Compare the \
             account with the ledger before the next run.",
            workflow.state, trade.orders_succeeded, trade.orders_placed
        ),
        recipient_override: None,
    });
    Outcome {
        remark: Some(format!("the workflow is {} already", workflow.state)),
        ..Outcome::emit(alert, None)
    }
}

fn notification(
    workflow: &Workflow,
    data: Option<&ExecutionData>,
    error: Option<(&str, &str)>,
) -> Emission {
    Payload::TradingNotificationRequested(TradingNotificationRequested {
        trading_success: error.is_none(),
        trading_mode: workflow.configuration.trading_mode,
        orders_placed: data.map_or(0, |data| data.orders_placed),
        orders_succeeded: data.map_or(0, |data| data.orders_succeeded),
        total_trade_value: data.map_or(Money::ZERO, |data| data.total_trade_value),
        execution_data: data.cloned(),
        error_message: error.map(|(_, message)| message.to_owned()),
        error_code: error.map(|(class, _)| class.to_owned()),
        recipient_override: None,
    })
    .into()
}
