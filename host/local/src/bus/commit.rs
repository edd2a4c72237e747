//! Ending a claim.

use super::Bus;
use super::publish::{self, Publication};
use crate::database::{Durability, Failure, execute, find, micros, micros_after, text, to_json};
use alchemiser_events::{ErrorDetail, Event, Timestamp};
use alchemiser_fail_points::fail_point;
use alchemiser_worker::{
    Claimed, DeadLetter, DeliveryKey, PluginCall, StoreError, Transition, WorkflowState,
};
use rusqlite::{Connection, named_params, params};
use std::time::Duration;

/// Ends a claim that is still ours.
macro_rules! end_claim {
    ($set:literal) => {
        concat!(
            "UPDATE deliveries
             SET owner = NULL, lease_until = NULL, changed_at = :now, ended_at = :now, ",
            $set,
            "WHERE event = (SELECT position FROM events WHERE event_id = :event_id)
               AND target = :target AND state = 'claimed' AND token = :token"
        )
    };
}

pub(super) const DONE: &str = end_claim!("state = 'done', remark = :remark ");

pub(super) const RETRY: &str =
    end_claim!("state = 'pending', due_at = :due_at, failures = failures + 1, error = :error ");

pub(super) const DEAD: &str =
    end_claim!("state = 'dead', failures = failures + 1, error = :error ");

pub(super) const RELEASE: &str = end_claim!("state = 'pending', due_at = :now ");

pub(super) const LETTER: &str = "
    INSERT INTO dead_letters
        (event, target, generation, rule, attempts, first_attempt_at, died_at, error)
    SELECT event, target, generation, ?3, ?4, first_attempt_at, ?5, ?6
    FROM deliveries
    WHERE event = (SELECT position FROM events WHERE event_id = ?1) AND target = ?2";

pub(super) const CALL: &str = "
    INSERT INTO plugin_calls (event, target, ordinal, plugin, sha256, called_at, duration)
    SELECT position, ?2, ?3, ?4, ?5, ?6, ?7 FROM events WHERE event_id = ?1";

pub(super) const WORKFLOW_STATE: &str = "SELECT state FROM workflows WHERE correlation_id = ?1";

pub(super) const MOVE_WORKFLOW: &str =
    "UPDATE workflows SET state = ?2, changed_at = ?3 WHERE correlation_id = ?1";

/// What every end of a claim needs.
pub(super) struct Step {
    key: DeliveryKey,
    token: u64,
    publications: Vec<Publication>,
    transition: Option<Transition>,
    now: Timestamp,
}

impl Bus {
    /// A step that publishes and moves its workflow on.
    pub(super) async fn step(
        &self,
        claimed: &Claimed,
        events: &[Event],
        transition: Option<Transition>,
    ) -> Result<Step, StoreError> {
        let publications = self.prepare(events).await?;
        Ok(Step {
            publications,
            transition,
            ..self.bare_step(claimed)
        })
    }

    /// A step that leads to nothing.
    pub(super) fn bare_step(&self, claimed: &Claimed) -> Step {
        Step {
            key: claimed.key.clone(),
            token: claimed.token,
            publications: Vec::new(),
            transition: None,
            now: self.now(),
        }
    }

    pub(super) async fn end(
        &self,
        durability: Durability,
        job: impl FnOnce(&Connection) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.state.database.write(durability, job).await?;
        self.tell_due();
        Ok(())
    }
}

pub(super) fn done(
    connection: &Connection,
    step: &Step,
    remark: Option<&str>,
    calls: &[PluginCall],
) -> Result<(), Failure> {
    let ended = execute(
        connection,
        DONE,
        named_params! {
            ":now": micros(step.now),
            ":remark": remark,
            ":event_id": step.key.event_id.as_str(),
            ":target": step.key.target.as_str(),
            ":token": step.token.cast_signed(),
        },
    )?;
    claim_was_ours(ended, step)?;
    fail_point!(DeliveryEnded);
    for (ordinal, call) in (0_u32..).zip(calls) {
        let parameters = params![
            step.key.event_id.as_str(),
            step.key.target.as_str(),
            ordinal,
            call.plugin,
            call.sha256.to_string(),
            micros(step.now),
            // A call of three hundred thousand years is cut short.
            i64::try_from(call.duration.as_micros()).unwrap_or(i64::MAX),
        ];
        execute(connection, CALL, parameters)?;
    }
    step_on(connection, step)
}

pub(super) fn retry(
    connection: &Connection,
    step: &Step,
    error: &ErrorDetail,
    delay: Duration,
) -> Result<(), Failure> {
    let ended = execute(
        connection,
        RETRY,
        named_params! {
            ":due_at": micros_after(step.now, delay),
            ":now": micros(step.now),
            ":error": to_json(error)?,
            ":event_id": step.key.event_id.as_str(),
            ":target": step.key.target.as_str(),
            ":token": step.token.cast_signed(),
        },
    )?;
    claim_was_ours(ended, step)
}

pub(super) fn dead(
    connection: &Connection,
    step: &Step,
    letter: &DeadLetter,
) -> Result<(), Failure> {
    let target = step.key.target.as_str();
    let now = micros(step.now);
    let error = to_json(&letter.error)?;
    let ended = execute(
        connection,
        DEAD,
        named_params! {
            ":now": now,
            ":error": error,
            ":event_id": step.key.event_id.as_str(),
            ":target": target,
            ":token": step.token.cast_signed(),
        },
    )?;
    claim_was_ours(ended, step)?;
    fail_point!(DeliveryDied);
    execute(
        connection,
        LETTER,
        params![
            step.key.event_id.as_str(),
            target,
            letter.rule,
            letter.attempts,
            now,
            error
        ],
    )?;
    step_on(connection, step)
}

/// Gives the claim back, with nothing done. Without effect if it was lost.
pub(super) fn release(connection: &Connection, step: &Step) -> Result<(), Failure> {
    execute(
        connection,
        RELEASE,
        named_params! {
            ":now": micros(step.now),
            ":event_id": step.key.event_id.as_str(),
            ":target": step.key.target.as_str(),
            ":token": step.token.cast_signed(),
        },
    )?;
    Ok(())
}

fn claim_was_ours(ended: usize, step: &Step) -> Result<(), Failure> {
    if ended == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(format!("the claim on {} was lost", step.key)).into())
    }
}

/// Publishes what the step emitted, and moves its workflow on.
fn step_on(connection: &Connection, step: &Step) -> Result<(), Failure> {
    publish::store(connection, &step.publications, step.now)?;
    fail_point!(EventsPublished);
    match &step.transition {
        Some(transition) => move_workflow(connection, transition, step.now),
        None => Ok(()),
    }
}

/// Moves a workflow on from where it must be.
pub(super) fn move_workflow(
    connection: &Connection,
    transition: &Transition,
    now: Timestamp,
) -> Result<(), Failure> {
    let workflow = transition.workflow.as_str();
    let state: Option<WorkflowState> = find(connection, WORKFLOW_STATE, [workflow], |row| {
        text(row, "state")
    })?;
    match state {
        Some(state) if transition.from.contains(&state) => {
            let parameters = params![workflow, transition.to.name(), micros(now)];
            execute(connection, MOVE_WORKFLOW, parameters)?;
            Ok(())
        }
        state => Err(StoreError::Conflict(format!(
            "workflow {workflow} is {} and cannot become {}",
            state.map_or("unknown", WorkflowState::name),
            transition.to
        ))
        .into()),
    }
}
