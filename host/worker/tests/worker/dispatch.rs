//! Claim, run, commit.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::*;
use alchemiser_worker::*;
use async_trait::async_trait;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Answer = dyn Fn(u32) -> Result<Outcome, Failure> + Send + Sync;

/// Answers what the test says, by the number of the attempt.
struct Scripted {
    declaration: &'static Declaration,
    answer: Box<Answer>,
    attempts: Mutex<Vec<u32>>,
    /// Happens while the handler runs.
    meanwhile: Box<dyn Fn() + Send + Sync>,
}

#[async_trait]
impl Handler for Scripted {
    fn declaration(&self) -> &'static Declaration {
        self.declaration
    }

    async fn handle(&self, _event: &Event, context: &Context<'_>) -> Result<Outcome, Failure> {
        let attempt = context.claimed.attempt;
        self.attempts.lock().unwrap().push(attempt);
        (self.meanwhile)();
        (self.answer)(attempt)
    }
}

/// One delivery of the event to the target, and all that works on it.
struct Bench {
    memory: Arc<Memory>,
    handler: Arc<Scripted>,
    dispatcher: Dispatcher,
    event: Event,
    key: DeliveryKey,
}

impl Bench {
    fn new(
        declaration: &'static Declaration,
        workflow: &Workflow,
        event: Event,
        answer: impl Fn(u32) -> Result<Outcome, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self::with(declaration, workflow, event, answer, |_| Box::new(|| {}))
    }

    fn with(
        declaration: &'static Declaration,
        workflow: &Workflow,
        event: Event,
        answer: impl Fn(u32) -> Result<Outcome, Failure> + Send + Sync + 'static,
        meanwhile: impl FnOnce(Arc<Memory>) -> Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let routes = routes();
        let memory = Memory::new(Arc::clone(&routes));
        let handler = Arc::new(Scripted {
            declaration,
            answer: Box::new(answer),
            attempts: Mutex::default(),
            meanwhile: meanwhile(Arc::clone(&memory)),
        });
        let dispatcher = Dispatcher::new(
            vec![Arc::clone(&handler) as Arc<dyn Handler>],
            routes,
            Arc::clone(&memory) as Arc<dyn Deliveries>,
            Arc::clone(&memory) as Arc<dyn Workflows>,
            Arc::clone(&memory) as Arc<dyn Blobs>,
            RetrySettings {
                lease_s: 1,
                ..RetrySettings::default()
            },
        );
        let key = claimed(&event, declaration.target).key;
        memory.add_workflow(workflow);
        memory.add_delivery(&key);
        Self {
            memory,
            handler,
            dispatcher,
            event,
            key,
        }
    }

    async fn dispatch(&self) -> Dispatched {
        self.dispatcher
            .dispatch(&self.event.clone().into(), &self.key.target)
            .await
            .unwrap()
    }

    fn attempts(&self) -> Vec<u32> {
        self.handler.attempts.lock().unwrap().clone()
    }

    fn only_letter(&self) -> DeadLetter {
        let letters = self.memory.letters();
        assert_eq!(letters.len(), 1);
        letters[0].clone()
    }
}

/// A handler of the strategy step, and the event that it takes.
fn strategy(answer: impl Fn(u32) -> Result<Outcome, Failure> + Send + Sync + 'static) -> Bench {
    let workflow = workflow(WorkflowState::Started);
    let event = started(&workflow);
    Bench::new(&StrategyHandler::DECLARATION, &workflow, event, answer)
}

fn notice(text: &str) -> Payload {
    Payload::SystemNotificationRequested(SystemNotificationRequested {
        notification_type: NotificationKind::Info,
        subject: text.to_owned(),
        text_content: text.to_owned(),
        recipient_override: None,
    })
}

fn signals(_attempt: u32) -> Result<Outcome, Failure> {
    Ok(Outcome {
        emissions: vec![notice("first").into(), notice("second").into()],
        next: Some(WorkflowState::Signals),
        calls: vec![call("dsl", 12), call("momentum", 3)],
        ..Outcome::default()
    })
}

fn call(plugin: &str, milliseconds: u64) -> PluginCall {
    PluginCall {
        plugin: plugin.to_owned(),
        sha256: Sha256Digest::of(plugin.as_bytes()),
        duration: Duration::from_millis(milliseconds),
    }
}

fn unreachable_store(_attempt: u32) -> Result<Outcome, Failure> {
    Err(Failure::transient("StoreError", "not now"))
}

fn broken(_attempt: u32) -> Result<Outcome, Failure> {
    Err(Failure::permanent("Broken", "never"))
}

fn unasked(_attempt: u32) -> Result<Outcome, Failure> {
    panic!("the handler must not be asked");
}

#[tokio::test]
async fn a_step_taken_publishes_and_moves_the_workflow() {
    let bench = strategy(signals);
    assert_eq!(bench.dispatch().await, Dispatched::Done);
    assert_eq!(bench.memory.workflow().state, WorkflowState::Signals);

    let causation = CausationId::from(&bench.event.header.event_id);
    let events = bench.memory.events();
    for (ordinal, event) in (0..).zip(&events) {
        let header = &event.header;
        assert_eq!(
            header.event_id,
            EventId::derive(&causation, "strategy", event.event_type(), ordinal, 0)
        );
        assert_eq!(header.causation_id, causation);
        assert_eq!(header.correlation_id, bench.event.header.correlation_id);
        assert_eq!(header.source_module, Source::Strategy);
        assert_eq!(header.sequence, 2 + ordinal);
        assert_eq!(header.timestamp, clock());
    }
    assert_eq!(events.len(), 2);
    // Who was asked is kept beside the delivery, and once.
    assert_eq!(bench.dispatch().await, Dispatched::Finished);
    assert_eq!(bench.memory.calls(), [call("dsl", 12), call("momentum", 3)]);
    assert_eq!(bench.attempts(), [1]);
}

#[tokio::test]
async fn a_transient_failure_ends_after_the_rules_attempts() {
    let bench = strategy(unreachable_store);
    for _ in 0..3 {
        assert_eq!(bench.dispatch().await, Dispatched::Retry);
        assert!(bench.memory.events().is_empty());
        assert_eq!(bench.memory.workflow().state, WorkflowState::Started);
    }
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    assert_eq!(bench.dispatch().await, Dispatched::Finished);

    let letter = bench.only_letter();
    assert_eq!(letter.rule, "workflow-started");
    assert_eq!(letter.attempts, 4);
    assert_eq!(letter.error.class, "StoreError");
    assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
    let events = bench.memory.events();
    let [event] = &events[..] else {
        panic!("one event, not {events:?}");
    };
    let Payload::WorkflowFailed(failed) = &event.payload else {
        panic!("{event:?}");
    };
    assert_eq!(failed.failure_step, WorkflowStep::SignalGeneration);
    assert_eq!(failed.original_event_id, bench.event.header.event_id);
    assert_eq!(failed.error, letter.error);
}

#[tokio::test]
async fn a_transient_failure_may_pass() {
    let bench = strategy(|attempt| match attempt {
        1 | 2 => unreachable_store(attempt),
        _ => signals(attempt),
    });
    assert_eq!(bench.dispatch().await, Dispatched::Retry);
    assert_eq!(bench.memory.error(&bench.key).unwrap().class, "StoreError");
    assert_eq!(bench.dispatch().await, Dispatched::Retry);
    assert_eq!(bench.dispatch().await, Dispatched::Done);
    assert_eq!(bench.memory.events().len(), 2);
    assert!(bench.memory.letters().is_empty());
}

#[tokio::test]
async fn a_transient_failure_of_an_old_event_is_the_last() {
    let bench = strategy(unreachable_store);
    assert_eq!(bench.dispatch().await, Dispatched::Retry);
    bench.memory.age(&bench.key, Duration::from_secs(3601));
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    assert_eq!(bench.attempts(), [1, 2]);
}

#[tokio::test]
async fn a_permanent_failure_ends_at_once() {
    let bench = strategy(broken);
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    assert_eq!(bench.only_letter().attempts, 1);
    assert_eq!(bench.memory.events().len(), 1);
    assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_delivery() {
    let bench = strategy(|_| panic!("index out of bounds"));
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    let error = bench.only_letter().error;
    assert_eq!(error.class, "Panic");
    assert_eq!(
        error.message,
        "the handler panicked, which is a defect: index out of bounds"
    );
    assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
}

#[tokio::test]
async fn crashes_do_not_count_as_failures() {
    let bench = strategy(unreachable_store);
    for _ in 0..10 {
        bench.memory.power.fails_after(0);
        let cut = bench.memory.power.run(bench.dispatch()).await;
        assert_eq!(cut, None);
        assert_eq!(bench.dispatch().await, Dispatched::NotNow);
        bench.memory.owner_is_gone(&bench.key);
    }
    assert_eq!(bench.dispatch().await, Dispatched::Retry);
}

#[tokio::test]
async fn an_event_for_a_state_passed_is_recorded_and_ignored() {
    for (state, age) in [
        (WorkflowState::Signals, 0),
        (WorkflowState::Executing, 0),
        (WorkflowState::Completed, 0),
        (WorkflowState::Failed, 0),
        // Too old as well: the workflow must not fail for it.
        (WorkflowState::Executing, 100_000),
    ] {
        let bench = strategy(unasked);
        bench.memory.set_state(state);
        bench.memory.age(&bench.key, Duration::from_secs(age));
        assert_eq!(bench.dispatch().await, Dispatched::Done);
        let remark = format!("the workflow is {state} already");
        let end = DeliveryEnd::Done {
            remark: Some(remark),
        };
        assert_eq!(bench.memory.end(&bench.key), Some(end));
        assert!(bench.memory.events().is_empty());
        assert_eq!(bench.memory.workflow().state, state);
    }
}

#[tokio::test]
async fn an_event_that_comes_too_early_is_tried_again() {
    let workflow = workflow(WorkflowState::Signals);
    let event = planned(&workflow, vec![]);
    let declaration = &ExecutionHandler::DECLARATION;
    let bench = Bench::new(declaration, &workflow, event, |_| Ok(Outcome::default()));
    assert_eq!(bench.dispatch().await, Dispatched::Retry);
    assert_eq!(bench.memory.error(&bench.key).unwrap().class, "OutOfOrder");
    assert!(bench.attempts().is_empty());
    bench.memory.set_state(WorkflowState::Planned);
    assert_eq!(bench.dispatch().await, Dispatched::Done);
}

#[tokio::test]
async fn what_should_not_have_come_leaves_the_workflow_alone() {
    let workflow = workflow(WorkflowState::Started);
    let forged = Event {
        header: Header {
            source_module: Source::Notifications,
            ..started(&workflow).header
        },
        ..started(&workflow)
    };
    let bench = strategy(unasked);
    for (event, target_name, class) in [
        (forged, "strategy", "WrongProducer"),
        (started(&workflow), "nobody", "UnknownTarget"),
        (planned(&workflow, vec![]), "strategy", "UnexpectedEvent"),
    ] {
        let key = claimed(&event, target_name).key;
        bench.memory.add_delivery(&key);
        let dispatched = bench.dispatcher.dispatch(&event.into(), &key.target).await;
        assert_eq!(dispatched.unwrap(), Dispatched::Dead);
        let letter = bench.memory.letters().pop().unwrap();
        assert_eq!(letter.error.class, class);
        assert_eq!(letter.key, key);
    }
    assert!(bench.memory.events().is_empty());
    assert_eq!(bench.memory.workflow().state, WorkflowState::Started);
}

#[tokio::test]
async fn what_is_too_old_does_not_begin() {
    let bench = strategy(unasked);
    bench.memory.age(&bench.key, Duration::from_secs(3601));
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    assert_eq!(bench.only_letter().error.class, "Expired");
    assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
    assert_eq!(bench.memory.events().len(), 1);
}

#[tokio::test]
async fn what_was_begun_in_time_is_brought_to_its_end() {
    let bench = strategy(signals);
    bench.memory.power.fails_after(0);
    let cut = bench.memory.power.run(bench.dispatch()).await;
    assert_eq!(cut, None);
    bench.memory.owner_is_gone(&bench.key);
    bench.memory.age(&bench.key, Duration::from_secs(3601));
    assert_eq!(bench.dispatch().await, Dispatched::Done);
    assert_eq!(bench.memory.workflow().state, WorkflowState::Signals);
}

#[tokio::test]
async fn a_report_of_trades_that_comes_too_late_is_still_told() {
    let workflow = workflow(WorkflowState::Executing);
    let event = crate::closing::trade_executed(&workflow, true);
    let declaration = &OrchestrationHandler::DECLARATION;
    let bench = Bench::new(declaration, &workflow, event, unasked);
    bench.memory.age(&bench.key, Duration::from_secs(100_000));
    assert_eq!(bench.dispatch().await, Dispatched::Dead);
    let events = bench.memory.events();
    let Payload::WorkflowFailed(failed) = &events[0].payload else {
        panic!("{events:?}");
    };
    assert_eq!(failed.execution_data.as_ref().unwrap().orders.len(), 2);
}

#[tokio::test]
async fn a_conflict_leaves_everything_for_another_attempt() {
    for answer in [signals, broken] {
        let workflow = workflow(WorkflowState::Started);
        let event = started(&workflow);
        let declaration = &StrategyHandler::DECLARATION;
        // Another worker ends the workflow while the handler runs.
        let bench = Bench::with(declaration, &workflow, event, answer, |memory| {
            Box::new(move || memory.set_state(WorkflowState::TimedOut))
        });
        assert_eq!(bench.dispatch().await, Dispatched::NotNow);
        assert!(bench.memory.events().is_empty());
        assert!(bench.memory.letters().is_empty());
        assert_eq!(bench.memory.end(&bench.key), None);
        assert_eq!(bench.memory.workflow().state, WorkflowState::TimedOut);

        assert_eq!(bench.dispatch().await, Dispatched::Done);
        assert!(bench.memory.events().is_empty());
        assert_eq!(bench.attempts(), [1]);
    }
}

fn outcome() -> impl Strategy<Value = Result<Outcome, Failure>> {
    let done = proptest::collection::vec(any::<String>(), 0..5).prop_map(|texts| {
        let emissions = texts.iter().map(|text| notice(text).into());
        Ok(Outcome {
            emissions: emissions.collect(),
            next: Some(WorkflowState::Signals),
            ..Outcome::default()
        })
    });
    let failed = (any::<String>(), any::<String>())
        .prop_map(|(class, message)| Err(Failure::permanent(&class, message)));
    prop_oneof![4 => done, 1 => failed]
}

proptest! {
    /// Whatever the handler answers: a delivery whose commit was lost, and
    /// that is worked on again, emits the same events to the byte.
    #[test]
    fn a_second_delivery_emits_the_same_bytes(outcome in outcome()) {
        let bench = strategy(move |_| outcome.clone());
        let bytes = |events: Vec<Event>| -> Vec<String> {
            events.iter().map(Event::to_json).collect()
        };
        block_on(bench.dispatch());
        let first = bench.memory.lose_commit(&bench.key);
        bench.memory.set_state(WorkflowState::Started);
        block_on(bench.dispatch());
        prop_assert_eq!(bytes(bench.memory.events()), bytes(first));
        prop_assert_eq!(bench.attempts(), [1, 2]);
    }
}

/// The claim stays with a handler that takes longer than a lease, also if it
/// does not let go of its thread.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_renewed_for_as_long_as_its_handler_runs() {
    let workflow = workflow(WorkflowState::Started);
    let event = started(&workflow);
    let declaration = &StrategyHandler::DECLARATION;
    let bench = Bench::with(declaration, &workflow, event, signals, |memory| {
        Box::new(move || {
            // Of three in a lease, one more.
            while memory.renewals() < 4 {
                std::thread::yield_now();
            }
        })
    });
    assert_eq!(bench.dispatch().await, Dispatched::Done);
    assert_eq!(bench.attempts(), [1]);
}

/// A signal too large for the transport, and its content in the blob store.
fn packed_signal(bench: &Bench, workflow: &Workflow) -> Transported {
    let mut event = started(workflow);
    event.header.source_module = Source::Strategy;
    let mut digest = Sha256Digest::of(b"");
    let noise: String = (0..200)
        .map(|_| {
            digest = Sha256Digest::of(digest.bytes());
            digest.to_string()
        })
        .collect();
    event.payload = Payload::SignalGenerated(SignalGenerated {
        signals_data: SignalsData {
            strategies: vec![],
            signals: vec![Signal {
                symbol: symbol("SPY"),
                target_weight: Weight::new(decimal("1")).unwrap(),
                contributing: std::collections::BTreeMap::new(),
                reasoning: noise,
            }],
        },
        consolidated_portfolio: ConsolidatedPortfolio {
            target_allocations: std::collections::BTreeMap::new(),
            correlation_id: workflow.correlation_id.clone(),
            timestamp: clock(),
            strategy_count: 1,
            source_strategies: vec![],
        },
        signal_count: 1,
    });
    let parcel = event.pack(4_096).unwrap();
    block_in_place(bench.memory.put(parcel.blob.as_ref().unwrap())).unwrap();
    Transported::parse(&parcel.detail).unwrap()
}

fn block_in_place<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_an_event_is_there_when_it_is_handled() {
    for is_lost in [false, true] {
        let workflow = workflow(WorkflowState::Signals);
        let declaration = &PortfolioHandler::DECLARATION;
        let next = |_| Ok(Outcome::default());
        let bench = Bench::new(declaration, &workflow, started(&workflow), next);
        let event = packed_signal(&bench, &workflow);
        let key = DeliveryKey {
            event_id: event.header().event_id.clone(),
            target: target("portfolio"),
        };
        bench.memory.add_delivery(&key);
        if is_lost {
            bench.memory.lose_blobs();
        }
        let dispatched = bench
            .dispatcher
            .dispatch(&event, &key.target)
            .await
            .unwrap();
        if !is_lost {
            assert_eq!(dispatched, Dispatched::Done);
            assert_eq!(bench.attempts(), [1]);
            continue;
        }
        // At once, with no further attempt; the workflow has failed, and says
        // why.
        assert_eq!(dispatched, Dispatched::Dead);
        assert!(bench.attempts().is_empty());
        let letter = bench.only_letter();
        assert_eq!(letter.error.class, "DamagedContent");
        assert!(letter.error.message.contains("is missing"));
        assert_eq!(letter.attempts, 1);
        assert_eq!(letter.rule, "signal-generated");
        assert_eq!(bench.memory.workflow().state, WorkflowState::Failed);
        let events = bench.memory.events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].event_type(), EventType::WorkflowFailed);
        assert_eq!(
            events[0].header.causation_id.as_str(),
            key.event_id.as_str()
        );
    }
}

/// A full disk says nothing of the delivery: no attempt is counted as failed.
#[tokio::test]
async fn a_store_that_needs_somebody_stops_the_worker() {
    let bench = strategy(|_| Err(StoreError::Unusable("the disk is full".to_owned()).into()));
    let dispatched = bench
        .dispatcher
        .dispatch(&bench.event.clone().into(), &bench.key.target)
        .await;
    assert_eq!(dispatched.unwrap_err().to_string(), "the disk is full");
    assert_eq!(bench.memory.end(&bench.key), None);
    assert_eq!(bench.memory.workflow().state, WorkflowState::Started);
}
