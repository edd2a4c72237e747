//! The ports in memory, a broker that fails as it is told to, and workflows to
//! try them on.

#![allow(clippy::unwrap_used, reason = "what fails here is the test")]

mod broker;
mod stores;

pub(crate) use broker::{Fault, ScriptedBroker};
pub(crate) use stores::{DeliveryEnd, Memory};

use alchemiser_events::*;
use alchemiser_rules::{Routes, TargetName};
use alchemiser_worker::{Claimed, DeliveryKey, Workflow, WorkflowState};
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// The project's own routes.
pub(crate) fn routes() -> Arc<Routes> {
    let text = include_str!("../../../../routes.toml");
    Arc::new(Routes::parse(text, "routes.toml").unwrap())
}

/// Current that fails at a chosen point: what was under way is never finished,
/// as when the process is killed.
pub(crate) struct Power {
    points_left: AtomicI64,
    cut: Notify,
}

impl Power {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            points_left: AtomicI64::new(i64::MAX),
            cut: Notify::new(),
        })
    }

    /// Lets `points` further points pass and fails at the next.
    pub(crate) fn fails_after(&self, points: i64) {
        self.points_left.store(points, Ordering::SeqCst);
    }

    /// A point at which the process may be killed.
    pub(crate) async fn point(&self) {
        if self.points_left.fetch_sub(1, Ordering::SeqCst) == 0 {
            self.cut.notify_one();
            pending::<()>().await;
        }
    }

    /// The future's output, or nothing when the power failed before its end.
    pub(crate) async fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let output = tokio::select! {
            output = future => Some(output),
            () = self.cut.notified() => None,
        };
        self.fails_after(i64::MAX);
        output
    }
}

/// For property tests, which are not asynchronous.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn decimal(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

pub(crate) fn money(text: &str) -> Money {
    Money::new(decimal(text))
}

pub(crate) fn shares(text: &str) -> Quantity {
    Quantity::new(decimal(text)).unwrap()
}

pub(crate) fn price(text: &str) -> Price {
    Price::new(decimal(text)).unwrap()
}

pub(crate) fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

pub(crate) fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

pub(crate) fn clock() -> Timestamp {
    Timestamp::parse("2022-12-28T21:00:00Z").unwrap()
}

pub(crate) fn configuration(session: &str) -> WorkflowConfiguration {
    WorkflowConfiguration {
        trading_mode: TradingMode::Paper,
        stage: "dev".to_owned(),
        strategy_profile: "book".to_owned(),
        session: SessionDate::parse(session).unwrap(),
        dry_run: false,
    }
}

pub(crate) fn workflow(state: WorkflowState) -> Workflow {
    let mut workflow = Workflow {
        correlation_id: CorrelationId::parse("to be derived").unwrap(),
        account: AccountName::paper(),
        slot: "1600".to_owned(),
        rerun: 0,
        clock: clock(),
        configuration: configuration("2022-12-28"),
        state,
        orders_sent: state > WorkflowState::Planned && state != WorkflowState::Failed,
    };
    workflow.correlation_id = workflow.key().correlation_id();
    workflow
}

pub(crate) fn event(workflow: &Workflow, source: Source, payload: Payload) -> Event {
    let causation_id = CausationId::command(&workflow.correlation_id);
    Event {
        header: Header {
            correlation_id: workflow.correlation_id.clone(),
            event_id: EventId::derive(&causation_id, "test", payload.event_type(), 0, 0),
            causation_id,
            timestamp: workflow.clock,
            source_module: source,
            source_component: None,
            schema_version: SchemaVersion::default(),
            sequence: 1,
            produced_by: None,
            inputs_ref: None,
        },
        payload,
    }
}

/// The event that a workflow begins with.
pub(crate) fn started(workflow: &Workflow) -> Event {
    let payload = Payload::WorkflowStarted(WorkflowStarted {
        workflow_type: WorkflowType::Trading,
        requested_by: "test".to_owned(),
        configuration: workflow.configuration.clone(),
    });
    event(workflow, Source::Orchestration, payload)
}

/// A wish to hold `to` shares of what there are `from` of. The amounts of money
/// are of no consequence to execution.
pub(crate) fn item(name: &str, from: &str, to: &str) -> PlanItem {
    let action = match decimal(from).cmp(&decimal(to)) {
        std::cmp::Ordering::Less => PlanAction::Buy,
        std::cmp::Ordering::Equal => PlanAction::Hold,
        std::cmp::Ordering::Greater => PlanAction::Sell,
    };
    PlanItem {
        symbol: symbol(name),
        action,
        priority: 1,
        current_weight: Weight::ZERO,
        target_weight: Weight::ZERO,
        weight_diff: WeightDifference(Decimal::ZERO),
        current_value: Money::ZERO,
        target_value: Money::ZERO,
        trade_amount: Money::ZERO,
        current_qty: shares(from),
        target_qty: shares(to),
        reference_price: price("100"),
        close_position: decimal(to).is_zero(),
        strategy_attribution: [(StrategyName::parse("trend").unwrap(), Weight::ONE)].into(),
    }
}

pub(crate) fn planned(workflow: &Workflow, items: Vec<PlanItem>) -> Event {
    let causation_id = CausationId::command(&workflow.correlation_id);
    let payload = Payload::RebalancePlanned(RebalancePlanned {
        trades_required: items.iter().any(|item| item.action != PlanAction::Hold),
        rebalance_plan: RebalancePlan {
            plan_id: PlanId::derive(&workflow.correlation_id, &causation_id),
            correlation_id: workflow.correlation_id.clone(),
            causation_id,
            timestamp: workflow.clock,
            items,
            total_portfolio_value: money("100000"),
            cash: money("1000"),
            total_trade_value: Money::ZERO,
        },
        allocation_comparison: AllocationComparison {
            target_values: [].into(),
            current_values: [].into(),
            deltas: [].into(),
            target_money: [].into(),
            current_money: [].into(),
        },
        deadline: workflow.clock.after(Duration::from_mins(15)),
    });
    event(workflow, Source::Portfolio, payload)
}

/// The first claim of a delivery.
pub(crate) fn claimed(event: &Event, target_name: &str) -> Claimed {
    Claimed {
        key: DeliveryKey {
            event_id: event.header.event_id.clone(),
            target: target(target_name),
        },
        token: 1,
        attempt: 1,
        failures: 0,
        generation: 0,
        age: Duration::ZERO,
    }
}
