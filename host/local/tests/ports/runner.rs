//! The runner, with a dispatcher that does little.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::Transported;
use alchemiser_local::{Bus, Dispatch, Runner, StateDirectory};
use alchemiser_rules::TargetName;
use alchemiser_worker::{Claim, Deliveries as _, Dispatched, StoreError};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Answers `step-N` with `step-N+1`, up to `step-4`; counts what it sees.
struct Steps {
    bus: Bus,
    attempts: Mutex<BTreeMap<String, usize>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Failures of each delivery before it succeeds.
    failures: u32,
    /// A permit for each delivery that may end.
    gate: Semaphore,
}

impl Steps {
    fn new(bus: &Bus, failures: u32) -> Arc<Self> {
        Arc::new(Self {
            bus: bus.clone(),
            attempts: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            failures,
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        })
    }

    fn attempts(&self) -> BTreeMap<String, usize> {
        self.attempts.lock().unwrap().clone()
    }
}

#[async_trait]
impl Dispatch for Steps {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let event = whole(event);
        let claimed = match self.bus.claim(&key(event, target.as_str()), LEASE).await? {
            Claim::Acquired(claimed) => claimed,
            Claim::Finished => return Ok(Dispatched::Finished),
            Claim::NotNow => return Ok(Dispatched::NotNow),
        };
        let name = format!("{} {target}", event.header.correlation_id);
        *self.attempts.lock().unwrap().entry(name).or_default() += 1;
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        self.at_once.fetch_sub(1, Ordering::SeqCst);

        if claimed.failures < self.failures {
            let pause = Duration::from_millis(5);
            self.bus.commit(&claimed, retry(pause)).await?;
            return Ok(Dispatched::Retry);
        }
        let number: usize = target.as_str()["step-".len()..].parse().unwrap();
        let next = (number < 4).then(|| next_event(event, &step(number + 1)));
        self.bus
            .commit(&claimed, done(next.into_iter().collect(), None))
            .await?;
        Ok(Dispatched::Done)
    }
}

fn directory() -> (tempfile::TempDir, StateDirectory, Bus) {
    let path = scratch();
    let directory = StateDirectory::open(path.path()).unwrap();
    let bus = directory.bus(routes());
    (path, directory, bus)
}

async fn begin(bus: &Bus, workflows: usize) {
    let events: Vec<_> = (0..workflows)
        .map(|number| event(&correlation(&format!("w{number:03}")), "step-0", 1))
        .collect();
    bus.publish(&events).await.unwrap();
}

fn open_deliveries(directory: &StateDirectory) -> u64 {
    let counts = directory.queries().unwrap().counts().unwrap();
    counts.pending + counts.claimed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_run_to_its_end_and_no_other() {
    let (_path, directory, bus) = directory();
    begin(&bus, 2).await;
    let steps = Steps::new(&bus, 0);
    let runner = Runner::new(bus, steps.clone(), 4);
    runner.run_workflow(&correlation("w001")).await.unwrap();
    let expected = (0..5)
        .map(|number| (format!("w001 step-{number}"), 1))
        .collect();
    assert_eq!(steps.attempts(), expected);
    assert_eq!(open_deliveries(&directory), 1);
    // There is nothing left to do, and nothing is done.
    runner.run_workflow(&correlation("w001")).await.unwrap();
    assert_eq!(steps.attempts(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_until_they_succeed() {
    let (_path, directory, bus) = directory();
    begin(&bus, 1).await;
    let steps = Steps::new(&bus, 2);
    let runner = Runner::new(bus, steps.clone(), 4);
    runner.run_workflow(&correlation("w000")).await.unwrap();
    assert!(steps.attempts().values().all(|&attempts| attempts == 3));
    assert_eq!(open_deliveries(&directory), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workflows_share_a_bounded_number_of_hands() {
    let (_path, directory, bus) = directory();
    let steps = Steps::new(&bus, 1);
    let runner = Runner::new(bus.clone(), steps.clone(), 7);
    let all_done = async {
        begin(&bus, 60).await;
        while open_deliveries(&directory) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    runner.run_until(all_done).await.unwrap();
    let attempts = steps.attempts();
    assert_eq!(attempts.len(), 300);
    assert!(attempts.values().all(|&attempts| attempts == 2));
    assert!(steps.most_at_once.load(Ordering::SeqCst) <= 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_on_one_directory_share_the_work() {
    let path = scratch();
    let directories = [(); 2].map(|()| StateDirectory::open(path.path()).unwrap());
    let buses = directories
        .each_ref()
        .map(|directory| directory.bus(routes()));
    begin(&buses[0], 40).await;
    let steps = buses.each_ref().map(|bus| Steps::new(bus, 0));
    let runners = [0, 1].map(|one| Runner::new(buses[one].clone(), steps[one].clone(), 4));
    for number in 0..40 {
        let workflow = correlation(&format!("w{number:03}"));
        let (one, other) = tokio::join!(
            runners[0].run_workflow(&workflow),
            runners[1].run_workflow(&workflow)
        );
        one.and(other).unwrap();
    }
    let mut all = steps[0].attempts();
    for (name, attempts) in steps[1].attempts() {
        *all.entry(name).or_default() += attempts;
    }
    assert_eq!(all.len(), 200);
    assert!(all.values().all(|&attempts| attempts == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_publishes_is_seen() {
    let (path, directory, bus) = directory();
    let steps = Steps::new(&bus, 0);
    let runner = Runner::new(bus, steps.clone(), 4);
    let other = async {
        let other = StateDirectory::open(path.path()).unwrap();
        begin(&other.bus(routes()), 1).await;
        while steps.attempts().len() < 5 || open_deliveries(&directory) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    runner.run_until(other).await.unwrap();
    assert_eq!(steps.attempts().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_what_was_begun_end_and_begins_nothing() {
    let (_path, directory, bus) = directory();
    begin(&bus, 10).await;
    let mut steps = Steps::new(&bus, 0);
    Arc::get_mut(&mut steps).unwrap().gate = Semaphore::new(0);
    let runner = Runner::new(bus, steps.clone(), 3);
    let shutdown = async {
        while steps.at_once.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        steps.gate.add_permits(100);
    };
    runner.run_until(shutdown).await.unwrap();
    let counts = directory.queries().unwrap().counts().unwrap();
    assert_eq!(counts.claimed, 0);
    assert!(steps.attempts().len() < 50, "{:?}", steps.attempts());
}

/// Cannot use its stores, or panics.
struct Broken {
    panics: bool,
}

#[async_trait]
impl Dispatch for Broken {
    async fn dispatch(&self, _: &Transported, _: &TargetName) -> Result<Dispatched, StoreError> {
        assert!(!self.panics, "on purpose");
        Err(StoreError::Unavailable("the disk is full".to_owned()))
    }
}

#[tokio::test]
async fn an_error_of_the_stores_stops_the_runner() {
    let (_path, _directory, bus) = directory();
    begin(&bus, 3).await;
    let runner = Runner::new(bus, Arc::new(Broken { panics: false }), 2);
    let error = runner.run_until(std::future::pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
}

#[tokio::test]
#[should_panic(expected = "on purpose")]
async fn a_panic_of_a_handler_is_not_swallowed() {
    let (_path, _directory, bus) = directory();
    begin(&bus, 1).await;
    let runner = Runner::new(bus, Arc::new(Broken { panics: true }), 2);
    runner.run_until(std::future::pending()).await.unwrap();
}
