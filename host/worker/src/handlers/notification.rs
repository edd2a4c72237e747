//! Tells the owner.

use super::unexpected;
use crate::failure::Failure;
use crate::handler::{Context, Declaration, Handler, Outcome, Step};
use crate::ports::{Message, Notifier};
use alchemiser_events::{
    ErrorNotificationRequested, Event, EventType, NotificationKind, OrderResult, Payload, Source,
    SystemNotificationRequested, TradingMode, TradingNotificationRequested, WorkflowStep,
};
use alchemiser_fail_points::fail_point;
use async_trait::async_trait;
use std::fmt::Write;
use std::sync::Arc;

/// Takes the three types of notification.
pub struct NotificationHandler {
    notifier: Arc<dyn Notifier>,
}

impl NotificationHandler {
    /// What it takes and may emit.
    pub const DECLARATION: Declaration = Declaration {
        target: "notifier",
        source: Source::Notifications,
        workflow_step: WorkflowStep::Orchestration,
        acts: true,
        steps: &[
            Step {
                takes: EventType::TradingNotificationRequested,
                expects: &[],
                emits: &[],
            },
            Step {
                takes: EventType::ErrorNotificationRequested,
                expects: &[],
                emits: &[],
            },
            Step {
                takes: EventType::SystemNotificationRequested,
                expects: &[],
                emits: &[],
            },
        ],
    };

    /// A handler that delivers through this port.
    pub fn new(notifier: Arc<dyn Notifier>) -> Self {
        Self { notifier }
    }
}

#[async_trait]
impl Handler for NotificationHandler {
    fn declaration(&self) -> &'static Declaration {
        &Self::DECLARATION
    }

    async fn handle(&self, event: &Event, _context: &Context<'_>) -> Result<Outcome, Failure> {
        let workflow = &event.header.correlation_id;
        let (subject, text) = match &event.payload {
            Payload::TradingNotificationRequested(request) => trading(request, workflow.as_str()),
            Payload::ErrorNotificationRequested(request) => error(request),
            Payload::SystemNotificationRequested(request) => system(request),
            _ => return Err(unexpected(event)),
        };
        let message = Message {
            id: event.header.event_id.clone(),
            subject,
            text,
        };
        self.notifier.deliver(&message).await?;
        fail_point!(OwnerTold);
        Ok(Outcome::default())
    }
}

fn trading(request: &TradingNotificationRequested, workflow: &str) -> (String, String) {
    let mode = match request.trading_mode {
        TradingMode::Paper => "PAPER",
        TradingMode::Live => "LIVE",
    };
    let subject = match (&request.error_code, request.trading_success) {
        (_, true) => format!("[SUCCESS] Alchemiser - {mode} Trading Report"),
        (Some(code), false) => format!("[FAILURE][{code}] Alchemiser - {mode} Trading Report"),
        (None, false) => format!("[FAILURE] Alchemiser - {mode} Trading Report"),
    };

    // No amounts of money: mail travels in the open.
    let mut text = match request.execution_data {
        Some(_) => format!(
            "Workflow {workflow}: {} of {} orders filled.\n",
            request.orders_succeeded, request.orders_placed
        ),
        None => format!("Workflow {workflow}: no orders were reported.\n"),
    };
    if let Some(message) = &request.error_message {
        let _ = writeln!(text, "What went wrong: {message}");
    }
    let orders = request.execution_data.iter().flat_map(|data| &data.orders);
    for OrderResult {
        symbol,
        action,
        filled_qty,
        requested_qty,
        ..
    } in orders
    {
        let _ = writeln!(
            text,
            "{action:<4} {symbol:<10} {filled_qty} of {requested_qty}"
        );
    }
    (subject, text)
}

fn error(request: &ErrorNotificationRequested) -> (String, String) {
    let code = request
        .error_code
        .as_ref()
        .map_or_else(String::new, |code| format!("[{code}]"));
    let subject = format!("[FAILURE]{code} Alchemiser - {}", request.error_title);
    (subject, request.error_report.clone())
}

fn system(request: &SystemNotificationRequested) -> (String, String) {
    let kind = match request.notification_type {
        NotificationKind::Info => "INFO",
        NotificationKind::Warning => "WARNING",
        NotificationKind::Alert => "ALERT",
    };
    let subject = format!("[{kind}] Alchemiser - {}", request.subject);
    (subject, request.text_content.clone())
}
