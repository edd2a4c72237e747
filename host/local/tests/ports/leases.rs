//! Claims whose handlers take long, or hang, and clocks that are set back.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{Event, EventType, Source, WorkflowStep};
use alchemiser_local::{Bus, Dispatch, Runner, StateDirectory};
use alchemiser_worker::{
    Context, Declaration, Dispatcher, Failure, Handler, Outcome, RetrySettings, Step,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

static DECLARATION: Declaration = Declaration {
    target: "step-0",
    source: Source::Orchestration,
    workflow_step: WorkflowStep::Orchestration,
    acts: false,
    steps: &[Step {
        takes: EventType::SystemNotificationRequested,
        expects: &[],
        emits: &[],
    }],
};

/// Takes so long, and counts how often it was asked.
struct Slow {
    takes: Duration,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Handler for Slow {
    fn declaration(&self) -> &'static Declaration {
        &DECLARATION
    }

    async fn handle(&self, _: &Event, _: &Context<'_>) -> Result<Outcome, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // It holds on to its thread, as a plugin may.
        tokio::task::block_in_place(|| std::thread::sleep(self.takes));
        Ok(Outcome::default())
    }
}

fn runner(directory: &StateDirectory, takes: Duration, asked: &Arc<AtomicUsize>) -> Runner {
    let bus = directory.bus(routes());
    let slow = Slow {
        takes,
        asked: Arc::clone(asked),
    };
    let dispatcher = Dispatcher::new(
        vec![Arc::new(slow)],
        routes(),
        Arc::new(bus.clone()),
        Arc::new(bus.clone()),
        Arc::new(directory.blobs()),
        RetrySettings {
            lease_s: 1,
            ..RetrySettings::default()
        },
    );
    Runner::new(bus, Arc::new(dispatcher) as Arc<dyn Dispatch>, 2)
}

/// Each opening of the directory is an owner of its own, as a process is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_outlives_its_lease_is_not_doubled() {
    let path = scratch();
    let directories = [(); 2].map(|()| StateDirectory::open(path.path()).unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let takes = Duration::from_millis(3_500);
    let runners = directories
        .each_ref()
        .map(|directory| runner(directory, takes, &asked));
    let workflow = correlation("w");
    let begun = Instant::now();
    directories[0]
        .bus(routes())
        .publish(&[event(&workflow, "step-0", 1)])
        .await
        .unwrap();
    let (one, other) = tokio::join!(
        runners[0].run_workflow(&workflow),
        runners[1].run_workflow(&workflow)
    );
    one.and(other).unwrap();
    assert!(begun.elapsed() > takes, "both wait for its end");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

async fn publish(bus: &Bus) -> Event {
    let cause = event(&correlation("w"), "step-0", 1);
    bus.publish(std::slice::from_ref(&cause)).await.unwrap();
    cause
}

/// An hour went back, and nobody waits for an hour: neither for what is due
/// nor for what somebody who hangs has claimed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_stalls_when_the_clock_goes_back() {
    const HOUR: Duration = Duration::from_hours(1);
    for is_claimed in [false, true] {
        let path = scratch();
        let clock = ManualClock::new();
        let hung = open(path.path(), &clock);
        let cause = publish(&hung.bus(routes())).await;
        if is_claimed {
            let bus = hung.bus(routes());
            claim(&bus, &key(&cause, "step-0")).await.unwrap();
        }
        clock.go_back(HOUR);

        let other = open(path.path(), &clock);
        let asked = Arc::new(AtomicUsize::new(0));
        let runner = runner(&other, Duration::ZERO, &asked);
        let workflow = correlation("w");
        let ticking = async {
            // Time passes once somebody has looked, a second at a time.
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                clock.advance(Duration::from_secs(1));
            }
        };
        let before = alchemiser_local::Clock::now(&*clock);
        tokio::select! {
            ended = runner.run_workflow(&workflow) => ended.unwrap(),
            () = ticking => {}
        }
        let took = alchemiser_local::Clock::now(&*clock).milliseconds_since(before);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // The lease is a minute; it cannot be told how much of it had passed.
        let most = if is_claimed { 10 * 60_000 } else { 60_000 };
        assert!(took < most, "{took} ms");
        assert_eq!(took >= 60_000, is_claimed, "{took} ms: a lease is a lease");
    }
}
