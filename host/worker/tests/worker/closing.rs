//! How workflows are closed, and what the owner is told.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::*;
use alchemiser_worker::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// One order filled; the other one too, or refused.
pub(crate) fn trade_executed(workflow: &Workflow, success: bool) -> Event {
    let order = |name: &str, filled: bool| OrderResult {
        symbol: symbol(name),
        action: Side::Buy,
        status: match filled {
            true => OrderStatus::Filled,
            false => OrderStatus::Rejected,
        },
        success: filled,
        client_order_id: ClientOrderId::parse(&format!("al-{name}-0")).unwrap(),
        order_id: BrokerOrderId::parse(&format!("paper-{name}")),
        order_type: OrderType::Market,
        requested_qty: shares("2.5"),
        filled_qty: shares(if filled { "2.5" } else { "0" }),
        remaining_qty: shares(if filled { "0" } else { "2.5" }),
        avg_fill_price: filled.then(|| price("123.45")),
        trade_amount: money(if filled { "308.63" } else { "0" }),
        timestamp: clock(),
        filled_at: filled.then(clock),
        error_message: (!filled).then(|| "308.63 is needed and 17.17 is there".to_owned()),
    };
    let succeeded = if success { 2 } else { 1 };
    let data = ExecutionData {
        plan_id: PlanId::parse("plan-1").unwrap(),
        status: match success {
            true => ExecutionStatus::Success,
            false => ExecutionStatus::PartialSuccess,
        },
        orders_placed: 2,
        orders_succeeded: succeeded,
        total_trade_value: money("617.26"),
        execution_timestamp: clock(),
        success,
        orders: vec![order("SPY", true), order("TLT", success)],
        cash_before: money("5000"),
        cash_after: money("4382.74"),
    };
    let reason = "1 of 2 orders were filled; not filled: BUY TLT";
    let payload = Payload::TradeExecuted(TradeExecuted {
        success,
        orders_placed: 2,
        orders_succeeded: succeeded,
        failure_reason: (!success).then(|| reason.to_owned()),
        failed_symbols: if success { vec![] } else { vec![symbol("TLT")] },
        execution_data: data,
    });
    event(workflow, Source::Execution, payload)
}

fn workflow_failed(workflow: &Workflow, class: &str, message: &str) -> Event {
    let payload = Payload::WorkflowFailed(WorkflowFailed {
        workflow_type: WorkflowType::Trading,
        failure_reason: message.to_owned(),
        failure_step: WorkflowStep::SignalGeneration,
        error: ErrorDetail {
            class: class.to_owned(),
            message: message.to_owned(),
            retryable: false,
            context: BTreeMap::new(),
        },
        original_event_type: EventType::WorkflowStarted,
        original_event_id: started(workflow).header.event_id,
        execution_data: None,
    });
    event(workflow, Source::Strategy, payload)
}

/// The orchestrator and the notifier on the project's routes.
struct Bench {
    memory: Arc<Memory>,
    dispatcher: Dispatcher,
}

impl Bench {
    fn new(workflow: &Workflow) -> Self {
        let memory = Memory::new(routes());
        memory.add_workflow(workflow);
        let notifier = NotificationHandler::new(Arc::clone(&memory) as Arc<dyn Notifier>);
        let dispatcher = Dispatcher::new(
            vec![Arc::new(OrchestrationHandler), Arc::new(notifier)],
            routes(),
            Arc::clone(&memory) as Arc<dyn Deliveries>,
            Arc::clone(&memory) as Arc<dyn Workflows>,
            Arc::clone(&memory) as Arc<dyn Blobs>,
            RetrySettings::default(),
        );
        Self { memory, dispatcher }
    }

    /// Delivers an event, and all that follows from it; answers what followed.
    async fn deliver(&self, event: Event) -> Vec<Event> {
        let routes = routes();
        let published = self.memory.events().len();
        let mut next = vec![event.clone()];
        let mut worked_off = published;
        loop {
            for event in next {
                for delivery in routes.deliveries(&event.envelope()) {
                    let key = DeliveryKey {
                        event_id: event.header.event_id.clone(),
                        target: delivery.target.clone(),
                    };
                    self.memory.add_delivery(&key);
                    let transported = event.clone().into();
                    let dispatched = self
                        .dispatcher
                        .dispatch(&transported, delivery.target)
                        .await;
                    assert_eq!(dispatched.unwrap(), Dispatched::Done);
                }
            }
            let events = self.memory.events();
            next = events[worked_off..].to_vec();
            worked_off = events.len();
            if next.is_empty() {
                return events[published..].to_vec();
            }
        }
    }
}

fn types(events: &[Event]) -> Vec<EventType> {
    events.iter().map(Event::event_type).collect()
}

fn notification(events: &[Event]) -> &TradingNotificationRequested {
    let notifications: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::TradingNotificationRequested(request) => Some(request),
            _ => None,
        })
        .collect();
    assert_eq!(notifications.len(), 1, "exactly one notification");
    notifications[0]
}

#[tokio::test]
async fn success_completes_the_workflow_and_is_told_once() {
    for state in [WorkflowState::Planned, WorkflowState::Executing] {
        let workflow = workflow(state);
        let bench = Bench::new(&workflow);
        let events = bench.deliver(trade_executed(&workflow, true)).await;
        assert_eq!(
            types(&events),
            [
                EventType::WorkflowCompleted,
                EventType::TradingNotificationRequested
            ]
        );
        let request = notification(&events);
        assert!(request.trading_success);
        assert_eq!(request.orders_succeeded, 2);
        assert_eq!(request.error_message, None);
        assert!(request.execution_data.is_some());
        let Payload::WorkflowCompleted(completed) = &events[0].payload else {
            panic!("{events:?}");
        };
        assert_eq!(completed.summary.total_trade_value, money("617.26"));
        assert_eq!(completed.workflow_duration_ms, 0);
        assert_eq!(bench.memory.workflow().state, WorkflowState::Completed);
        assert_eq!(bench.memory.messages().len(), 1);
    }
}

#[tokio::test]
async fn failure_fails_the_workflow_and_is_told_once_with_what_was_done() {
    let workflow = workflow(WorkflowState::Executing);
    let bench = Bench::new(&workflow);
    let events = bench.deliver(trade_executed(&workflow, false)).await;
    assert_eq!(
        types(&events),
        [
            EventType::WorkflowFailed,
            EventType::TradingNotificationRequested
        ]
    );
    let request = notification(&events);
    assert!(!request.trading_success);
    assert_eq!(request.error_code.as_deref(), Some("PartialExecution"));
    assert_eq!((request.orders_placed, request.orders_succeeded), (2, 1));
    assert_eq!(request.execution_data.as_ref().unwrap().orders.len(), 2);
    assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
    assert_eq!(bench.memory.messages().len(), 1);
}

#[tokio::test]
async fn trades_after_the_end_raise_an_alert_and_change_nothing() {
    use WorkflowState::{Completed, Failed, TimedOut};
    for state in [Completed, Failed, TimedOut] {
        for success in [true, false] {
            let workflow = workflow(state);
            let bench = Bench::new(&workflow);
            let events = bench.deliver(trade_executed(&workflow, success)).await;
            assert_eq!(types(&events), [EventType::SystemNotificationRequested]);
            assert_eq!(bench.memory.workflow().state, state);
            let messages = bench.memory.messages();
            assert_eq!(messages.len(), 1);
            assert!(messages[0].subject.starts_with("[ALERT]"));
        }
    }
}

#[tokio::test]
async fn a_failed_workflow_is_told_once_in_any_state() {
    for state in WorkflowState::ALL {
        let workflow = workflow(state);
        let bench = Bench::new(&workflow);
        let events = bench
            .deliver(workflow_failed(&workflow, "NoQuote", "there is no price"))
            .await;
        assert_eq!(types(&events), [EventType::TradingNotificationRequested]);
        let request = notification(&events);
        assert!(!request.trading_success);
        assert_eq!(request.execution_data, None);
        assert_eq!(request.error_code.as_deref(), Some("NoQuote"));
        assert_eq!(bench.memory.messages().len(), 1);
        assert_eq!(bench.memory.workflow().state, state);
        // Where an order may be out, the owner must look.
        let message = request.error_message.as_ref().unwrap();
        let warns = message.contains("Orders may have been sent");
        assert_eq!(warns, workflow.orders_sent, "{message}");
    }
}

#[tokio::test]
async fn what_the_owner_reads() {
    let live = {
        let mut live = workflow(WorkflowState::Executing);
        live.configuration.trading_mode = TradingMode::Live;
        live
    };
    let executing = workflow(WorkflowState::Executing);
    let begun = workflow(WorkflowState::Started);
    let report = Payload::ErrorNotificationRequested(ErrorNotificationRequested {
        error_severity: ErrorSeverity::High,
        error_priority: ErrorPriority::Urgent,
        error_title: "The routes cannot be read".to_owned(),
        error_report: "routes.toml:3: unknown key `rulle`".to_owned(),
        error_code: Some("RoutesError".to_owned()),
        recipient_override: None,
    });
    let cases = [
        (&executing, trade_executed(&executing, true)),
        (&live, trade_executed(&live, false)),
        (
            &begun,
            workflow_failed(&begun, "NoQuote", "there is no price for SPY"),
        ),
        (
            &executing,
            workflow_failed(&executing, "BrokerError", "no answer"),
        ),
        (
            &workflow(WorkflowState::Failed),
            trade_executed(&executing, true),
        ),
        (&begun, event(&begun, Source::Strategy, report)),
    ];
    let mut texts = String::new();
    for (workflow, event) in cases {
        let bench = Bench::new(workflow);
        bench.deliver(event).await;
        for message in bench.memory.messages() {
            write!(
                texts,
                "{}\n\n{}\n----\n",
                message.subject,
                message.text.trim_end()
            )
            .unwrap();
        }
    }
    // The account's money is nobody else's business.
    for amount in ["308.63", "617.26", "4382.74", "5000", "17.17", "123.45"] {
        assert!(!texts.contains(amount), "{amount} in {texts}");
    }
    insta::assert_snapshot!(texts);
}
