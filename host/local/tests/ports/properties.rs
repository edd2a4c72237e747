//! Whatever happens in whatever order: every delivery ends once.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{CorrelationId, Event};
use alchemiser_local::{Bus, EventFilter, StateDirectory};
use alchemiser_worker::{Claim, Claimed, Deliveries as _, StoreError};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const EVENTS: usize = 4;
const HANDLES: usize = 2;

/// Something that may happen.
#[derive(Clone, Debug)]
enum Act {
    /// An event is published, perhaps again.
    Publish(usize),
    /// A process wants a delivery.
    Claim(usize, usize),
    /// A claim is ended, perhaps one that was lost or ended before.
    End(usize, usize, Ending),
    /// A process is gone, and another takes its place.
    Crash(usize),
    /// Time passes.
    Advance(u64),
    /// The clock is set back.
    GoBack(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Done,
    Retry(u64),
    Dead,
}

fn act() -> impl Strategy<Value = Act> {
    let ending = prop_oneof![
        2 => Just(Ending::Done),
        2 => (0_u64..90).prop_map(Ending::Retry),
        1 => Just(Ending::Dead),
    ];
    prop_oneof![
        2 => (0..EVENTS).prop_map(Act::Publish),
        6 => (0..HANDLES, 0..EVENTS).prop_map(|(handle, event)| Act::Claim(handle, event)),
        5 => (0..HANDLES, 0..64_usize, ending).prop_map(|(handle, claim, ending)| Act::End(handle, claim, ending)),
        1 => (0..HANDLES).prop_map(Act::Crash),
        2 => (1_u64..90).prop_map(Act::Advance),
        1 => (1_u64..90).prop_map(Act::GoBack),
    ]
}

/// What is to be expected of one delivery.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Unpublished,
    Pending {
        due: i64,
        changed: i64,
    },
    Claimed {
        process: usize,
        token: u64,
        until: i64,
    },
    Done,
    Dead,
}

struct World<'a> {
    path: &'a Path,
    clock: Arc<ManualClock>,
    now: i64,
    /// The process at each handle: its number, and its opening.
    processes: Vec<(usize, StateDirectory)>,
    started: usize,
    workflow: CorrelationId,
    expected: Vec<Expected>,
    claims: Vec<(usize, Claimed)>,
}

impl<'a> World<'a> {
    fn new(path: &'a Path) -> Self {
        let clock = ManualClock::new();
        Self {
            path,
            now: 0,
            processes: (0..HANDLES)
                .map(|handle| (handle, open(path, &clock)))
                .collect(),
            started: HANDLES,
            clock,
            workflow: correlation("w"),
            expected: vec![Expected::Unpublished; EVENTS],
            claims: Vec::new(),
        }
    }

    fn event(&self, number: usize) -> Event {
        event(&self.workflow, "step-0", u32::try_from(number).unwrap())
    }

    fn bus(&self, handle: usize) -> Bus {
        self.processes[handle].1.bus(routes())
    }

    fn is_alive(&self, process: usize) -> bool {
        self.processes.iter().any(|(number, _)| *number == process)
    }

    async fn happen(&mut self, act: Act) {
        match act {
            Act::Publish(event) => {
                self.bus(0).publish(&[self.event(event)]).await.unwrap();
                if self.expected[event] == Expected::Unpublished {
                    let (due, changed) = (self.now, self.now);
                    self.expected[event] = Expected::Pending { due, changed };
                }
            }
            Act::Claim(handle, event) => self.claim(handle, event).await,
            Act::End(handle, claim, ending) if !self.claims.is_empty() => {
                let (event, claimed) = self.claims[claim % self.claims.len()].clone();
                self.end(handle, event, &claimed, ending).await;
            }
            Act::End(..) => {}
            Act::Crash(handle) => {
                // The old one has to be gone before the new one opens.
                let place = self.processes.remove(handle);
                drop(place);
                let process = (self.started, open(self.path, &self.clock));
                self.processes.insert(handle, process);
                self.started += 1;
            }
            Act::Advance(seconds) => {
                self.now += i64::try_from(seconds).unwrap();
                self.clock.advance(Duration::from_secs(seconds));
            }
            Act::GoBack(seconds) => {
                self.now -= i64::try_from(seconds).unwrap();
                self.clock.go_back(Duration::from_secs(seconds));
            }
        }
    }

    async fn claim(&mut self, handle: usize, event: usize) {
        let key = key(&self.event(event), "step-0");
        let answer = self.bus(handle).claim(&key, LEASE).await;
        let is_free = match self.expected[event] {
            Expected::Unpublished => {
                assert!(matches!(answer, Err(StoreError::Unavailable(_))));
                return;
            }
            Expected::Done | Expected::Dead => {
                assert!(matches!(answer, Ok(Claim::Finished)));
                return;
            }
            Expected::Pending { due, changed } => due <= self.now || changed > self.now,
            Expected::Claimed { process, until, .. } => {
                until <= self.now || !self.is_alive(process)
            }
        };
        match answer.unwrap() {
            Claim::Acquired(claimed) => {
                assert!(is_free);
                self.expected[event] = Expected::Claimed {
                    process: self.processes[handle].0,
                    token: claimed.token,
                    until: self.now + i64::try_from(LEASE.as_secs()).unwrap(),
                };
                self.claims.push((event, claimed));
            }
            Claim::NotNow => assert!(!is_free),
            Claim::Finished => panic!("it has not ended"),
        }
    }

    async fn end(&mut self, handle: usize, event: usize, claimed: &Claimed, ending: Ending) {
        let emitted = vec![next_event(&self.event(event), "nobody")];
        let commit = match ending {
            Ending::Done => done(emitted, None),
            Ending::Retry(seconds) => retry(Duration::from_secs(seconds)),
            Ending::Dead => dead(claimed, emitted, None),
        };
        let answer = self.bus(handle).commit(claimed, commit).await;
        let is_ours = matches!(
            self.expected[event],
            Expected::Claimed { token, .. } if token == claimed.token
        );
        if !is_ours {
            assert!(matches!(answer, Err(StoreError::Conflict(_))));
            return;
        }
        answer.unwrap();
        self.expected[event] = match ending {
            Ending::Done => Expected::Done,
            Ending::Dead => Expected::Dead,
            Ending::Retry(seconds) => Expected::Pending {
                due: self.now + i64::try_from(seconds).unwrap(),
                changed: self.now,
            },
        };
    }

    /// Brings everything to its end, and counts.
    async fn finish(mut self) {
        self.happen(Act::Advance(1_000)).await;
        for event in 0..EVENTS {
            self.happen(Act::Publish(event)).await;
            self.happen(Act::Claim(0, event)).await;
            if let Some(last) = self.claims.len().checked_sub(1) {
                self.happen(Act::End(0, last, Ending::Done)).await;
            }
        }
        let dead = self
            .expected
            .iter()
            .filter(|one| **one == Expected::Dead)
            .count();
        let done = self
            .expected
            .iter()
            .filter(|one| **one == Expected::Done)
            .count();
        assert_eq!(dead + done, EVENTS);

        let queries = StateDirectory::open_existing(self.path).unwrap();
        // Each led to one event, however often it was tried.
        assert_eq!(
            queries.events(&EventFilter::default()).unwrap().len(),
            2 * EVENTS
        );
        assert_eq!(
            queries
                .dead_letters(&letters_of(&self.workflow))
                .unwrap()
                .len(),
            dead
        );
        let counts = queries.counts().unwrap();
        assert_eq!((counts.pending, counts.claimed), (0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_delivery_ends_once(acts in prop::collection::vec(act(), 1..80)) {
        let path = scratch();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(path.path());
            for act in acts {
                world.happen(act).await;
            }
            world.finish().await;
        });
    }
}
