//! Dead letters: delivering them again, and giving them up.

use super::workflows::{FIND as FIND_WORKFLOW, OF_ACCOUNT, read_workflow};
use super::{Bus, commit};
use crate::clock::elapsed;
use crate::database::{Durability, Failure, collect, execute, find, instant, micros, transported};
use crate::queries::{LetterNumber, Settled};
use alchemiser_events::{CorrelationId, EventType, Timestamp, Transported};
use alchemiser_fail_points::fail_point;
use alchemiser_worker::{DeadDelivery, RedriveRefusal, StoreError, Transition, Workflow, readmit};
use rusqlite::{Connection, params};

/// What became of the wish to deliver a dead letter again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redrive {
    /// It is due, and its workflow is where it was before it failed.
    Accepted(CorrelationId),
    /// It must not be.
    Refused(RedriveRefusal),
    /// It was redriven or dropped before, or there is none of that number.
    Settled,
}

pub(super) const FIND: &str = "
    SELECT l.event, l.target, e.body, e.stored_at
    FROM dead_letters l
    JOIN events e ON e.position = l.event
    JOIN deliveries d ON d.event = l.event AND d.target = l.target
    WHERE l.letter = ?1 AND l.settled IS NULL
      AND d.state = 'dead' AND d.generation = l.generation";

pub(super) const REVIVE: &str = "
    UPDATE deliveries
    SET state = 'pending', generation = generation + 1, failures = 0,
        routed_at = ?3, due_at = ?3, changed_at = ?3
    WHERE event = ?1 AND target = ?2";

pub(super) const SETTLE: &str = "
    UPDATE dead_letters SET settled = ?2, settled_at = ?3
    WHERE letter = ?1 AND settled IS NULL";

pub(super) const OF_WORKFLOW_AND_TYPE: &str =
    "SELECT 1 FROM events WHERE correlation_id = ?1 AND type = ?2 LIMIT 1";

impl Bus {
    /// Makes a dead letter's delivery due once more, in its next generation,
    /// and puts its workflow back to where it was before the step; both, or
    /// neither. If `only_ask`, neither.
    ///
    /// # Errors
    ///
    /// When the store cannot be used.
    pub async fn redrive(
        &self,
        letter: LetterNumber,
        only_ask: bool,
    ) -> Result<Redrive, StoreError> {
        let now = self.now();
        let job = move |connection: &Connection| redrive(connection, letter, only_ask, now);
        if only_ask {
            return self.database().read(job).await;
        }
        let redrive = self.database().write(Durability::Flushed, job).await?;
        self.tell_due();
        Ok(redrive)
    }

    /// Gives a dead letter up, and answers whether there was one. What it says
    /// stays to be looked at for as long as its event.
    ///
    /// # Errors
    ///
    /// When the store cannot be used.
    pub async fn drop_letter(&self, letter: LetterNumber) -> Result<bool, StoreError> {
        let now = self.now();
        self.database()
            .write(Durability::Flushed, move |connection| {
                settle(connection, letter, Settled::Dropped, now)
            })
            .await
    }
}

struct Letter {
    position: i64,
    target: String,
    event: Transported,
    stored_at: Timestamp,
}

fn redrive(
    connection: &Connection,
    number: LetterNumber,
    only_ask: bool,
    now: Timestamp,
) -> Result<Redrive, Failure> {
    let letter = find(connection, FIND, [number.get()], |row| {
        Ok(Letter {
            position: row.get("event")?,
            target: row.get("target")?,
            event: transported(row, "body")?,
            stored_at: instant(row, "stored_at")?,
        })
    })?;
    let Some(letter) = letter else {
        return Ok(Redrive::Settled);
    };
    let back = match admit(connection, &letter, now)? {
        Ok(back) => back,
        Err(refusal) => return Ok(Redrive::Refused(refusal)),
    };
    if !only_ask {
        settle(connection, number, Settled::Redriven, now)?;
        fail_point!(LetterSettled);
        let delivery = params![letter.position, letter.target, micros(now)];
        execute(connection, REVIVE, delivery)?;
        fail_point!(DeliveryRevived);
        if let Some(transition) = &back {
            commit::move_workflow(connection, transition, now)?;
        }
    }
    let workflow = letter.event.header().correlation_id.clone();
    Ok(Redrive::Accepted(workflow))
}

/// All that decides is read in the transaction that acts on it.
fn admit(
    connection: &Connection,
    letter: &Letter,
    now: Timestamp,
) -> Result<Result<Option<Transition>, RedriveRefusal>, Failure> {
    let name = letter.event.header().correlation_id.as_str();
    let workflow: Option<Workflow> = find(connection, FIND_WORKFLOW, [name], read_workflow)?;
    let account = match &workflow {
        Some(workflow) => {
            let account = [workflow.account.as_str()];
            collect(connection, OF_ACCOUNT, account, read_workflow)?
        }
        None => Vec::new(),
    };
    let reported = params![name, EventType::TradeExecuted.name()];
    let trades_reported = find(connection, OF_WORKFLOW_AND_TYPE, reported, |_| Ok(()))?.is_some();
    Ok(readmit(&DeadDelivery {
        event: &letter.event,
        age: elapsed(letter.stored_at, now),
        workflow: workflow.as_ref(),
        account: &account,
        trades_reported,
    }))
}

fn settle(
    connection: &Connection,
    letter: LetterNumber,
    how: Settled,
    now: Timestamp,
) -> Result<bool, Failure> {
    let settled = execute(
        connection,
        SETTLE,
        params![letter.get(), how.name(), micros(now)],
    )?;
    Ok(settled == 1)
}
