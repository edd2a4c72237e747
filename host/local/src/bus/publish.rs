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

const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries (event, target, rule, state, due_at, changed_at)
    VALUES (?1, ?2, ?3, 'pending', ?4, ?4)";

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
        let position = connection.last_insert_rowid();
        for Route { target, rule } in &publication.deliveries {
            execute(
                connection,
                INSERT_DELIVERY,
                params![position, target, rule, now],
            )?;
        }
    }
    Ok(())
}
