//! Dead letters: redriven, dropped.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_local::{
    Bus, Clock as _, EventFilter, LetterFilter, LetterNumber, Redrive, Settled, StateDirectory,
};
use alchemiser_worker::{Deliveries as _, WorkflowState, Workflows as _};
use std::sync::Arc;
use std::time::Duration;

struct Dead {
    _path: tempfile::TempDir,
    clock: Arc<ManualClock>,
    directory: StateDirectory,
    bus: Bus,
}

impl Dead {
    /// A directory with `count` dead letters, of the targets `step-0`, …
    async fn letters(count: usize) -> Self {
        let path = scratch();
        let clock = ManualClock::new();
        let directory = open(path.path(), &clock);
        let bus = directory.bus(routes());
        for number in 0..count {
            let cause = event(&correlation("w"), &step(number), 1);
            bus.publish(std::slice::from_ref(&cause)).await.unwrap();
            let claimed = claim(&bus, &key(&cause, &step(number))).await.unwrap();
            bus.commit(&claimed, dead(&claimed, vec![], None))
                .await
                .unwrap();
        }
        Self {
            _path: path,
            clock,
            directory,
            bus,
        }
    }

    fn numbers(&self, filter: &LetterFilter) -> Vec<LetterNumber> {
        let letters = self.directory.queries().unwrap().dead_letters(filter);
        let letters = letters.unwrap();
        letters.into_iter().map(|letter| letter.number).collect()
    }

    fn open(&self) -> Vec<LetterNumber> {
        self.numbers(&LetterFilter::default())
    }
}

#[tokio::test]
async fn a_redriven_letter_is_delivered_once_more_and_may_die_again() {
    let dead_letters = Dead::letters(1).await;
    let Dead {
        clock,
        directory,
        bus,
        ..
    } = &dead_letters;
    let first = dead_letters.open()[0];
    let cause = event(&correlation("w"), "step-0", 1);
    let key = key(&cause, "step-0");

    let accepted = Redrive::Accepted(correlation("w"));
    assert_eq!(bus.redrive(first, true).await.unwrap(), accepted);
    assert!(claim(bus, &key).await.is_none(), "only asked");

    // A day later it is as young as if it had just been published.
    clock.advance(Duration::from_hours(24));
    assert_eq!(bus.redrive(first, false).await.unwrap(), accepted);
    assert_eq!(bus.redrive(first, false).await.unwrap(), Redrive::Settled);
    assert!(dead_letters.open().is_empty());
    let claimed = claim(bus, &key).await.unwrap();
    assert_eq!(
        (claimed.generation, claimed.failures, claimed.attempt),
        (1, 0, 2)
    );
    assert_eq!(claimed.age, Duration::ZERO);

    bus.commit(&claimed, dead(&claimed, vec![], None))
        .await
        .unwrap();
    let second = dead_letters.open()[0];
    assert_ne!(first, second);
    let everything = LetterFilter {
        settled_too: true,
        ..LetterFilter::default()
    };
    assert_eq!(dead_letters.numbers(&everything), [first, second]);
    let queries = directory.queries().unwrap();
    let settled = queries.dead_letter(first).unwrap().unwrap().settled;
    assert_eq!(settled.unwrap().0, Settled::Redriven);
    let letter = queries.dead_letter(second).unwrap().unwrap();
    assert_eq!((letter.generation, letter.settled), (1, None));
}

#[tokio::test]
async fn a_dropped_letter_stays_dead() {
    let dead_letters = Dead::letters(1).await;
    let letter = dead_letters.open()[0];
    assert!(dead_letters.bus.drop_letter(letter).await.unwrap());
    assert!(!dead_letters.bus.drop_letter(letter).await.unwrap());
    let redrive = dead_letters.bus.redrive(letter, false).await.unwrap();
    assert_eq!(redrive, Redrive::Settled);
    assert!(dead_letters.open().is_empty());
    let unknown = LetterNumber::new(99);
    assert!(!dead_letters.bus.drop_letter(unknown).await.unwrap());
    let redrive = dead_letters.bus.redrive(unknown, false).await.unwrap();
    assert_eq!(redrive, Redrive::Settled);
}

#[tokio::test]
async fn letters_are_found_by_rule_and_error() {
    let dead_letters = Dead::letters(3).await;
    let by_rule = LetterFilter {
        rule: Some("step-1".to_owned()),
        ..LetterFilter::default()
    };
    assert_eq!(dead_letters.numbers(&by_rule), [dead_letters.open()[1]]);
    let by_error = |class: &str| LetterFilter {
        error: Some(class.to_owned()),
        workflow: Some(correlation("w")),
        ..LetterFilter::default()
    };
    assert_eq!(dead_letters.numbers(&by_error("Broken")).len(), 3);
    assert!(dead_letters.numbers(&by_error("Other")).is_empty());
}

/// Two at once: one wins, and the workflow moves once.
#[tokio::test]
async fn a_workflow_that_moved_on_is_not_put_back() {
    let dead_letters = Dead::letters(0).await;
    let bus = &dead_letters.bus;
    let workflow = workflow("w");
    let name = &workflow.correlation_id;
    let cause = started(&workflow);
    bus.start(&workflow, &cause, 0).await.unwrap();
    let claimed = claim(bus, &key(&cause, "step-0")).await.unwrap();
    let end = transition(name, WorkflowState::Started, WorkflowState::Failed);
    bus.commit(&claimed, dead(&claimed, vec![], Some(end)))
        .await
        .unwrap();
    let letter = dead_letters.open()[0];

    let (one, other) = tokio::join!(bus.redrive(letter, false), bus.redrive(letter, false));
    let mut redrives = [one.unwrap(), other.unwrap()];
    redrives.sort_by_key(|redrive| *redrive == Redrive::Settled);
    assert_eq!(
        redrives,
        [Redrive::Accepted(name.clone()), Redrive::Settled]
    );
    let state = bus.find(name).await.unwrap().unwrap().state;
    assert_eq!(state, WorkflowState::Started);
}

/// Of what is old, only what somebody may come back to stays.
#[tokio::test]
async fn what_is_old_and_settled_is_forgotten() {
    let dead_letters = Dead::letters(2).await;
    let Dead {
        clock,
        directory,
        bus,
        ..
    } = &dead_letters;
    let open_delivery = event(&correlation("open"), "step-0", 1);
    let nobodys = event(&correlation("nobody"), "nobody", 1);
    bus.publish(&[open_delivery, nobodys]).await.unwrap();
    let settled = dead_letters.open()[0];
    assert!(bus.drop_letter(settled).await.unwrap());
    clock.advance(Duration::from_hours(1));
    let now = clock.now();
    bus.publish(&[event(&correlation("new"), "nobody", 1)])
        .await
        .unwrap();

    assert_eq!(bus.prune(now).await.unwrap(), 2);
    assert_eq!(bus.prune(now).await.unwrap(), 0);
    let queries = directory.queries().unwrap();
    let left = queries.events(&EventFilter::default()).unwrap();
    let left: Vec<&str> = left
        .iter()
        .map(|record| record.event.header().correlation_id.as_str())
        .collect();
    assert_eq!(left, ["new", "open", "w"]);
    assert!(queries.dead_letter(settled).unwrap().is_none());
    assert_eq!(dead_letters.open().len(), 1);
}

#[tokio::test]
async fn more_is_forgotten_than_fits_in_one_transaction() {
    let dead_letters = Dead::letters(0).await;
    let bus = &dead_letters.bus;
    let events: Vec<_> = (0..1000)
        .map(|number| event(&correlation("w"), "nobody", number))
        .collect();
    bus.publish(&events).await.unwrap();
    dead_letters.clock.advance(Duration::from_secs(1));
    let now = dead_letters.clock.now();
    assert_eq!(bus.prune(now).await.unwrap(), 1000);
}
