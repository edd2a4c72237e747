//! Taking a delivery.

use crate::clock::elapsed;
use crate::database::{
    Failure, execute, find, instant, micros, micros_after, optional_instant, text,
};
use crate::owners::Owners;
use crate::queries::DeliveryState;
use alchemiser_events::Timestamp;
use alchemiser_worker::{Claim, Claimed, DeliveryKey, StoreError};
use rusqlite::{Connection, Row, named_params};
use std::time::Duration;

pub(super) const FIND: &str = "
    SELECT d.event, d.routed_at, d.state, d.due_at, d.changed_at, d.owner, d.lease_until,
           d.attempts, d.failures, d.generation, d.token
    FROM events e JOIN deliveries d ON d.event = e.position
    WHERE e.event_id = ?1 AND d.target = ?2";

pub(super) const CLAIM: &str = "
    UPDATE deliveries
    SET state = 'claimed', owner = :owner, lease_until = :lease_until,
        attempts = attempts + 1, token = token + 1,
        first_attempt_at = COALESCE(first_attempt_at, :now), started_at = :now,
        changed_at = :now
    WHERE event = :event AND target = :target AND token = :token";

pub(super) const RENEW: &str = "
    UPDATE deliveries SET lease_until = :lease_until, changed_at = :now
    WHERE event = (SELECT position FROM events WHERE event_id = :event_id)
      AND target = :target AND state = 'claimed' AND token = :token";

/// Leases that were given before the clock went back last their length from
/// now on.
pub(super) const BRING_BACK: &str = "
    UPDATE deliveries SET lease_until = ?1 + (lease_until - changed_at), changed_at = ?1
    WHERE state = 'claimed' AND changed_at > ?1";

/// What decides whether a delivery can be claimed.
pub(super) struct Availability {
    state: DeliveryState,
    due_at: Timestamp,
    changed_at: Timestamp,
    owner: Option<String>,
    lease_until: Option<Timestamp>,
}

impl Availability {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            state: text(row, "state")?,
            due_at: instant(row, "due_at")?,
            changed_at: instant(row, "changed_at")?,
            owner: row.get("owner")?,
            lease_until: optional_instant(row, "lease_until")?,
        })
    }

    /// Whether it can be claimed now; `is_gone` says whether an owner's process
    /// has ended.
    pub(super) fn is_free(&self, now: Timestamp, mut is_gone: impl FnMut(&str) -> bool) -> bool {
        match self.state {
            // One that was set in the future was set before the clock went
            // back; how long that would make it wait, nobody wants to know.
            DeliveryState::Pending => self.due_at <= now || self.changed_at > now,
            DeliveryState::Claimed => {
                self.lease_until.is_none_or(|until| until <= now)
                    || self.owner.as_deref().is_none_or(&mut is_gone)
            }
            DeliveryState::Done | DeliveryState::Dead => false,
        }
    }

    /// Whether it was claimed, or its claim renewed, before the clock went
    /// back.
    pub(super) fn is_ahead(&self, now: Timestamp) -> bool {
        self.state == DeliveryState::Claimed && self.changed_at > now
    }

    /// When it becomes due, if it waits for that.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        (self.state == DeliveryState::Pending).then_some(self.due_at)
    }
}

pub(super) fn claim(
    connection: &Connection,
    key: &DeliveryKey,
    lease: Duration,
    now: Timestamp,
    owners: &Owners,
) -> Result<Claim, Failure> {
    let parameters = (key.event_id.as_str(), key.target.as_str());
    let found = find(connection, FIND, parameters, |row| {
        Ok((
            Availability::read(row)?,
            row.get::<_, i64>("event")?,
            Claimed {
                key: key.clone(),
                token: row.get::<_, i64>("token")?.cast_unsigned(),
                attempt: row.get("attempts")?,
                failures: row.get("failures")?,
                generation: row.get("generation")?,
                age: elapsed(instant(row, "routed_at")?, now),
            },
        ))
    })?;
    let Some((availability, event, before)) = found else {
        return Err(StoreError::Unavailable(format!("there is no delivery {key}")).into());
    };
    if matches!(
        availability.state,
        DeliveryState::Done | DeliveryState::Dead
    ) {
        return Ok(Claim::Finished);
    }
    if !availability.is_free(now, |owner| owners.is_gone(owner)) {
        return Ok(Claim::NotNow);
    }
    if let Some(owner) = &availability.owner {
        tracing::info!(delivery = %key, from = owner, "taking over a claim");
    }
    execute(
        connection,
        CLAIM,
        named_params! {
            ":owner": owners.name(),
            ":lease_until": micros_after(now, lease),
            ":now": micros(now),
            ":event": event,
            ":target": key.target.as_str(),
            ":token": before.token.cast_signed(),
        },
    )?;
    Ok(Claim::Acquired(Claimed {
        token: before.token + 1,
        attempt: before.attempt + 1,
        ..before
    }))
}

/// Keeps a claim for another lease, and answers whether it is still there.
pub(super) fn renew(
    connection: &Connection,
    claimed: &Claimed,
    lease: Duration,
    now: Timestamp,
) -> Result<bool, Failure> {
    let renewed = execute(
        connection,
        RENEW,
        named_params! {
            ":lease_until": micros_after(now, lease),
            ":now": micros(now),
            ":event_id": claimed.key.event_id.as_str(),
            ":target": claimed.key.target.as_str(),
            ":token": claimed.token.cast_signed(),
        },
    )?;
    Ok(renewed == 1)
}
