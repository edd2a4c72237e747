//! From a plan to orders, through a broker that fails.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_broker::{Broker, BrokerOrderStatus};
use alchemiser_events::*;
use alchemiser_worker::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One plan, the account that it is for, and the handler that executes it.
struct Bench {
    memory: Arc<Memory>,
    broker: Arc<ScriptedBroker>,
    handler: ExecutionHandler,
    event: Event,
}

impl Bench {
    fn new(cash: &str, items: Vec<PlanItem>) -> Self {
        Self::with(cash, items, ExecutionSettings::default())
    }

    /// The account holds what the plan's items are held of.
    fn with(cash: &str, items: Vec<PlanItem>, settings: ExecutionSettings) -> Self {
        let memory = Memory::new(routes());
        let broker = ScriptedBroker::new(&memory.power, cash, &[]);
        for item in &items {
            if !item.current_qty.is_zero() {
                let mut desk = broker.desk();
                desk.positions.insert(item.symbol.clone(), item.current_qty);
            }
        }
        let workflow = workflow(WorkflowState::Planned);
        memory.add_workflow(&workflow);
        let handler = ExecutionHandler::new(
            Arc::clone(&broker) as Arc<dyn Broker>,
            Arc::clone(&memory) as Arc<dyn Workflows>,
            Arc::clone(&memory) as Arc<dyn Ledger>,
            settings,
        );
        Self {
            event: planned(&workflow, items),
            memory,
            broker,
            handler,
        }
    }

    fn faults(self, faults: &[Fault]) -> Self {
        self.broker.desk().faults.extend(faults);
        self
    }

    /// One attempt.
    async fn attempt(&self) -> Result<TradeExecuted, Failure> {
        let workflow = self.memory.workflow();
        let claimed = claimed(&self.event, "execution");
        let context = Context {
            workflow: Some(&workflow),
            claimed: &claimed,
        };
        let outcome = self.handler.handle(&self.event, &context).await?;
        assert_eq!(outcome.next, Some(WorkflowState::Executing));
        let mut emissions = outcome.emissions;
        match (emissions.pop().unwrap().payload, emissions.is_empty()) {
            (Payload::TradeExecuted(trade), true) => Ok(trade),
            (other, _) => panic!("{other:?}"),
        }
    }

    async fn execute(&self) -> TradeExecuted {
        self.attempt().await.unwrap()
    }

    /// Attempts until one succeeds, as the dispatcher does.
    async fn persist(&self) -> TradeExecuted {
        for _ in 0..20 {
            match self.attempt().await {
                Ok(trade) => return trade,
                Err(failure) => assert!(failure.detail().retryable, "{failure}"),
            }
        }
        panic!("no attempt succeeded");
    }

    /// What was sent: side, symbol, shares.
    fn sent(&self) -> Vec<String> {
        let desk = self.broker.desk();
        desk.taken
            .iter()
            .map(|order| format!("{} {} {}", order.side, order.symbol, order.quantity))
            .collect()
    }

    /// All that is left behind.
    fn traces(&self) -> (Money, String, String, u32) {
        let desk = self.broker.desk();
        (
            desk.cash,
            format!("{:?}", desk.positions),
            serde_json::to_string(&self.memory.ledger()).unwrap(),
            desk.sent_twice,
        )
    }
}

fn statuses(trade: &TradeExecuted) -> Vec<OrderStatus> {
    let orders = trade.execution_data.orders.iter();
    orders.map(|order| order.status).collect()
}

#[tokio::test]
async fn sells_come_before_the_buys_that_they_pay_for() {
    // Whatever order the plan has them in.
    let items = vec![
        item("AAA", "0", "9"),
        item("BBB", "3", "3"),
        item("CCC", "10", "0"),
        item("DDD", "4", "3"),
    ];
    let bench = Bench::new("0", items);
    let trade = bench.execute().await;
    assert_eq!(bench.sent(), ["SELL CCC 10", "SELL DDD 1", "BUY AAA 9"]);
    assert!(trade.success);
    assert_eq!(trade.execution_data.status, ExecutionStatus::Success);
    assert_eq!(trade.orders_succeeded, 3);
    assert_eq!(trade.execution_data.cash_after, money("180"));
    assert_eq!(trade.execution_data.total_trade_value, money("1998"));
}

#[tokio::test]
async fn an_order_whose_answer_was_lost_is_never_sent_again() {
    let items = vec![item("AAA", "0", "2"), item("BBB", "0", "3")];
    let bench = Bench::new("1000", items).faults(&[Fault::LostAnswer]);
    let failure = bench.attempt().await.unwrap_err();
    assert!(failure.detail().retryable);
    let trade = bench.execute().await;
    assert_eq!(bench.sent(), ["BUY AAA 2", "BUY BBB 3"]);
    assert_eq!(bench.broker.desk().sent_twice, 0);
    assert_eq!(statuses(&trade), [OrderStatus::Filled; 2]);
    let orders = &trade.execution_data.orders;
    assert!(orders.iter().all(|order| order.order_id.is_some()));
    assert_eq!(bench.memory.ledger().len(), 2);
}

#[tokio::test]
async fn a_refused_order_stays_refused() {
    // The second order is not reached, so that the first is come to again.
    let items = vec![item("AAA", "0", "2"), item("BBB", "0", "3")];
    let bench = Bench::new("1000", items).faults(&[Fault::Refused, Fault::Unavailable]);
    assert!(bench.attempt().await.is_err());
    let trade = bench.execute().await;
    assert_eq!(bench.sent(), ["BUY BBB 3"]);
    assert_eq!(
        statuses(&trade),
        [OrderStatus::Rejected, OrderStatus::Filled]
    );
    let ledger = bench.memory.ledger();
    let recorded: Vec<OrderResult> = ledger.into_iter().map(|entry| entry.order).collect();
    assert_eq!(recorded, trade.execution_data.orders);
}

#[tokio::test]
async fn no_more_is_sold_than_is_held() {
    let bench = Bench::new("0", vec![item("AAA", "10", "2"), item("BBB", "5", "0")]);
    {
        let mut desk = bench.broker.desk();
        desk.positions.insert(symbol("AAA"), shares("3.5"));
        desk.positions.remove(&symbol("BBB"));
    }
    let trade = bench.execute().await;
    assert_eq!(bench.sent(), ["SELL AAA 3.5"]);
    assert_eq!(
        statuses(&trade),
        [OrderStatus::Filled, OrderStatus::Skipped]
    );
    assert!(trade.success);
}

#[tokio::test]
async fn buys_are_cut_to_the_cash() {
    for (cash, wanted, bought) in [
        ("1010", "10", Some("10")),
        ("1009.99", "10", Some("9")),
        ("1000", "12.5", Some("9.90099")),
        // Cut to nothing, or below the smallest order.
        ("100", "10", None),
        ("0.99", "12.5", None),
        ("0", "10", None),
    ] {
        let bench = Bench::new(cash, vec![item("AAA", "0", wanted)]);
        let trade = bench.execute().await;
        let sent = bought.map(|quantity| format!("BUY AAA {quantity}"));
        assert_eq!(bench.sent(), Vec::from_iter(sent), "{cash}");
        assert!(trade.success);
    }
}

#[tokio::test]
async fn small_orders_are_skipped_and_exits_are_not() {
    let items = vec![
        item("AAA", "1", "0.995"),
        item("BBB", "0.001", "0"),
        item("CCC", "0", "0.009"),
        item("DDD", "0", "0.01"),
    ];
    let bench = Bench::new("1000", items);
    let trade = bench.execute().await;
    assert_eq!(bench.sent(), ["SELL BBB 0.001", "BUY DDD 0.01"]);
    use OrderStatus::{Filled, Skipped};
    assert_eq!(statuses(&trade), [Skipped, Filled, Skipped, Filled]);
    assert!(trade.success);
    assert!(trade.failed_symbols.is_empty());
    assert_eq!(trade.orders_placed, 2);
}

#[tokio::test]
async fn what_forbids_trading_is_found_before_the_first_order() {
    type Spoil = fn(&mut Bench);
    let cases: [(&str, Spoil); 5] = [
        ("StalePlan", |bench| {
            if let Payload::RebalancePlanned(planned) = &mut bench.event.payload {
                planned.deadline = Timestamp::parse("2022-12-28T20:59:59.999999Z").unwrap();
            }
        }),
        ("TradingModeMismatch", |bench| {
            bench.broker.desk().mode = TradingMode::Live;
        }),
        ("MarketClosed", |bench| bench.broker.desk().open = false),
        ("AccountBlocked", |bench| {
            bench.broker.desk().blocked = Some("under review".to_owned());
        }),
        ("DryRun", |bench| {
            let mut dry = bench.memory.workflow();
            dry.configuration.dry_run = true;
            let memory = Memory::new(routes());
            memory.add_workflow(&dry);
            bench.memory = memory;
        }),
    ];
    for (class, spoil) in cases {
        let mut bench = Bench::new("1000", vec![item("AAA", "0", "2")]);
        spoil(&mut bench);
        let failure = bench.attempt().await.unwrap_err();
        assert_eq!(failure.detail().class, class);
        assert!(!failure.detail().retryable);
        assert!(bench.sent().is_empty());
        assert!(bench.memory.ledger().is_empty());
        let workflow = bench.memory.workflow();
        assert_eq!(workflow.state, WorkflowState::Planned, "{class}");
        assert!(!workflow.orders_sent, "{class}");
    }
}

#[tokio::test]
async fn the_workflow_says_that_orders_may_be_out_before_the_first_is() {
    let bench = Bench::new("1000", vec![item("AAA", "0", "2")]).faults(&[Fault::Unavailable]);
    assert!(bench.attempt().await.is_err());
    let workflow = bench.memory.workflow();
    assert_eq!(workflow.state, WorkflowState::Executing);
    assert!(workflow.orders_sent);
}

#[tokio::test]
async fn a_workflow_that_was_ended_meanwhile_sends_nothing() {
    let bench = Bench::new("1000", vec![item("AAA", "0", "2")]);
    let before = bench.memory.workflow();
    bench.memory.set_state(WorkflowState::TimedOut);
    let claimed = claimed(&bench.event, "execution");
    let context = Context {
        workflow: Some(&before),
        claimed: &claimed,
    };
    let failure = bench.handler.handle(&bench.event, &context).await;
    assert_eq!(failure.unwrap_err().detail().class, "OutOfOrder");
    assert!(bench.sent().is_empty());
}

#[tokio::test]
async fn partial_execution_is_judged_by_the_setting() {
    for (faults, status, strict, lenient) in [
        (&[][..], ExecutionStatus::Success, true, true),
        (&[Fault::Half], ExecutionStatus::PartialSuccess, false, true),
        (
            &[Fault::Refused],
            ExecutionStatus::PartialSuccess,
            false,
            true,
        ),
        (
            &[Fault::Half, Fault::Half],
            ExecutionStatus::PartialSuccess,
            false,
            true,
        ),
        (
            &[Fault::Refused, Fault::Refused],
            ExecutionStatus::Failure,
            false,
            false,
        ),
    ] {
        for (as_failure, success) in [(true, strict), (false, lenient)] {
            let settings = ExecutionSettings {
                treat_partial_execution_as_failure: as_failure,
                ..ExecutionSettings::default()
            };
            let items = vec![item("AAA", "0", "2"), item("BBB", "0", "3")];
            let bench = Bench::with("1000", items, settings).faults(faults);
            let trade = bench.execute().await;
            assert_eq!(trade.execution_data.status, status, "{faults:?}");
            assert_eq!(trade.success, success, "{faults:?}");
            assert_eq!(trade.failure_reason.is_some(), !success);
            assert_eq!(trade.failed_symbols.len(), faults.len());
        }
    }
}

#[tokio::test]
async fn a_partly_filled_order_is_told_as_it_is() {
    let bench = Bench::new("1000", vec![item("AAA", "0", "3")]).faults(&[Fault::Half]);
    let trade = bench.execute().await;
    let order = &trade.execution_data.orders[0];
    assert_eq!(order.status, OrderStatus::Partial);
    assert!(!order.success);
    assert_eq!(order.requested_qty, shares("3"));
    assert_eq!(order.filled_qty, shares("1.5"));
    assert_eq!(order.remaining_qty, shares("1.5"));
    assert_eq!(order.trade_amount, money("151.50"));
    assert_eq!(trade.orders_placed, 1);
    assert_eq!(trade.orders_succeeded, 0);
    let reason = trade.failure_reason.as_deref();
    assert_eq!(
        reason,
        Some("0 of 1 orders were filled; not filled: BUY AAA")
    );
}

#[tokio::test]
async fn every_end_of_an_order_at_the_broker_has_a_name() {
    use BrokerOrderStatus as At;
    for (at, filled, status) in [
        (At::Filled, "3", OrderStatus::Filled),
        (At::PartiallyFilled, "1", OrderStatus::Partial),
        (At::Canceled, "1", OrderStatus::Partial),
        (At::Expired, "1", OrderStatus::Partial),
        (At::Accepted, "0", OrderStatus::Unfilled),
        (At::Canceled, "0", OrderStatus::Unfilled),
        (At::Expired, "0", OrderStatus::Unfilled),
        (At::Rejected, "0", OrderStatus::Rejected),
    ] {
        let bench = Bench::new("1000", vec![item("AAA", "0", "3")]).faults(&[Fault::LostAnswer]);
        assert!(bench.attempt().await.is_err());
        for order in bench.broker.desk().orders.values_mut() {
            order.status = at;
            order.filled_quantity = shares(filled);
        }
        let trade = bench.execute().await;
        assert_eq!(statuses(&trade), [status], "{at:?}");
        assert!(trade.execution_data.orders[0].order_id.is_some());
        assert_eq!(trade.success, status == OrderStatus::Filled);
    }
}

#[tokio::test]
async fn nothing_to_trade_is_a_success() {
    for items in [vec![], vec![item("AAA", "3", "3")]] {
        let bench = Bench::new("1000", items);
        // The market need not even be open for it.
        bench.broker.desk().open = false;
        let trade = bench.execute().await;
        assert!(trade.success);
        assert_eq!(trade.execution_data.status, ExecutionStatus::NoTrades);
        assert_eq!(trade.execution_data.total_trade_value, Money::ZERO);
        assert!(!bench.memory.workflow().orders_sent);
    }
}

#[tokio::test]
async fn the_ledger_has_every_order_whatever_its_end() {
    let items = vec![
        item("AAA", "0", "2"),
        item("BBB", "0", "3"),
        item("CCC", "0", "0.001"),
        item("DDD", "0", "1"),
        item("EEE", "0", "2"),
    ];
    let bench = Bench::new("1000", items).faults(&[Fault::None, Fault::Refused, Fault::Half]);
    bench.broker.desk().without_quote.push(symbol("DDD"));
    let trade = bench.execute().await;
    use OrderStatus::{Filled, Partial, Rejected, Skipped, Unfilled};
    assert_eq!(
        statuses(&trade),
        [Filled, Rejected, Skipped, Unfilled, Partial]
    );
    let ledger = bench.memory.ledger();
    let recorded: Vec<&OrderResult> = ledger.iter().map(|entry| &entry.order).collect();
    let told: Vec<&OrderResult> = trade.execution_data.orders.iter().collect();
    assert_eq!(recorded, told);
    for entry in &ledger {
        assert_eq!(entry.strategy_weights.len(), 1);
        assert_eq!(
            entry.order.error_message.is_some(),
            matches!(entry.order.status, Rejected | Skipped | Unfilled)
        );
    }
    assert_eq!(trade.orders_placed, 2);
}

/// A plan of up to six symbols, held and wanted in hundredths of a share.
fn plans() -> impl Strategy<Value = Vec<PlanItem>> {
    let quantities = (0_i64..2_000, prop_oneof![Just(0_i64), 0_i64..2_000]);
    proptest::collection::vec(quantities, 1..6).prop_map(|all| {
        let names = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"];
        let text = |hundredths| Decimal::new(hundredths, 2).to_string();
        names
            .iter()
            .zip(all)
            .map(|(name, (from, to))| item(name, &text(from), &text(to)))
            .collect()
    })
}

fn ends() -> impl Strategy<Value = Vec<Fault>> {
    let fault = proptest::sample::select(vec![Fault::None, Fault::Refused, Fault::Half]);
    proptest::collection::vec(fault, 6)
}

fn any_faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = proptest::sample::select(vec![
        Fault::None,
        Fault::Unavailable,
        Fault::LostAnswer,
        Fault::Refused,
        Fault::Half,
    ]);
    proptest::collection::vec(fault, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Killed anywhere, before or after any effect, any number of times: what
    /// is told and what is left behind is the same as of one run.
    #[test]
    fn a_crash_anywhere_changes_nothing(
        items in plans(),
        cash in 0_i64..300_000,
        ends in ends(),
        crashes in proptest::collection::vec(0_i64..24, 1..4),
    ) {
        let cash = Decimal::new(cash, 2).to_string();
        let ends: BTreeMap<Symbol, Fault> =
            items.iter().map(|item| item.symbol.clone()).zip(ends).collect();
        let whole = Bench::new(&cash, items.clone());
        let cut = Bench::new(&cash, items);
        whole.broker.desk().faults_by_symbol = ends.clone();
        cut.broker.desk().faults_by_symbol = ends;
        block_on(async {
            let expected = whole.execute().await;
            for point in crashes {
                cut.memory.power.fails_after(point);
                let _ = cut.memory.power.run(cut.attempt()).await;
            }
            let told = cut.execute().await;
            prop_assert_eq!(
                serde_json::to_string(&told).unwrap(),
                serde_json::to_string(&expected).unwrap()
            );
            prop_assert_eq!(cut.traces(), whole.traces());
            prop_assert_eq!(cut.sent(), whole.sent());
            Ok(())
        })?;
    }

    /// The broker asserts that no more is sold than is held and no more bought
    /// than is paid for.
    #[test]
    fn no_fault_trades_twice_or_hides_an_order(
        items in plans(),
        cash in 0_i64..300_000,
        faults in any_faults(),
    ) {
        let wanted = items.iter().filter(|item| item.action != PlanAction::Hold).count();
        let bench = Bench::new(&Decimal::new(cash, 2).to_string(), items).faults(&faults);
        let trade = block_on(bench.persist());
        let desk = bench.broker.desk();
        prop_assert_eq!(desk.sent_twice, 0);
        prop_assert_eq!(trade.execution_data.orders.len(), wanted);
        for taken in &desk.taken {
            let order = trade
                .execution_data
                .orders
                .iter()
                .find(|order| order.client_order_id == taken.client_order_id)
                .unwrap();
            let at_broker = &desk.orders[&taken.client_order_id];
            prop_assert_eq!(order.order_id.as_ref(), Some(&at_broker.id));
            prop_assert_eq!(order.filled_qty, at_broker.filled_quantity);
        }
        let first_buy = desk.taken.iter().position(|order| order.side == Side::Buy);
        let last_sell = desk.taken.iter().rposition(|order| order.side == Side::Sell);
        if let (Some(buy), Some(sell)) = (first_buy, last_sell) {
            prop_assert!(sell < buy);
        }
        prop_assert_eq!(bench.memory.ledger().len(), wanted);
        prop_assert_eq!(trade.execution_data.cash_after, desk.cash);
    }
}
