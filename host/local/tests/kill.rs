//! Kills a process in the midst of its work, again and again, and checks that
//! nothing was lost and nothing done twice.
//!
//! The process is this program itself, started with the directory to work on.
//! Each workflow takes five steps, of which the fourth buys a share.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/mod.rs"]
mod support;

use alchemiser_broker::{BrokerOrder, BrokerOrderStatus, PaperAccount, PaperStore as _};
use alchemiser_events::{
    AccountName, BrokerOrderId, ClientOrderId, Decimal, Event, Money, OrderResult, OrderStatus,
    OrderType, PlanId, Price, Quantity, Side, Symbol, Timestamp, Transported,
};
use alchemiser_local::{Bus, DeliveryState, Dispatch, EventFilter, Runner, StateDirectory};
use alchemiser_rules::TargetName;
use alchemiser_worker::{
    Claim, Claimed, Deliveries as _, Dispatched, Ledger as _, LedgerEntry, StoreError,
    WorkflowState, Workflows as _,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::*;

const WORKFLOWS: usize = 300;
const KILLS: usize = 25;
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match arguments.first() {
        Some(path) if Path::new(path).is_absolute() => work(Path::new(path)),
        // A test runner that asks for the tests before it runs them.
        Some(_) if has("--list") && has("--ignored") => {}
        Some(_) if has("--list") => println!("kill_again_and_again: test"),
        _ => kill_again_and_again(),
    }
    ExitCode::SUCCESS
}

fn name(number: usize) -> String {
    format!("w{number:04}")
}

fn paper() -> AccountName {
    AccountName::parse("paper").unwrap()
}

fn amount(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn starting_cash() -> Money {
    Money::new(amount("10000"))
}

// The process that is killed.

fn work(path: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let directory = StateDirectory::open(path).unwrap();
        let bus = directory.bus(routes());
        let runner = Arc::new(Runner::new(
            bus.clone(),
            Arc::new(Steps {
                bus: bus.clone(),
                directory,
            }),
            4,
        ));
        // A few at a time, so that the kills are spread over all of them.
        for numbers in (0..WORKFLOWS).collect::<Vec<_>>().chunks(AT_ONCE) {
            let mut tasks = tokio::task::JoinSet::new();
            for &number in numbers {
                let (bus, runner) = (bus.clone(), Arc::clone(&runner));
                tasks.spawn(async move {
                    let workflow = workflow(&name(number));
                    let first = event(&workflow.correlation_id, "step-0", 1);
                    bus.start(&workflow, &first, 0).await.unwrap();
                    runner.run_workflow(&workflow.correlation_id).await.unwrap();
                });
            }
            while let Some(task) = tasks.join_next().await {
                task.unwrap();
            }
        }
    });
}

struct Steps {
    bus: Bus,
    directory: StateDirectory,
}

#[async_trait]
impl Dispatch for Steps {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let event = whole(event);
        use WorkflowState::{Completed, Executing, Planned, Signals, Started};
        let claimed = match self.bus.claim(&key(event, target.as_str()), LEASE).await? {
            Claim::Acquired(claimed) => claimed,
            Claim::Finished => return Ok(Dispatched::Finished),
            Claim::NotNow => return Ok(Dispatched::NotNow),
        };
        let workflow = &event.header.correlation_id;
        let next = |number| vec![next_event(event, &step(number))];
        let (events, moves) = match target.as_str() {
            "step-0" => (next(1), Some((Started, Signals))),
            "step-1" => (next(2), Some((Signals, Planned))),
            "step-2" => {
                assert!(self.bus.begin_orders(workflow).await?);
                self.buy(&claimed, event).await?;
                (next(3), None)
            }
            "step-3" => (next(4), Some((Executing, Completed))),
            _ => (Vec::new(), None),
        };
        let moves = moves.map(|(from, to)| transition(workflow, from, to));
        self.bus.commit(&claimed, done(events, moves)).await?;
        Ok(Dispatched::Done)
    }
}

impl Steps {
    async fn buy(&self, claimed: &Claimed, event: &Event) -> Result<(), StoreError> {
        let workflow = event.header.correlation_id.clone();
        let order = ClientOrderId::parse(&format!("al-{workflow}")).unwrap();
        let symbol = Symbol::parse("SPY").unwrap();
        let share = Quantity::new(amount("1")).unwrap();
        let price = Price::new(amount("10.01")).unwrap();
        let placed = {
            let (order, symbol) = (order.clone(), symbol.clone());
            move |account: &mut PaperAccount| {
                account.cash = account.cash - share.at(price);
                let held = account.positions.entry(symbol.clone()).or_default();
                *held = *held + share;
                BrokerOrder {
                    id: BrokerOrderId::paper(&order),
                    client_order_id: order,
                    symbol,
                    side: Side::Buy,
                    quantity: share,
                    status: BrokerOrderStatus::Filled,
                    filled_quantity: share,
                    average_price: Some(price),
                    filled_at: None,
                    reason: None,
                }
            }
        };
        let store = self.directory.paper_store(&paper(), starting_cash());
        let placed = store.place(&order, Box::new(placed)).await.unwrap();
        let entry = LedgerEntry {
            correlation_id: workflow,
            plan_id: PlanId::parse(claimed.key.event_id.as_str()).unwrap(),
            order: OrderResult {
                symbol,
                action: Side::Buy,
                status: OrderStatus::Filled,
                success: true,
                client_order_id: order,
                order_id: Some(placed.id),
                order_type: OrderType::Market,
                requested_qty: share,
                filled_qty: share,
                remaining_qty: Quantity::ZERO,
                avg_fill_price: placed.average_price,
                trade_amount: share.at(price),
                timestamp: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
                filled_at: None,
                error_message: None,
            },
            strategy_weights: BTreeMap::new(),
        };
        self.directory.ledger().record(&entry).await
    }
}

// The process that kills.

fn kill_again_and_again() {
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    println!("seed {seed}");
    let mut random = seed | 1;
    let path = tempfile::tempdir().unwrap();
    let begun = Instant::now();

    let mut kills = 0;
    let mut in_the_midst = 0;
    loop {
        let mut child = start(path.path());
        if kills < KILLS {
            // Xorshift: the moments have to be many, not good.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            std::thread::sleep(Duration::from_millis(10 + random % 150));
            child.kill().unwrap();
        }
        match child.wait().unwrap().code() {
            // A machine may be so fast that all is done before the last kill.
            Some(0) => break,
            Some(code) => panic!("it failed by itself, with code {code}"),
            None => kills += 1,
        }
        in_the_midst += usize::from(has_claims(path.path()));
    }

    check(path.path());
    assert!(in_the_midst > 0);
    println!(
        "{kills} kills, {in_the_midst} of them during a delivery, {WORKFLOWS} workflows, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

fn start(path: &Path) -> std::process::Child {
    let this_program = std::env::current_exe().unwrap();
    Command::new(this_program).arg(path).spawn().unwrap()
}

fn has_claims(path: &Path) -> bool {
    StateDirectory::open_existing(path).is_ok_and(|queries| queries.counts().unwrap().claimed > 0)
}

fn check(path: &Path) {
    let queries = StateDirectory::open_existing(path).unwrap();
    for number in 0..WORKFLOWS {
        let workflow = correlation(&name(number));
        let record = queries.workflow(&workflow).unwrap().unwrap();
        assert_eq!(record.workflow.state, WorkflowState::Completed);
        assert!(record.workflow.orders_sent);
        let trace = queries.trace(&workflow).unwrap();
        let subjects: Vec<_> = trace
            .iter()
            .map(|one| subject(whole(&one.record.event)))
            .collect();
        assert_eq!(subjects, (0..5).map(step).collect::<Vec<_>>());
        for delivery in trace.iter().flat_map(|traced| &traced.deliveries) {
            assert_eq!(delivery.state, DeliveryState::Done);
        }
        assert_eq!(queries.ledger(&workflow).unwrap().len(), 1);
    }
    assert_eq!(
        queries.events(&EventFilter::default()).unwrap().len(),
        WORKFLOWS * 5
    );
    let account = queries.paper_account(&paper()).unwrap().unwrap();
    assert_eq!(account.cash.to_string(), "6997.00");
    assert_eq!(
        account.positions[&Symbol::parse("SPY").unwrap()].to_string(),
        "300"
    );
    let counts = queries.counts().unwrap();
    assert_eq!(
        (counts.pending, counts.claimed, counts.dead_letters),
        (0, 0, 0)
    );
}
