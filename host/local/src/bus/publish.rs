//! Storing an event together with its deliveries.

use crate::database::{Failure, execute, find, micros};
use alchemiser_events::{Event, EventId, Timestamp};
use alchemiser_rules::Routes;
use alchemiser_worker::StoreError;
use rusqlite::{Connection, params};

const INSERT_EVENT: &str = "
    INSERT INTO events
        (event_id, correlation_id, sequence, type, source, timestamp, stored_at, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (event_id) DO NOTHING";

pub(super) const STORED_BODY: &str = "SELECT body FROM events WHERE event_id = ?1";

/// A delivery that is there already stays as it is.
const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries (event, target, rule, state, due_at, changed_at)
    VALUES (?1, ?2, ?3, 'pending', ?4, ?4)
    ON CONFLICT (event, target) DO NOTHING";

pub(super) const POSITION: &str = "SELECT position FROM events WHERE event_id = ?1";

pub(super) const BODIES_OF_WORKFLOW: &str = "
    SELECT body FROM events WHERE correlation_id = ?1 ORDER BY sequence, event_id";

/// An event with all that can be said about it without the database, so that
/// the one thread that writes does nothing else.
pub(crate) struct Publication {
    event_id: EventId,
    correlation_id: String,
    sequence: u32,
    event_type: &'static str,
    source: &'static str,
    timestamp: i64,
    body: String,
    deliveries: Vec<Route>,
}

struct Route {
    target: String,
    rule: String,
}

impl Publication {
    pub(super) fn of(event: &Event, routes: &Routes) -> Self {
        let header = &event.header;
        let deliveries = routes
            .deliveries(&event.envelope())
            .into_iter()
            .map(|delivery| Route {
                target: delivery.target.to_string(),
                rule: delivery.rule.name.to_string(),
            })
            .collect();
        Self {
            event_id: header.event_id.clone(),
            correlation_id: header.correlation_id.to_string(),
            sequence: header.sequence,
            event_type: event.event_type().name(),
            source: header.source_module.name(),
            timestamp: micros(header.timestamp),
            body: event.to_json(),
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
        let event_id = publication.event_id.as_str();
        let event = params![
            event_id,
            publication.correlation_id,
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
            if stored.as_ref() != Some(&publication.body) {
                return Err(StoreError::Contradiction(publication.event_id.clone()).into());
            }
            continue;
        }
        deliver(connection, connection.last_insert_rowid(), publication, now)?;
    }
    Ok(())
}

/// Makes the deliveries of stored events that are not there yet, and counts
/// them.
pub(super) fn route_again(
    connection: &Connection,
    publications: &[Publication],
    now: Timestamp,
) -> Result<usize, Failure> {
    let mut made = 0;
    for publication in publications {
        let event_id = publication.event_id.as_str();
        let position = find(connection, POSITION, [event_id], |row| row.get("position"))?;
        if let Some(position) = position {
            made += deliver(connection, position, publication, micros(now))?;
        }
    }
    Ok(made)
}

fn deliver(
    connection: &Connection,
    position: i64,
    publication: &Publication,
    now: i64,
) -> Result<usize, Failure> {
    let mut made = 0;
    for Route { target, rule } in &publication.deliveries {
        let delivery = params![position, target, rule, now];
        made += execute(connection, INSERT_DELIVERY, delivery)?;
    }
    Ok(made)
}
