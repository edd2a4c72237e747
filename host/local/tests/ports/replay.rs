//! Replaying the archive.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::Timestamp;
use alchemiser_local::{Bus, Clock as _, Fate, Replay, Replayed, StateDirectory};
use alchemiser_rules::{Routes, RuleName};
use alchemiser_worker::Deliveries as _;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Routes in which one more rule sends `both` to `step-4`, and one sends what
/// is replayed to `step-3`.
fn more_routes() -> Arc<Routes> {
    let mut text = String::from("[targets]\n");
    for step in [1, 3, 4] {
        text.push_str(&format!("step-{step}.kind = \"handler\"\n"));
    }
    text.push_str(
        "[[rule]]\nname = \"old\"\ntarget = \"step-1\"\n\
         pattern = { detail = { subject = [\"both\"] } }\n\
         [[rule]]\nname = \"new\"\ntarget = \"step-4\"\n\
         pattern = { detail = { subject = [\"both\"] } }\n\
         [[rule]]\nname = \"replayed\"\ntarget = \"step-3\"\n\
         pattern = { replay-name = [\"again\"] }\n",
    );
    Arc::new(Routes::parse(&text, "routes.toml").unwrap())
}

fn again(from: Timestamp, to: Timestamp) -> Replay {
    Replay {
        name: "again".to_owned(),
        from,
        to,
        rule: None,
        skipped: [].into(),
    }
}

async fn replay(bus: &Bus, window: &Replay, only_ask: bool) -> Vec<Replayed> {
    let mut replayed = Vec::new();
    bus.replay(window, only_ask, |one| replayed.push(one))
        .await
        .unwrap();
    replayed
}

fn summary(replayed: &[Replayed]) -> Vec<String> {
    let line = |one: &Replayed| {
        let fate = match one.fate {
            Fate::Delivered => "",
            Fate::DeliveredBefore => " was there",
            Fate::Skipped => " skipped",
        };
        format!("{} {} {}{fate}", one.workflow, one.rule, one.target)
    };
    replayed.iter().map(line).collect()
}

/// Three events a second apart; the instants at which they were published.
async fn published(directory: &StateDirectory, clock: &ManualClock) -> Vec<Timestamp> {
    let bus = directory.bus(routes());
    let mut instants = Vec::new();
    for name in ["a", "b", "c"] {
        clock.advance(SECOND);
        instants.push(clock.now());
        bus.publish(&[event(&correlation(name), "both", 1)])
            .await
            .unwrap();
    }
    instants
}

#[tokio::test]
async fn targets_that_missed_an_event_get_it() {
    let path = scratch();
    let clock = ManualClock::new();
    let directory = open(path.path(), &clock);
    let instants = published(&directory, &clock).await;
    let bus = directory.bus(more_routes());
    let window = again(instants[1], instants[2]);
    let expected = [
        "b old step-1 was there",
        "b new step-4",
        "b replayed step-3",
    ];
    let asked = replay(&bus, &window, true).await;
    assert_eq!(summary(&asked), expected);
    assert_eq!(replay(&bus, &window, true).await, asked, "nothing was done");

    clock.advance(Duration::from_hours(1));
    assert_eq!(replay(&bus, &window, false).await, asked);
    let archived = event(&correlation("b"), "both", 1);
    let claimed = claim(&bus, &key(&archived, "step-4")).await.unwrap();
    assert_eq!(claimed.age, Duration::ZERO);
    let repeated = replay(&bus, &window, false).await;
    assert!(repeated.iter().all(|one| one.fate == Fate::DeliveredBefore));
    bus.commit(&claimed, done(vec![], None)).await.unwrap();
    assert!(claim(&bus, &key(&archived, "step-4")).await.is_none());
}

#[tokio::test]
async fn one_rule_alone_can_be_replayed() {
    let path = scratch();
    let clock = ManualClock::new();
    let directory = open(path.path(), &clock);
    let instants = published(&directory, &clock).await;
    let bus = directory.bus(more_routes());
    let window = Replay {
        rule: Some(RuleName::new("new").unwrap()),
        ..again(instants[0], instants[2].after(SECOND))
    };
    let replayed = replay(&bus, &window, false).await;
    let expected = ["a new step-4", "b new step-4", "c new step-4"];
    assert_eq!(summary(&replayed), expected);
}

/// More than are read at a time, many of them published at one instant.
#[tokio::test]
async fn a_long_window_is_replayed_to_its_end() {
    let path = scratch();
    let clock = ManualClock::new();
    let directory = open(path.path(), &clock);
    let bus = directory.bus(routes());
    let from = clock.now();
    for batch in 0..3 {
        let events: Vec<_> = (0..400)
            .map(|number| event(&correlation("w"), "both", batch * 1000 + number))
            .collect();
        bus.publish(&events).await.unwrap();
        clock.advance(SECOND);
    }
    let window = Replay {
        rule: Some(RuleName::new("new").unwrap()),
        ..again(from, clock.now())
    };
    let bus = directory.bus(more_routes());
    let replayed = replay(&bus, &window, false).await;
    assert_eq!(replayed.len(), 1200);
    let ids: std::collections::BTreeSet<_> = replayed.iter().map(|one| &one.event_id).collect();
    assert_eq!(ids.len(), 1200);
}

/// What is skipped can be had later.
#[tokio::test]
async fn skipped_targets_get_nothing() {
    let path = scratch();
    let clock = ManualClock::new();
    let directory = open(path.path(), &clock);
    let instants = published(&directory, &clock).await;
    let bus = directory.bus(more_routes());
    let all = again(instants[1], instants[2]);
    let most = Replay {
        skipped: [target("step-4")].into(),
        ..all.clone()
    };
    let replayed = replay(&bus, &most, false).await;
    let expected = [
        "b old step-1 was there",
        "b new step-4 skipped",
        "b replayed step-3",
    ];
    assert_eq!(summary(&replayed), expected);
    let replayed = replay(&bus, &all, false).await;
    let expected = [
        "b old step-1 was there",
        "b new step-4",
        "b replayed step-3 was there",
    ];
    assert_eq!(summary(&replayed), expected);
}
