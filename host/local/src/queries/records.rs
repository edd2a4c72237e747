//! What queries answer with.

use crate::bus::read_workflow;
use crate::clock::elapsed;
use crate::database::{instant, json, optional_instant, optional_json, text, transported};
use alchemiser_events::{
    CorrelationId, ErrorDetail, EventType, Sha256Digest, Timestamp, Transported,
};
use alchemiser_rules::TargetName;
use alchemiser_worker::{DeadLetter, DeliveryKey, Workflow, WorkflowState};
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a dead letter is called: a number, unique in its state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LetterNumber(i64);

impl LetterNumber {
    /// The letter of a number.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for LetterNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Settled {
    /// It was delivered again.
    Redriven,
    /// It was given up.
    Dropped,
}

impl Settled {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// An event of the archive.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// The event as it was transported.
    pub event: Transported,
    /// The very bytes of that.
    pub json: String,
    /// When it was published, by the system clock.
    pub stored_at: Timestamp,
}

/// An event and what became of it.
#[derive(Clone, Debug)]
pub struct TracedEvent {
    /// The event.
    pub record: EventRecord,
    /// One for each target, by name.
    pub deliveries: Vec<DeliveryRecord>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It waits to be claimed.
    Pending,
    /// Somebody works on it.
    Claimed,
    /// It ended well.
    Done,
    /// It failed for good.
    Dead,
}

impl DeliveryState {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

impl DeliveryState {
    /// Whether somebody works on it or is to.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Claimed)
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A delivery; all instants are by the system clock.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// To whom.
    pub target: TargetName,
    /// The rule that sent it.
    pub rule: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was claimed.
    pub attempts: u32,
    /// How many attempts ended in an error.
    pub failures: u32,
    /// How often it was redriven.
    pub generation: u32,
    /// When the event was published.
    pub published_at: Timestamp,
    /// When its next attempt is due, while it is pending.
    pub due_at: Option<Timestamp>,
    /// When its first attempt began.
    pub first_attempt_at: Option<Timestamp>,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When the last attempt that ended did so.
    pub ended_at: Option<Timestamp>,
    /// Why nothing was done, if nothing was.
    pub remark: Option<String>,
    /// Why the last attempt that failed did so.
    pub error: Option<ErrorDetail>,
}

impl DeliveryRecord {
    /// From publication to the beginning of the last attempt.
    pub fn wait(&self) -> Option<Duration> {
        self.started_at.map(|at| elapsed(self.published_at, at))
    }

    /// How long the last attempt took; none while it is under way.
    pub fn run(&self) -> Option<Duration> {
        let (started, ended) = (self.started_at?, self.ended_at?);
        (self.state != DeliveryState::Claimed).then(|| elapsed(started, ended))
    }
}

/// A workflow and when it changed, by the system clock.
#[derive(Clone, Debug)]
pub struct WorkflowRecord {
    /// The workflow.
    pub workflow: Workflow,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it came into its present state.
    pub changed_at: Timestamp,
}

/// A dead letter; instants are by the system clock.
#[derive(Clone, Debug)]
pub struct DeadLetterRecord {
    /// What it is called.
    pub number: LetterNumber,
    /// What could not be delivered, and why.
    pub letter: DeadLetter,
    /// What it says.
    pub event_type: EventType,
    /// Whose it is.
    pub correlation_id: CorrelationId,
    /// How often the delivery had been redriven.
    pub generation: u32,
    /// When the first attempt began.
    pub first_attempt_at: Timestamp,
    /// When the last attempt failed.
    pub died_at: Timestamp,
    /// What became of it, and when; none while it waits for somebody.
    pub settled: Option<(Settled, Timestamp)>,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events of the archive.
    pub events: u64,
    /// Deliveries that wait.
    pub pending: u64,
    /// Deliveries that are worked on.
    pub claimed: u64,
    /// Dead letters that wait for somebody.
    pub dead_letters: u64,
    /// Workflows by state; states without any are left out.
    pub workflows: BTreeMap<WorkflowState, u64>,
}

/// What a build of a plugin was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRecord {
    /// The plugin's name.
    pub plugin: String,
    /// Which build of it.
    pub sha256: Sha256Digest,
    /// How often.
    pub calls: u64,
    /// How long a call took on average.
    pub mean: Duration,
    /// When the step of the last call was committed, by the system clock.
    pub last_at: Timestamp,
    /// The workflow of the last call.
    pub last_workflow: CorrelationId,
}

pub(super) fn read_plugin(row: &Row<'_>) -> rusqlite::Result<PluginRecord> {
    let calls: i64 = row.get("calls")?;
    let duration: i64 = row.get("duration")?;
    // Neither is negative, and a group is never empty.
    let mean = duration.cast_unsigned() / calls.cast_unsigned().max(1);
    Ok(PluginRecord {
        plugin: row.get("plugin")?,
        sha256: text(row, "sha256")?,
        calls: calls.cast_unsigned(),
        mean: Duration::from_micros(mean),
        last_at: instant(row, "last_at")?,
        last_workflow: text(row, "correlation_id")?,
    })
}

pub(super) fn read_event(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        event: transported(row, "body")?,
        json: row.get("body")?,
        stored_at: instant(row, "stored_at")?,
    })
}

pub(super) fn read_delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
    let state = text(row, "state")?;
    let due_at = instant(row, "due_at")?;
    Ok(DeliveryRecord {
        target: text(row, "target")?,
        rule: row.get("rule")?,
        state,
        attempts: row.get("attempts")?,
        failures: row.get("failures")?,
        generation: row.get("generation")?,
        published_at: instant(row, "stored_at")?,
        due_at: (state == DeliveryState::Pending).then_some(due_at),
        first_attempt_at: optional_instant(row, "first_attempt_at")?,
        started_at: optional_instant(row, "started_at")?,
        ended_at: optional_instant(row, "ended_at")?,
        remark: row.get("remark")?,
        error: optional_json(row, "error")?,
    })
}

pub(super) fn read_record(row: &Row<'_>) -> rusqlite::Result<WorkflowRecord> {
    Ok(WorkflowRecord {
        workflow: read_workflow(row)?,
        created_at: instant(row, "created_at")?,
        changed_at: instant(row, "changed_at")?,
    })
}

pub(super) fn read_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetterRecord> {
    Ok(DeadLetterRecord {
        number: LetterNumber(row.get("letter")?),
        letter: DeadLetter {
            key: DeliveryKey {
                event_id: text(row, "event_id")?,
                target: text(row, "target")?,
            },
            rule: row.get("rule")?,
            error: json(row, "error")?,
            attempts: row.get("attempts")?,
        },
        event_type: text(row, "type")?,
        correlation_id: text(row, "correlation_id")?,
        generation: row.get("generation")?,
        first_attempt_at: instant(row, "first_attempt_at")?,
        died_at: instant(row, "died_at")?,
        settled: match row.get::<_, Option<String>>("settled")? {
            Some(_) => Some((text(row, "settled")?, instant(row, "settled_at")?)),
            None => None,
        },
    })
}
