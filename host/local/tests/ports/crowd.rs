//! Deliveries beside each other, worked on by the real dispatcher: the one that
//! is slow, the one that never succeeds, and the many.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{Event, EventType, Source, WorkflowStep};
use alchemiser_local::{Bus, DeliveryState, LetterFilter, Runner, StateDirectory};
use alchemiser_worker::{
    Context, Declaration, Dispatcher, Failure, Handler, Outcome, RetrySettings, Step, Workflows,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

const HANDS: usize = 4;

const NOTICE: Step = Step {
    takes: EventType::SystemNotificationRequested,
    expects: &[],
    emits: &[],
};

static STEP_0: Declaration = Declaration {
    target: "step-0",
    source: Source::Orchestration,
    workflow_step: WorkflowStep::Orchestration,
    acts: false,
    steps: &[NOTICE],
};

static STEP_1: Declaration = Declaration {
    target: "step-1",
    ..STEP_0
};

/// Does what the event's text says.
struct Obedient {
    declaration: &'static Declaration,
    handled: AtomicUsize,
    /// A permit for each slow event that may end.
    gate: Semaphore,
}

impl Obedient {
    fn new(declaration: &'static Declaration) -> Arc<Self> {
        Arc::new(Self {
            declaration,
            handled: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    }

    fn handled(&self) -> usize {
        self.handled.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Handler for Obedient {
    fn declaration(&self) -> &'static Declaration {
        self.declaration
    }

    async fn handle(&self, event: &Event, _: &Context<'_>) -> Result<Outcome, Failure> {
        let says = |what: &str| event.to_json().contains(what);
        if says("slow") {
            self.gate.acquire().await.unwrap().forget();
        }
        if says("poison") {
            return Err(Failure::transient("Poison", "it never succeeds"));
        }
        if says("hopeless") {
            return Err(Failure::permanent("Hopeless", "it cannot succeed"));
        }
        self.handled.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::default())
    }
}

fn runner(directory: &StateDirectory, bus: &Bus, handlers: &[&Arc<Obedient>]) -> Runner {
    let handlers = handlers
        .iter()
        .map(|one| Arc::clone(one) as Arc<dyn Handler>);
    let ports = Arc::new(bus.clone());
    let retry = RetrySettings {
        base_ms: 1,
        cap_ms: 4,
        ..RetrySettings::default()
    };
    let workflows: Arc<dyn Workflows> = ports.clone();
    let blobs = Arc::new(directory.blobs());
    let handlers = handlers.collect();
    let dispatcher = Dispatcher::new(handlers, routes(), ports, workflows, blobs, retry);
    Runner::new(bus.clone(), Arc::new(dispatcher), HANDS)
}

/// Events for a target, of which the text says what is to happen.
fn events(step: &str, text: &str, count: usize) -> Vec<Event> {
    (0..count)
        .map(|number| {
            let workflow = correlation(&format!("{text}-{number:05}"));
            event_saying(&workflow, &command(&workflow), step, 1, text)
        })
        .collect()
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

fn open(directory: &StateDirectory) -> u64 {
    let counts = directory.queries().unwrap().counts().unwrap();
    counts.pending + counts.claimed
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slow_holds_nobody_else_up() {
    let path = scratch();
    let directory = StateDirectory::open(path.path()).unwrap();
    let bus = directory.bus(routes());
    let (slow, quick) = (Obedient::new(&STEP_1), Obedient::new(&STEP_0));
    bus.publish(&events("step-1", "slow", HANDS - 1))
        .await
        .unwrap();
    bus.publish(&events("step-0", "quick", 200)).await.unwrap();
    let done = async {
        // The slow ones end only when all the others have.
        until(|| quick.handled() == 200).await;
        assert_eq!(slow.handled(), 0);
        slow.gate.add_permits(HANDS);
        until(|| open(&directory) == 0).await;
    };
    let runner = runner(&directory, &bus, &[&slow, &quick]);
    runner.run_until(done).await.unwrap();
    assert_eq!(slow.handled(), HANDS - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_succeeds_ends_as_a_dead_letter_and_the_others_go_on() {
    let path = scratch();
    let directory = StateDirectory::open(path.path()).unwrap();
    let bus = directory.bus(routes());
    let handler = Obedient::new(&STEP_0);
    bus.publish(&events("step-0", "poison", 20)).await.unwrap();
    bus.publish(&events("step-0", "hopeless", 20))
        .await
        .unwrap();
    bus.publish(&events("step-0", "good", 100)).await.unwrap();
    let done = until(|| open(&directory) == 0);
    runner(&directory, &bus, &[&handler])
        .run_until(done)
        .await
        .unwrap();
    assert_eq!(handler.handled(), 100);

    let queries = directory.queries().unwrap();
    let letters = queries.dead_letters(&LetterFilter::default()).unwrap();
    assert_eq!(letters.len(), 40);
    for record in &letters {
        let letter = &record.letter;
        assert_eq!(letter.rule, "step-0");
        // The rule says three retries; what cannot succeed is not tried again.
        let attempts = match letter.error.class.as_str() {
            "Poison" => 4,
            "Hopeless" => 1,
            other => panic!("{other}"),
        };
        assert_eq!(letter.attempts, attempts);
        assert!(record.first_attempt_at <= record.died_at);
    }
    for number in 0..100 {
        let trace = queries
            .trace(&correlation(&format!("good-{number:05}")))
            .unwrap();
        let deliveries: Vec<_> = trace.iter().flat_map(|one| &one.deliveries).collect();
        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].state, DeliveryState::Done);
        assert_eq!(deliveries[0].attempts, 1);
    }
}
