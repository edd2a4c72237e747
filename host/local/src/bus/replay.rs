//! Sending archived events to their targets again.

use super::Bus;
use super::publish::{self, Route, Routed};
use crate::database::{Durability, Failure, collect, find, instant, micros, transported};
use alchemiser_events::{CorrelationId, EventId, Timestamp, Transported};
use alchemiser_rules::{RuleName, TargetName};
use alchemiser_worker::StoreError;
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use std::collections::BTreeSet;

/// Events that are read at a time.
const PAGE: u32 = 500;

/// Which events to send to whom.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What EventBridge calls `replay-name`: rules may ask for it.
    pub name: String,
    /// Those published at this instant or later, by the system clock.
    pub from: Timestamp,
    /// Those published before this instant.
    pub to: Timestamp,
    /// Only what this rule sends.
    pub rule: Option<RuleName>,
    /// Nothing to these targets.
    pub skipped: BTreeSet<TargetName>,
}

/// An event and a target that the rules send it to, in a replay.
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
    /// What becomes of it.
    pub fate: Fate,
}

/// What a replay does with an event and a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is delivered.
    Delivered,
    /// It was delivered before: its handler has answered, and does not again.
    DeliveredBefore,
    /// The target is skipped by this replay.
    Skipped,
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
    /// an event was sent to before does not get it again. Tells `each`; if
    /// `only_ask`, nothing is delivered.
    ///
    /// # Errors
    ///
    /// When the store cannot be used; what was made by then stays.
    pub async fn replay(
        &self,
        replay: &Replay,
        only_ask: bool,
        mut each: impl FnMut(Replayed),
    ) -> Result<(), StoreError> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let window = (micros(replay.from), micros(replay.to));
            let page = self
                .database()
                .read(move |connection| page(connection, window, after))
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = (micros(last.stored_at), last.position);
            let routed: Vec<Routed> = page
                .iter()
                .map(|archived| self.routed_by(replay, &archived.event))
                .collect();
            let replay = replay.clone();
            let now = self.now();
            let job =
                move |connection: &Connection| deliver(connection, routed, &replay, only_ask, now);
            let replayed = if only_ask {
                self.database().read(job).await?
            } else {
                self.database().write(Durability::Flushed, job).await?
            };
            self.tell_due();
            replayed.into_iter().for_each(&mut each);
        }
    }

    fn routed_by(&self, replay: &Replay, event: &Transported) -> Routed {
        let mut envelope = event.envelope();
        envelope["replay-name"] = Value::from(replay.name.as_str());
        let mut routed = Routed::of(event.header(), &envelope, &self.routes);
        if let Some(rule) = &replay.rule {
            routed.deliveries.retain(|route| route.rule == *rule);
        }
        routed
    }
}

struct Archived {
    position: i64,
    stored_at: Timestamp,
    event: Transported,
}

fn page(
    connection: &Connection,
    (from, to): (i64, i64),
    after: (i64, i64),
) -> Result<Vec<Archived>, Failure> {
    let bounds = params![from, to, after.0, after.1, PAGE];
    let archived = |row: &Row<'_>| {
        Ok(Archived {
            position: row.get("position")?,
            stored_at: instant(row, "stored_at")?,
            event: transported(row, "body")?,
        })
    };
    Ok(collect(connection, OF_WINDOW, bounds, archived)?)
}

fn deliver(
    connection: &Connection,
    mut routed: Vec<Routed>,
    replay: &Replay,
    only_ask: bool,
    now: Timestamp,
) -> Result<Vec<Replayed>, Failure> {
    let mut replayed = Vec::new();
    for event in &routed {
        for Route { target, rule } in &event.deliveries {
            let key = params![event.event_id.as_str(), target.as_str()];
            let fate = if find(connection, IS_THERE, key, |_| Ok(()))?.is_some() {
                Fate::DeliveredBefore
            } else if replay.skipped.contains(target) {
                Fate::Skipped
            } else {
                Fate::Delivered
            };
            replayed.push(Replayed {
                event_id: event.event_id.clone(),
                workflow: event.correlation_id.clone(),
                target: target.clone(),
                rule: rule.clone(),
                fate,
            });
        }
    }
    if !only_ask {
        for event in &mut routed {
            let is_wanted = |route: &Route| !replay.skipped.contains(&route.target);
            event.deliveries.retain(is_wanted);
        }
        publish::deliver_again(connection, &routed, Some(&replay.name), now)?;
    }
    Ok(replayed)
}
