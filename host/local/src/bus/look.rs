//! Finding what can be worked on.

use super::claim::Availability;
use crate::clock::elapsed;
use crate::database::{Failure, collect, find, instant, micros, text, transported};
use crate::owners::Owners;
use alchemiser_events::{AccountName, CorrelationId, Timestamp, Transported};
use alchemiser_rules::TargetName;
use rusqlite::{Connection, Row};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Pending and due, the longest waiting first.
pub(super) const DUE: &str = "
    SELECT event, target FROM deliveries
    WHERE state = 'pending' AND due_at <= ?1
    ORDER BY due_at LIMIT ?2";

/// Pending and set before the clock went back.
pub(super) const SET_IN_THE_FUTURE: &str = "
    SELECT event, target FROM deliveries
    WHERE state = 'pending' AND due_at > ?1 AND changed_at > ?1
    ORDER BY due_at LIMIT ?2";

/// In somebody's hands, and perhaps to be taken out of them.
pub(super) const CLAIMED: &str = "
    SELECT event, target, state, due_at, changed_at, owner, lease_until FROM deliveries
    WHERE state = 'claimed' AND (owner <> ?1 OR lease_until <= ?2)";

pub(super) const NEXT_DUE: &str = "
    SELECT due_at FROM deliveries
    WHERE state = 'pending' AND due_at > ?1
    ORDER BY due_at LIMIT 1";

pub(super) const OPEN_OF_WORKFLOW: &str = "
    SELECT d.event, d.target, d.state, d.due_at, d.changed_at, d.owner, d.lease_until
    FROM events e JOIN deliveries d ON d.event = e.position
    WHERE e.correlation_id = ?1 AND d.state IN ('pending', 'claimed')";

/// Of workflows that have ended: who has yet to be told. The joins are told
/// where to begin: open deliveries are few, events of an account are not.
pub(super) const UNTOLD: &str = "
    SELECT w.position, w.correlation_id
    FROM deliveries d INDEXED BY deliveries_pending
    CROSS JOIN events e ON e.position = d.event
    CROSS JOIN workflows w ON w.correlation_id = e.correlation_id
    WHERE d.state = 'pending' AND w.account = ?1
      AND w.state IN ('completed', 'failed', 'timed_out')
    UNION ALL
    SELECT w.position, w.correlation_id
    FROM deliveries d INDEXED BY deliveries_claimed
    CROSS JOIN events e ON e.position = d.event
    CROSS JOIN workflows w ON w.correlation_id = e.correlation_id
    WHERE d.state = 'claimed' AND w.account = ?1
      AND w.state IN ('completed', 'failed', 'timed_out')";

pub(super) const EVENT: &str = "SELECT body FROM events WHERE position = ?1";

/// Which deliveries.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    All,
    Workflow(CorrelationId),
}

/// What there is to do.
pub(crate) struct Look {
    /// Free to be claimed, at most as many as were asked for.
    pub(crate) due: Vec<Due>,
    /// How long until the next delivery becomes due, if one waits for that.
    pub(crate) next_due: Option<Duration>,
    /// Whether every delivery in scope has ended. Never of all: there may
    /// always come another.
    pub(crate) is_finished: bool,
    /// Whether somebody's claim was made before the clock went back.
    pub(crate) is_ahead: bool,
}

/// A delivery that can be claimed.
pub(crate) struct Due {
    pub(crate) event: Transported,
    pub(crate) target: TargetName,
}

struct Slot {
    event: i64,
    target: TargetName,
}

impl Slot {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            event: row.get("event")?,
            target: text(row, "target")?,
        })
    }

    fn read_with_availability(row: &Row<'_>) -> rusqlite::Result<(Self, Availability)> {
        Ok((Self::read(row)?, Availability::read(row)?))
    }

    fn load(self, connection: &Connection) -> Result<Due, Failure> {
        let event = connection
            .prepare_cached(EVENT)?
            .query_row([self.event], |row| transported(row, "body"))?;
        Ok(Due {
            event,
            target: self.target,
        })
    }
}

pub(super) fn look(
    connection: &Connection,
    scope: &Scope,
    limit: u32,
    now: Timestamp,
    owners: &Owners,
) -> Result<Look, Failure> {
    // All of it is one view of the database, so that nothing is missed that
    // moves meanwhile from one state to another.
    let view = connection.unchecked_transaction()?;
    let found = match scope {
        Scope::All => look_at_all(&view, limit, now, owners)?,
        Scope::Workflow(workflow) => look_at_workflow(&view, workflow, now, owners)?,
    };
    Ok(Look {
        due: found
            .free
            .into_iter()
            .take(limit as usize)
            .map(|slot| slot.load(&view))
            .collect::<Result<_, _>>()?,
        next_due: found.next_due.map(|due| elapsed(now, due)),
        is_finished: found.is_finished,
        is_ahead: found.is_ahead,
    })
}

/// The workflows of an account that have ended and have deliveries that have
/// not, the oldest first.
pub(super) fn untold(
    connection: &Connection,
    account: &AccountName,
) -> Result<Vec<CorrelationId>, Failure> {
    let found = collect(connection, UNTOLD, [account.as_str()], |row| {
        Ok((row.get::<_, i64>("position")?, text(row, "correlation_id")?))
    })?;
    let by_position: BTreeMap<i64, CorrelationId> = found.into_iter().collect();
    Ok(by_position.into_values().collect())
}

struct Found {
    free: Vec<Slot>,
    next_due: Option<Timestamp>,
    is_finished: bool,
    is_ahead: bool,
}

fn look_at_all(
    connection: &Connection,
    limit: u32,
    now: Timestamp,
    owners: &Owners,
) -> Result<Found, Failure> {
    // Those that a process left behind come first: they wait the longest.
    let claimed = collect(
        connection,
        CLAIMED,
        (owners.name(), micros(now)),
        Slot::read_with_availability,
    )?;
    let (mut free, others) = those_free(claimed, now, owners);
    for sql in [SET_IN_THE_FUTURE, DUE] {
        free.extend(collect(connection, sql, (micros(now), limit), Slot::read)?);
    }
    let next_due = find(connection, NEXT_DUE, [micros(now)], |row| {
        instant(row, "due_at")
    })?;
    Ok(Found {
        free,
        next_due,
        is_finished: false,
        is_ahead: others.iter().any(|other| other.is_ahead(now)),
    })
}

fn look_at_workflow(
    connection: &Connection,
    workflow: &CorrelationId,
    now: Timestamp,
    owners: &Owners,
) -> Result<Found, Failure> {
    let open = collect(
        connection,
        OPEN_OF_WORKFLOW,
        [workflow.as_str()],
        Slot::read_with_availability,
    )?;
    let is_finished = open.is_empty();
    let (free, others) = those_free(open, now, owners);
    Ok(Found {
        free,
        next_due: others.iter().filter_map(Availability::due_at).min(),
        is_finished,
        is_ahead: others.iter().any(|other| other.is_ahead(now)),
    })
}

/// Those that can be claimed now, and what holds the others back.
fn those_free(
    slots: Vec<(Slot, Availability)>,
    now: Timestamp,
    owners: &Owners,
) -> (Vec<Slot>, Vec<Availability>) {
    // Each owner is asked after once: that takes longer than all the rest.
    let mut gone = HashMap::new();
    let mut is_gone = |owner: &str| match gone.get(owner) {
        Some(&is_gone) => is_gone,
        None => {
            let is_gone = owners.is_gone(owner);
            gone.insert(owner.to_owned(), is_gone);
            is_gone
        }
    };
    let (mut free, mut others) = (Vec::new(), Vec::new());
    for (slot, availability) in slots {
        if availability.is_free(now, &mut is_gone) {
            free.push(slot);
        } else {
            others.push(availability);
        }
    }
    (free, others)
}
