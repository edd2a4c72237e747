//! Storing an event together with its deliveries.

use crate::database::{Failure, execute, find, micros};
use alchemiser_events::{
    CorrelationId, Event, EventId, Header, Parcel, PayloadTooLarge, Timestamp, transports,
};
use alchemiser_fail_points::fail_point;
use alchemiser_rules::{Routes, RuleName, TargetName};
use alchemiser_worker::StoreError;
use rusqlite::{Connection, params};
use serde_json::Value;

const INSERT_EVENT: &str = "
    INSERT INTO events
        (event_id, correlation_id, sequence, type, source, timestamp, stored_at, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (event_id) DO NOTHING";

pub(super) const STORED_BODY: &str = "SELECT body FROM events WHERE event_id = ?1";

/// A delivery that is there already stays as it is.
const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries
        (event, target, rule, state, routed_at, due_at, changed_at, replay)
    VALUES (?1, ?2, ?3, 'pending', ?4, ?4, ?4, ?5)
    ON CONFLICT (event, target) DO NOTHING";

pub(super) const POSITION: &str = "SELECT position FROM events WHERE event_id = ?1";

pub(super) const BODIES_OF_WORKFLOW: &str = "
    SELECT body FROM events WHERE correlation_id = ?1 ORDER BY sequence, event_id";

/// An event with all that can be said about it without the database, so that
/// the one thread that writes does nothing else.
pub(crate) struct Publication {
    pub(super) routed: Routed,
    sequence: u32,
    event_type: &'static str,
    source: &'static str,
    timestamp: i64,
    /// As it is transported.
    body: String,
    /// The whole event, if something left it.
    whole: Option<String>,
}

/// An event and where the routes send it.
pub(super) struct Routed {
    pub(super) event_id: EventId,
    pub(super) correlation_id: CorrelationId,
    pub(super) deliveries: Vec<Route>,
}

pub(super) struct Route {
    pub(super) target: TargetName,
    pub(super) rule: RuleName,
}

impl Publication {
    /// The event on these routes, with what must be kept as a blob before it
    /// is stored.
    pub(super) fn of(
        event: &Event,
        routes: &Routes,
        largest_entry: usize,
    ) -> Result<(Self, Option<Vec<u8>>), PayloadTooLarge> {
        let parcel = event.pack(largest_entry)?;
        let header = &event.header;
        let envelope = parcel.envelope(event);
        let whole = parcel.is_packed().then(|| event.to_json());
        let Parcel { detail, blob, .. } = parcel;
        let publication = Self {
            routed: Routed::of(header, &envelope, routes),
            sequence: header.sequence,
            event_type: event.event_type().name(),
            source: header.source_module.name(),
            timestamp: micros(header.timestamp),
            body: detail,
            whole,
        };
        Ok((publication, blob))
    }

    /// Whether what is stored is this event, however it was packed then.
    fn is(&self, stored: &str) -> bool {
        transports(stored, self.whole.as_ref().unwrap_or(&self.body))
    }
}

impl Routed {
    /// `envelope` is what the rules are asked about.
    pub(super) fn of(header: &Header, envelope: &Value, routes: &Routes) -> Self {
        let deliveries = routes
            .deliveries(envelope)
            .into_iter()
            .map(|delivery| Route {
                target: delivery.target.clone(),
                rule: delivery.rule.name.clone(),
            })
            .collect();
        Self {
            event_id: header.event_id.clone(),
            correlation_id: header.correlation_id.clone(),
            deliveries,
        }
    }
}

/// Stores events that are not there yet, each with its deliveries. One that is
/// there already had its deliveries then; with other bytes it is refused.
pub(crate) fn store(
    connection: &Connection,
    publications: &[Publication],
    now: Timestamp,
) -> Result<(), Failure> {
    let now = micros(now);
    for publication in publications {
        let routed = &publication.routed;
        let event_id = routed.event_id.as_str();
        let event = params![
            event_id,
            routed.correlation_id.as_str(),
            publication.sequence,
            publication.event_type,
            publication.source,
            publication.timestamp,
            now,
            publication.body,
        ];
        if execute(connection, INSERT_EVENT, event)? == 0 {
            let stored: Option<String> =
                find(connection, STORED_BODY, [event_id], |row| row.get("body"))?;
            if !stored.is_some_and(|stored| publication.is(&stored)) {
                return Err(StoreError::Contradiction(routed.event_id.clone()).into());
            }
            continue;
        }
        fail_point!(EventStored);
        let position = connection.last_insert_rowid();
        deliver(connection, position, routed, None, now)?;
    }
    Ok(())
}

/// Makes the deliveries of stored events that are not there yet, and counts
/// them.
pub(super) fn deliver_again(
    connection: &Connection,
    routed: &[Routed],
    replay: Option<&str>,
    now: Timestamp,
) -> Result<usize, Failure> {
    let mut made = 0;
    for event in routed {
        let event_id = event.event_id.as_str();
        let position = find(connection, POSITION, [event_id], |row| row.get("position"))?;
        if let Some(position) = position {
            made += deliver(connection, position, event, replay, micros(now))?;
        }
    }
    Ok(made)
}

fn deliver(
    connection: &Connection,
    position: i64,
    routed: &Routed,
    replay: Option<&str>,
    now: i64,
) -> Result<usize, Failure> {
    let mut made = 0;
    for Route { target, rule } in &routed.deliveries {
        let delivery = params![position, target.as_str(), rule.as_str(), now, replay,];
        made += execute(connection, INSERT_DELIVERY, delivery)?;
    }
    Ok(made)
}
