//! Forgetting what is old.

use super::Bus;
use crate::database::{Durability, Failure, collect, execute, micros};
use alchemiser_events::Timestamp;
use alchemiser_worker::StoreError;
use rusqlite::{Connection, params};

/// Events that are forgotten in one transaction: others wait for it.
const PAGE: u32 = 200;

/// What somebody may still come back to stays, however old: open deliveries,
/// and dead letters that wait for somebody.
pub(super) const OLD: &str = "
    SELECT position FROM events e
    WHERE stored_at < ?1
      AND NOT EXISTS (SELECT 1 FROM deliveries d
                      WHERE d.event = e.position AND d.state IN ('pending', 'claimed'))
      AND NOT EXISTS (SELECT 1 FROM dead_letters l
                      WHERE l.event = e.position AND l.settled IS NULL)
    ORDER BY stored_at LIMIT ?2";

/// In this order, since each refers to the next.
pub(super) const FORGET: [&str; 3] = [
    "DELETE FROM dead_letters WHERE event = ?1",
    "DELETE FROM deliveries WHERE event = ?1",
    "DELETE FROM events WHERE position = ?1",
];

impl Bus {
    /// Forgets events that were published before an instant, with their
    /// deliveries and letters, and answers how many. Workflows, the ledger and
    /// accounts stay.
    ///
    /// # Errors
    ///
    /// When the store cannot be used; what was forgotten by then stays so.
    pub async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        loop {
            // Nothing is lost if a power failure brings some of them back.
            let page = self
                .database()
                .write(Durability::Later, move |connection| {
                    forget(connection, before)
                })
                .await?;
            forgotten += page;
            if page < PAGE as usize {
                return Ok(forgotten);
            }
        }
    }
}

fn forget(connection: &Connection, before: Timestamp) -> Result<usize, Failure> {
    let old = params![micros(before), PAGE];
    let positions: Vec<i64> = collect(connection, OLD, old, |row| row.get("position"))?;
    for position in &positions {
        for sql in FORGET {
            execute(connection, sql, [position])?;
        }
    }
    Ok(positions.len())
}
