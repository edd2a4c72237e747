//! How much the bus carries, with every commit on disk:
//!
//! ```text
//! cargo bench -p alchemiser-local [-- ARCHIVED…]
//! ```
//!
//! First what a flush to this disk takes, since everything durable is made of
//! flushes; then the throughput by the number of workers, how long a workflow
//! of five events takes, and, for archives of several sizes, what publishing,
//! working and tracing cost with so many events stored.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use alchemiser_events::Transported;
use alchemiser_local::{Bus, Dispatch, Runner, StateDirectory};
use alchemiser_rules::TargetName;
use alchemiser_worker::{Deliveries as _, Dispatched, StoreError, WorkflowState, Workflows as _};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::*;

/// Archived events, unless others are asked for.
const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

const TIME: Duration = Duration::from_secs(4);

fn main() {
    let mut sizes: Vec<usize> = std::env::args()
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let flush = flush();
        println!("a flush of 4 KiB: {:.3} ms\n", milliseconds(flush));

        println!("events/s, and how many events share the time of a flush:");
        println!("workers   publish, claim, commit   chain through the runner");
        for workers in [1, 4, 16, 64, 256] {
            let separate = publish_claim_commit(workers).await;
            let chained = chain(workers).await;
            let share = |rate: f64| rate * flush.as_secs_f64();
            println!(
                "{workers:>7}   {separate:>12.0} {:>9.1}   {chained:>14.0} {:>9.1}",
                share(separate),
                share(chained)
            );
        }

        println!("\nworkflows of five events, one after the other:");
        let mut times = workflows().await;
        times.sort_unstable();
        for (name, place) in [("p50", times.len() / 2), ("p99", times.len() * 99 / 100)] {
            let time = times[place];
            let flushes = time.as_secs_f64() / flush.as_secs_f64();
            println!(
                "{name} {:>9.3} ms {flushes:>6.1} flushes",
                milliseconds(time)
            );
        }

        println!("\narchived   publish one, ms   trace five, ms   claim, ms   bytes/event");
        for size in sizes {
            archived(size).await;
        }
    });
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The least that a commit can take on this disk.
fn flush() -> Duration {
    use std::io::Write as _;
    let mut file = tempfile::tempfile().unwrap();
    let times = (0..200).map(|_| {
        let begun = Instant::now();
        file.write_all(&[1; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    });
    median(times.collect())
}

fn state() -> (tempfile::TempDir, StateDirectory, Bus) {
    let path = tempfile::tempdir().unwrap();
    let directory = StateDirectory::open(path.path()).unwrap();
    let bus = directory.bus(routes());
    (path, directory, bus)
}

/// Each worker publishes an event, claims its delivery and ends it: two
/// flushes, each shared with whoever comes at the same time.
async fn publish_claim_commit(workers: usize) -> f64 {
    let (_path, _directory, bus) = state();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..workers)
        .map(|worker| {
            let bus = bus.clone();
            tokio::spawn(async move {
                let workflow = correlation(&format!("w{worker}"));
                let mut count = 0;
                while begun.elapsed() < TIME {
                    let event = event(&workflow, "step-0", count);
                    bus.publish(std::slice::from_ref(&event)).await.unwrap();
                    let claimed = claim(&bus, &key(&event, "step-0")).await.unwrap();
                    bus.commit(&claimed, done(vec![], None)).await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// Answers each event with the next.
struct Chain {
    bus: Bus,
    handled: AtomicUsize,
}

#[async_trait]
impl Dispatch for Chain {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let event = whole(event);
        let claimed = claim(&self.bus, &key(event, target.as_str()))
            .await
            .unwrap();
        let next = next_event(event, "step-0");
        self.bus.commit(&claimed, done(vec![next], None)).await?;
        self.handled.fetch_add(1, Ordering::Relaxed);
        Ok(Dispatched::Done)
    }
}

/// As workflows do it: the end of one delivery publishes the next event.
async fn chain(workers: usize) -> f64 {
    let (_path, _directory, bus) = state();
    let events: Vec<_> = (0..workers)
        .map(|worker| event(&correlation(&format!("w{worker}")), "step-0", 1))
        .collect();
    bus.publish(&events).await.unwrap();
    let chain = Arc::new(Chain {
        bus: bus.clone(),
        handled: AtomicUsize::new(0),
    });
    let begun = Instant::now();
    Runner::new(bus, chain.clone(), workers)
        .run_until(tokio::time::sleep(TIME))
        .await
        .unwrap();
    chain.handled.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Takes a workflow from step to step.
struct Steps(Bus);

#[async_trait]
impl Dispatch for Steps {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        use WorkflowState::{Completed, Executing, Planned, Signals, Started};
        let Self(bus) = self;
        let event = whole(event);
        let claimed = claim(bus, &key(event, target.as_str())).await.unwrap();
        let workflow = &event.header.correlation_id;
        let (next, moves) = match target.as_str() {
            "step-0" => (Some(1), Some((Started, Signals))),
            "step-1" => (Some(2), Some((Signals, Planned))),
            "step-2" => {
                assert!(bus.begin_orders(workflow).await?);
                (Some(3), None)
            }
            "step-3" => (Some(4), Some((Executing, Completed))),
            _ => (None, None),
        };
        let events = next.map(|number| next_event(event, &step(number)));
        let moves = moves.map(|(from, to)| transition(workflow, from, to));
        let commit = done(events.into_iter().collect(), moves);
        bus.commit(&claimed, commit).await?;
        Ok(Dispatched::Done)
    }
}

/// From the command to the end of the last delivery, with nothing to compute.
async fn workflows() -> Vec<Duration> {
    let (_path, _directory, bus) = state();
    let runner = Runner::new(bus.clone(), Arc::new(Steps(bus.clone())), 4);
    let mut times = Vec::new();
    for number in 0..500 {
        let workflow = workflow(&format!("w{number}"));
        let begun = Instant::now();
        bus.start(&workflow, &started(&workflow), 0).await.unwrap();
        runner.run_workflow(&workflow.correlation_id).await.unwrap();
        times.push(begun.elapsed());
        let state = bus.find(&workflow.correlation_id).await.unwrap().unwrap();
        assert_eq!(state.state, WorkflowState::Completed);
    }
    times
}

async fn archived(size: usize) {
    let (path, directory, bus) = state();
    // Many at a time: the archive is not what is measured.
    for group in (0..size / 5).collect::<Vec<_>>().chunks(2_000) {
        let events: Vec<_> = group
            .iter()
            .flat_map(|number| {
                let workflow = correlation(&format!("dev-paper-{number:09}"));
                (0..5).map(move |sequence| event(&workflow, "nobody", sequence))
            })
            .collect();
        bus.publish(&events).await.unwrap();
    }
    let queries = directory.queries().unwrap();
    let mut publish = Vec::new();
    let mut trace = Vec::new();
    let mut work = Vec::new();
    for number in 0..200_usize {
        let workflow = correlation(&format!("dev-paper-{number:09}-new"));
        let event = event(&workflow, "step-0", 1);
        let begun = Instant::now();
        bus.publish(std::slice::from_ref(&event)).await.unwrap();
        publish.push(begun.elapsed());

        let begun = Instant::now();
        let claimed = claim(&bus, &key(&event, "step-0")).await.unwrap();
        work.push(begun.elapsed());
        bus.commit(&claimed, done(vec![], None)).await.unwrap();

        let old = correlation(&format!("dev-paper-{:09}", number * (size / 1_000)));
        let begun = Instant::now();
        assert_eq!(queries.trace(&old).unwrap().len(), 5);
        trace.push(begun.elapsed());
    }
    // The last one to leave copies the log back.
    drop((queries, bus, directory));
    let bytes = std::fs::metadata(path.path().join("alchemiser.db"))
        .unwrap()
        .len();
    println!(
        "{size:>8}   {:>15.3}   {:>14.3}   {:>9.3}   {:>11.0}",
        milliseconds(median(publish)),
        milliseconds(median(trace)),
        milliseconds(median(work)),
        bytes as f64 / size as f64
    );
}
