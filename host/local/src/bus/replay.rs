//! Sending archived events to their targets again.

use super::Bus;
use super::publish::{self, Publication};
use crate::database::{Durability, Failure, collect, find, instant, json, micros};
use alchemiser_events::{CorrelationId, Event, EventId, Timestamp};
use alchemiser_rules::{RuleName, TargetName};
use alchemiser_worker::{Replay, StoreError};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

/// Events that are read at a time.
const PAGE: u32 = 500;

/// Which events to replay.
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    /// Published at this instant or later, by the system clock.
    pub from: Timestamp,
    /// Published before this instant.
    pub to: Timestamp,
    /// Only what this rule sends.
    pub rule: Option<RuleName>,
}

/// A delivery that a replay made or would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What is delivered.
    pub event_id: EventId,
    /// Whose it is.
    pub workflow: CorrelationId,
    /// To whom.
    pub target: TargetName,
    /// The rule that sends it.
    pub rule: RuleName,
    /// Whether it was delivered there before, and so is not again.
    pub was_there: bool,
}

pub(super) const OF_WINDOW: &str = "
    SELECT position, stored_at, body FROM events
    WHERE stored_at >= ?1 AND stored_at < ?2 AND (stored_at, position) > (?3, ?4)
    ORDER BY stored_at, position LIMIT ?5";

pub(super) const IS_THERE: &str = "
    SELECT 1 FROM deliveries d JOIN events e ON e.position = d.event
    WHERE e.event_id = ?1 AND d.target = ?2";

impl Bus {
    /// Sends the archived events of a window to the targets that the routes
    /// name by now, in the order in which they were published. A target that
    /// an event was sent to before does not get it again, since its handler
    /// has answered it. Tells `each` delivery; if `only_ask`, none is made.
    ///
    /// # Errors
    ///
    /// When the store cannot be used; what was made by then stays.
    pub async fn replay(
        &self,
        window: &ReplayWindow,
        replay: &Replay,
        only_ask: bool,
        mut each: impl FnMut(Replayed),
    ) -> Result<(), StoreError> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let bounds = window.clone();
            let page = self
                .database()
                .read(move |connection| page(connection, &bounds, after))
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (micros(last.stored_at), last.position);
            let publications: Vec<Publication> = page
                .iter()
                .map(|archived| self.publication(archived, window, replay))
                .collect();
            let replay = replay.clone();
            let now = self.now();
            let job = move |connection: &Connection| {
                deliver(connection, &publications, &replay, only_ask, now)
            };
            let replayed = if only_ask {
                self.database().read(job).await?
            } else {
                self.database().write(Durability::Flushed, job).await?
            };
            self.tell_due();
            replayed.into_iter().for_each(&mut each);
        }
    }

    fn publication(
        &self,
        archived: &Archived,
        window: &ReplayWindow,
        replay: &Replay,
    ) -> Publication {
        // A rule may ask for it, and may ask that it be absent.
        let mut envelope = archived.event.envelope();
        envelope["replay-name"] = Value::from(replay.name.as_str());
        let mut publication = Publication::of(&archived.event, &envelope, &self.routes);
        if let Some(rule) = &window.rule {
            publication.keep_rule(rule);
        }
        publication
    }
}

struct Archived {
    position: i64,
    stored_at: Timestamp,
    event: Event,
}

fn page(
    connection: &Connection,
    window: &ReplayWindow,
    after: (i64, i64),
) -> Result<Vec<Archived>, Failure> {
    let (from, to) = (micros(window.from), micros(window.to));
    let bounds = params![from, to, after.0, after.1, PAGE];
    let archived = |row: &Row<'_>| {
        Ok(Archived {
            position: row.get("position")?,
            stored_at: instant(row, "stored_at")?,
            event: json(row, "body")?,
        })
    };
    Ok(collect(connection, OF_WINDOW, bounds, archived)?)
}

fn deliver(
    connection: &Connection,
    publications: &[Publication],
    replay: &Replay,
    only_ask: bool,
    now: Timestamp,
) -> Result<Vec<Replayed>, Failure> {
    let mut replayed = Vec::new();
    for publication in publications {
        for route in &publication.deliveries {
            let key = params![publication.event_id.as_str(), route.target.as_str()];
            replayed.push(Replayed {
                event_id: publication.event_id.clone(),
                workflow: publication.correlation_id.clone(),
                target: route.target.clone(),
                rule: route.rule.clone(),
                was_there: find(connection, IS_THERE, key, |_| Ok(()))?.is_some(),
            });
        }
    }
    if !only_ask {
        publish::deliver_again(connection, publications, Some(replay), now)?;
    }
    Ok(replayed)
}
