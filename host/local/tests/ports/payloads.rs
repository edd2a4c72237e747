//! Events that are larger than the transport takes.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{BlobReference, Event, Sha256Digest, Transported};
use alchemiser_local::{Bus, EventFilter, EventRecord, LetterFilter, StateDirectory};
use alchemiser_worker::{DeliveryKey, StoreError};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const SMALL: usize = 4_096;

/// An event of which 64 bytes a line cannot be compressed to fit.
fn large(name: &str, subject: &str) -> Event {
    let mut digest = Sha256Digest::of(name.as_bytes());
    let mut text = String::new();
    for _ in 0..200 {
        digest = Sha256Digest::of(digest.bytes());
        text.push_str(&digest.to_string());
    }
    let workflow = correlation(name);
    event_saying(&workflow, &command(&workflow), subject, 1, &text)
}

struct Bench {
    path: tempfile::TempDir,
    clock: Arc<ManualClock>,
    directory: StateDirectory,
    bus: Bus,
}

impl Bench {
    fn new() -> Self {
        let path = scratch();
        let clock = ManualClock::new();
        let directory = open(path.path(), &clock);
        let bus = directory.bus(routes()).with_largest_entry(SMALL);
        Self {
            path,
            clock,
            directory,
            bus,
        }
    }

    fn stored(&self) -> Vec<EventRecord> {
        let queries = self.directory.queries().unwrap();
        queries.events(&EventFilter::default()).unwrap()
    }

    fn whole(&self, record: &EventRecord) -> Result<String, StoreError> {
        let queries = self.directory.queries().unwrap();
        queries.whole_json(record).map(std::borrow::Cow::into_owned)
    }

    fn blobs(&self) -> Vec<PathBuf> {
        files(&self.path.path().join("blobs"))
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test]
async fn what_is_stored_is_small_and_what_is_read_is_whole() {
    let bench = Bench::new();
    let event = large("w", "step-0");
    bench
        .bus
        .publish(std::slice::from_ref(&event))
        .await
        .unwrap();
    let record = &bench.stored()[0];
    assert!(event.entry_size(&record.json) <= SMALL);
    let reference = record.event.payload_ref().unwrap();
    assert_eq!(reference.fields, ["text_content"]);
    assert_eq!(bench.blobs().len(), 1);
    assert_eq!(bench.whole(record).unwrap(), event.to_json());
    // Its small fields have routed it.
    let queries = bench.directory.queries().unwrap();
    assert_eq!(queries.deliveries(&event.header.event_id).unwrap().len(), 1);
    assert_eq!(
        queries.whole(&record.event).unwrap().to_json(),
        event.to_json()
    );
}

/// Rules see what is transported.
#[tokio::test]
async fn a_rule_that_asks_for_what_left_does_not_match() {
    let bench = Bench::new();
    let mut event = large("w", "step-0");
    if let alchemiser_events::Payload::SystemNotificationRequested(says) = &mut event.payload {
        says.text_content = "small".to_owned();
        says.subject = large("w", "").to_json();
    }
    bench
        .bus
        .publish(std::slice::from_ref(&event))
        .await
        .unwrap();
    let fields = bench.stored()[0]
        .event
        .payload_ref()
        .unwrap()
        .fields
        .clone();
    assert_eq!(fields, ["subject"]);
    let queries = bench.directory.queries().unwrap();
    assert!(
        queries
            .deliveries(&event.header.event_id)
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_event_is_published_once_however_it_is_packed() {
    let bench = Bench::new();
    let event = large("w", "step-0");
    let other = {
        let mut other = large("other", "step-0");
        other.header = event.header.clone();
        other
    };
    let unlimited = bench.directory.bus(routes());
    for (first, then) in [(&bench.bus, &unlimited), (&unlimited, &bench.bus)] {
        first.publish(std::slice::from_ref(&event)).await.unwrap();
        then.publish(std::slice::from_ref(&event)).await.unwrap();
        for bus in [first, then] {
            let error = bus.publish(std::slice::from_ref(&other)).await.unwrap_err();
            assert!(matches!(error, StoreError::Contradiction(_)), "{error}");
        }
    }
    assert_eq!(bench.stored().len(), 1);
    assert_eq!(bench.whole(&bench.stored()[0]).unwrap(), event.to_json());
}

#[tokio::test]
async fn one_bad_blob_takes_no_other_event_with_it() {
    let bench = Bench::new();
    let events = [large("bad", "step-0"), large("good", "step-0")];
    bench.bus.publish(&events).await.unwrap();
    let stored = bench.stored();
    let reference = stored[0].event.payload_ref().unwrap().content;
    let blob = bench
        .blobs()
        .into_iter()
        .find(|path| path.ends_with(reference.sha256.to_string()))
        .unwrap();
    let content = std::fs::read(&blob).unwrap();
    let mut altered = content.clone();
    altered[100] ^= 1;
    let changes: [(&str, Option<&[u8]>); 3] = [
        ("is missing", None),
        ("is damaged", Some(&altered)),
        ("is damaged", Some(&content[..1000])),
    ];
    for (says, change) in changes {
        match change {
            Some(content) => std::fs::write(&blob, content).unwrap(),
            None => std::fs::remove_file(&blob).unwrap(),
        }
        assert_eq!(bench.stored().len(), 2);
        assert_eq!(bench.whole(&stored[1]).unwrap(), events[1].to_json());
        let error = bench.whole(&stored[0]).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(error.contains(&blob.display().to_string()), "{error}");
        assert!(error.contains(&reference.sha256.to_string()), "{error}");
    }
    // Publishing it once more mends what was cut short.
    bench.bus.publish(&events).await.unwrap();
    assert_eq!(bench.whole(&stored[0]).unwrap(), events[0].to_json());
}

#[tokio::test]
async fn content_is_kept_for_as_long_as_an_event_that_refers_to_it() {
    let bench = Bench::new();
    let bus = &bench.bus;
    let blobs = bench.directory.blobs();
    // What an event refers to may itself refer to more.
    let prices = blobs.put_now(b"prices").unwrap();
    let question = serde_json::json!({"market": prices}).to_string();
    let question = blobs.put_now(question.as_bytes()).unwrap();
    let mut dead_letter = large("dead-letter", "step-0");
    dead_letter.header.inputs_ref = Some(question);
    let forgotten = ["forgotten", "gone"].map(|name| large(name, "nobody"));
    bus.publish(std::slice::from_ref(&dead_letter))
        .await
        .unwrap();
    bus.publish(&forgotten).await.unwrap();
    let claimed = claim(bus, &key(&dead_letter, "step-0")).await.unwrap();
    let death = dead(&claimed, vec![], None);
    alchemiser_worker::Deliveries::commit(bus, &claimed, death)
        .await
        .unwrap();
    for path in bench.blobs() {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    // One that two events have in common is as new as the later one.
    bench.clock.advance(Duration::from_hours(1));
    let now = alchemiser_local::Clock::now(&*bench.clock);
    let mut shared = large("forgotten", "nobody");
    shared.header.event_id = large("shared", "nobody").header.event_id;
    bus.publish(std::slice::from_ref(&shared)).await.unwrap();
    assert_eq!(bench.blobs().len(), 5);

    assert_eq!(bus.prune(now).await.unwrap(), 2);
    assert_eq!(bench.blobs().len(), 4);
    assert!(blobs.get_now(&prices).is_ok() && blobs.get_now(&question).is_ok());
    let stored = bench.stored();
    assert_eq!(bench.whole(&stored[0]).unwrap(), dead_letter.to_json());
    assert_eq!(bench.whole(&stored[1]).unwrap(), shared.to_json());

    let queries = bench.directory.queries().unwrap();
    let letter = queries
        .dead_letters(&LetterFilter::default())
        .unwrap()
        .remove(0);
    assert!(bus.drop_letter(letter.number).await.unwrap());
    assert_eq!(bus.prune(now).await.unwrap(), 1);
    let stored = bench.stored();
    assert_eq!(bench.whole(&stored[0]).unwrap(), shared.to_json());
    assert_eq!(bench.blobs().len(), 1);
}

#[tokio::test]
async fn a_letter_of_a_packed_event_is_redriven() {
    let bench = Bench::new();
    let event = large("w", "step-0");
    bench
        .bus
        .publish(std::slice::from_ref(&event))
        .await
        .unwrap();
    let key: DeliveryKey = key(&event, "step-0");
    let claimed = claim(&bench.bus, &key).await.unwrap();
    let death = dead(&claimed, vec![], None);
    alchemiser_worker::Deliveries::commit(&bench.bus, &claimed, death)
        .await
        .unwrap();
    let queries = bench.directory.queries().unwrap();
    let letter = queries
        .dead_letters(&LetterFilter::default())
        .unwrap()
        .remove(0);
    // Whether its content is there is asked when it is delivered.
    for blob in bench.blobs() {
        std::fs::remove_file(blob).unwrap();
    }
    bench.bus.redrive(letter.number, false).await.unwrap();
    assert_eq!(claim(&bench.bus, &key).await.unwrap().generation, 1);
}

#[tokio::test]
async fn what_cannot_be_packed_is_refused_and_nothing_is_stored() {
    let bench = Bench::new();
    let mut event = large("w", "step-0");
    event.header.source_component = Some("x".repeat(SMALL));
    let small = event_saying(
        &correlation("v"),
        &command(&correlation("v")),
        "step-0",
        1,
        "",
    );
    let error = bench.bus.publish(&[small, event]).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge(_)), "{error}");
    assert!(bench.stored().is_empty());
}

#[test]
fn references_are_found_wherever_they_are() {
    let mut event = large("w", "step-0");
    let question = BlobReference::to(b"question");
    event.header.inputs_ref = Some(question);
    let found = BlobReference::all_in(&Transported::from(event).envelope());
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [question.sha256]);
}
