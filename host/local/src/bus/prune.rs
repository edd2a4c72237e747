//! Forgetting what is old.

use super::Bus;
use crate::blobs::LocalBlobs;
use crate::database::{Durability, Failure, collect, execute, micros, transported};
use alchemiser_events::{BlobReference, Sha256Digest, Timestamp, Transported};
use alchemiser_worker::StoreError;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// Events that are forgotten in one transaction: others wait for it.
const PAGE: u32 = 200;

/// Content is kept before the event that refers to it is stored, by less than
/// this: as long as the handler ran that emitted the event.
const AHEAD_OF_ITS_EVENT: Duration = Duration::from_hours(24);

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
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM plugin_calls WHERE event = ?1",
    "DELETE FROM dead_letters WHERE event = ?1",
    "DELETE FROM deliveries WHERE event = ?1",
    "DELETE FROM events WHERE position = ?1",
];

/// Those that are old and were not forgotten.
pub(super) const KEPT: &str = "SELECT body FROM events WHERE stored_at < ?1 ORDER BY stored_at";

impl Bus {
    /// Forgets events that were published before an instant, with their
    /// deliveries and letters, and answers how many. Content that only they
    /// referred to goes with them, or with those of a day later. Workflows, the
    /// ledger and accounts stay.
    ///
    /// # Errors
    ///
    /// When the store cannot be used; what was forgotten by then stays so.
    pub async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        loop {
            // On disk before any content is removed: after a power failure no
            // event is back without its content.
            let page = self
                .database()
                .write(Durability::Flushed, move |connection| {
                    forget(connection, before)
                })
                .await?;
            forgotten += page;
            if page < PAGE as usize {
                break;
            }
        }
        if forgotten > 0 {
            self.prune_blobs(before).await?;
        }
        Ok(forgotten)
    }

    /// Removes content as old as what was forgotten, but for what an event that
    /// was kept refers to. Whoever stores an event with content that is there
    /// already makes it new.
    async fn prune_blobs(&self, before: Timestamp) -> Result<(), StoreError> {
        let kept = self
            .database()
            .read(move |connection| {
                let body = |row: &rusqlite::Row<'_>| transported(row, "body");
                Ok(collect(connection, KEPT, [micros(before)], body)?)
            })
            .await?;
        let blobs = self.state.blobs.clone();
        let before = SystemTime::from(before.instant());
        let Some(before) = before.checked_sub(AHEAD_OF_ITS_EVENT) else {
            return Ok(());
        };
        let prune = move || {
            let needed = needed(&kept, &blobs);
            blobs.prune_now(before, &needed)
        };
        match tokio::task::spawn_blocking(prune).await {
            Ok(pruned) => pruned.map(|_| ()),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
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

/// All content that these events lead to: what they refer to, also with what
/// left them, and what that refers to in its turn.
fn needed(events: &[Transported], blobs: &LocalBlobs) -> BTreeSet<Sha256Digest> {
    let mut needed = BTreeSet::new();
    let mut to_visit: Vec<Sha256Digest> = Vec::new();
    for event in events {
        to_visit.extend(BlobReference::all_in(&event.envelope()));
        // What is missing cannot say what it refers to.
        if let Ok(whole) = blobs.open_now(event) {
            to_visit.extend(BlobReference::all_in(&whole.envelope()));
        }
    }
    while let Some(digest) = to_visit.pop() {
        if needed.insert(digest)
            && let Some(document) = blobs.document_now(&digest)
        {
            to_visit.extend(BlobReference::all_in(&document));
        }
    }
    needed
}
