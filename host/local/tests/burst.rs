//! Ten thousand events at once. By itself, since it looks at the memory of its
//! process.

#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use alchemiser_events::Transported;
use alchemiser_local::{Dispatch, Runner, StateDirectory};
use alchemiser_rules::TargetName;
use alchemiser_worker::{Claim, Deliveries as _, Dispatched, StoreError};
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use support::*;

const EVENTS: usize = 10_000;
const PUBLISHERS: usize = 64;
const HANDS: usize = 4;

/// All events together are much larger than what may be in memory: 400 MB.
const SIZE: usize = 40_000;

/// The writer's page cache is 64 MiB; its queue holds as many events as there
/// are publishers, and the runner reads ahead by a few.
const MEMORY: u64 = 160 << 20;

struct Once {
    bus: alchemiser_local::Bus,
    handled: Mutex<HashSet<String>>,
    count: AtomicUsize,
}

#[async_trait]
impl Dispatch for Once {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let event = whole(event);
        let Claim::Acquired(claimed) = self.bus.claim(&key(event, target.as_str()), LEASE).await?
        else {
            return Ok(Dispatched::NotNow);
        };
        let name = event.header.event_id.to_string();
        assert!(self.handled.lock().unwrap().insert(name), "handled twice");
        self.bus.commit(&claimed, done(Vec::new(), None)).await?;
        self.count.fetch_add(1, Ordering::SeqCst);
        Ok(Dispatched::Done)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_worked_off_in_bounded_memory() {
    let path = scratch();
    let directory = StateDirectory::open(path.path()).unwrap();
    let bus = directory.bus(routes());
    let once = Arc::new(Once {
        bus: bus.clone(),
        handled: Mutex::default(),
        count: AtomicUsize::new(0),
    });
    let before = peak_memory();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                let text = "x".repeat(SIZE);
                for number in (publisher..EVENTS).step_by(PUBLISHERS) {
                    let workflow = correlation(&format!("w{number:05}"));
                    let event = event_saying(&workflow, &command(&workflow), "step-0", 1, &text);
                    // Waits until it is on disk: that is what holds it back.
                    bus.publish(&[event]).await.unwrap();
                }
            })
        })
        .collect();
    let all_handled = async {
        for publisher in publishers {
            publisher.await.unwrap();
        }
        while once.count.load(Ordering::SeqCst) < EVENTS {
            tokio::task::yield_now().await;
        }
    };
    let runner = Runner::new(bus, once.clone(), HANDS);
    runner.run_until(all_handled).await.unwrap();

    let counts = directory.queries().unwrap().counts().unwrap();
    assert_eq!(counts.events, EVENTS as u64);
    assert_eq!(
        (counts.pending, counts.claimed, counts.dead_letters),
        (0, 0, 0)
    );
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        let grown = after - before;
        assert!(grown < MEMORY, "{grown} bytes");
    }
}

/// The most that was ever resident, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}
