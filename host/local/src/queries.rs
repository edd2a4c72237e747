//! What the command line asks. Nothing here can write.

use crate::blobs::LocalBlobs;
use crate::bus::{FIND_WORKFLOW, read_workflow, workflow_columns};
use crate::clock::elapsed;
use crate::database::{
    Failure, collect, find, instant, json, optional_instant, optional_json, text,
};
use crate::{ledger, paper};
use alchemiser_broker::PaperAccount;
use alchemiser_events::{
    AccountName, BlobReference, CorrelationId, ErrorDetail, Event, EventId, EventType, Timestamp,
};
use alchemiser_rules::TargetName;
use alchemiser_worker::{
    DeadLetter, DeliveryKey, LedgerEntry, StoreError, Workflow, WorkflowState,
};
use rusqlite::{Connection, Row, Statement, ToSql};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those of a workflow.
    pub workflow: Option<CorrelationId>,
    /// Only those of a type.
    pub event_type: Option<EventType>,
    /// At most so many: the last ones in the order of the list.
    pub limit: Option<u32>,
}

/// An event of the archive.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// The event.
    pub event: Event,
    /// Its very bytes.
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
    /// Its number in this state directory.
    pub number: i64,
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
    /// Dead letters.
    pub dead_letters: u64,
    /// Workflows by state; states without any are left out.
    pub workflows: BTreeMap<WorkflowState, u64>,
}

/// Looks things up in a state directory.
pub struct Queries {
    connection: Connection,
    database: PathBuf,
    blobs: LocalBlobs,
}

macro_rules! select_events {
    ($condition:literal) => {
        concat!(
            "SELECT body, stored_at FROM events ",
            $condition,
            " ORDER BY correlation_id DESC, sequence DESC, event_id DESC LIMIT :limit"
        )
    };
}

/// The lists come backwards, so that a limit keeps the last ones.
const EVENTS: &str = select_events!("");
const EVENTS_OF_WORKFLOW: &str = select_events!("WHERE correlation_id = :workflow");
const EVENTS_OF_TYPE: &str = select_events!("WHERE type = :type");
const EVENTS_OF_WORKFLOW_AND_TYPE: &str =
    select_events!("WHERE correlation_id = :workflow AND type = :type");

const EVENT: &str = "SELECT body, stored_at FROM events WHERE event_id = ?1";

const DELIVERIES_OF_EVENT: &str = "
    SELECT d.target, d.rule, d.state, d.attempts, d.failures, d.generation, e.stored_at,
           d.due_at, d.first_attempt_at, d.started_at, d.ended_at, d.remark, d.error
    FROM events e JOIN deliveries d ON d.event = e.position
    WHERE e.event_id = ?1 ORDER BY d.target";

const WORKFLOWS: &str = concat!(
    "SELECT ",
    workflow_columns!(),
    " FROM workflows ORDER BY position DESC LIMIT ?1"
);

const DEAD_LETTERS_OF_WORKFLOW: &str = "
    SELECT l.letter, e.event_id, e.type, e.correlation_id, l.target, l.rule, l.error,
           l.attempts, l.generation, l.first_attempt_at, l.died_at
    FROM events e JOIN dead_letters l ON l.event = e.position
    WHERE e.correlation_id = ?1";

const COUNT_EVENTS: &str = "SELECT COUNT(*) FROM events";
const COUNT_PENDING: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'pending'";
const COUNT_CLAIMED: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'claimed'";
const COUNT_DEAD_LETTERS: &str = "SELECT COUNT(*) FROM dead_letters";
const COUNT_WORKFLOWS: &str = "SELECT state, COUNT(*) AS number FROM workflows GROUP BY state";

impl Queries {
    pub(crate) fn new(connection: Connection, database: PathBuf, blobs: PathBuf) -> Self {
        Self {
            connection,
            database,
            blobs: LocalBlobs::new(blobs),
        }
    }

    /// Events by workflow, sequence and identifier, so that two equal runs give
    /// equal lists.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<EventRecord>, StoreError> {
        self.answer(|connection| events(connection, filter))
    }

    /// One event.
    pub fn event(&self, event: &EventId) -> Result<Option<EventRecord>, StoreError> {
        self.answer(|connection| Ok(find(connection, EVENT, [event.as_str()], read_event)?))
    }

    /// The deliveries of an event, by target.
    pub fn deliveries(&self, event: &EventId) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.answer(|connection| deliveries(connection, event))
    }

    /// A workflow's events in the order of [`Queries::events`], with what
    /// became of them.
    pub fn trace(&self, workflow: &CorrelationId) -> Result<Vec<TracedEvent>, StoreError> {
        let filter = EventFilter {
            workflow: Some(workflow.clone()),
            ..EventFilter::default()
        };
        self.answer(|connection| {
            events(connection, &filter)?
                .into_iter()
                .map(|record| {
                    let deliveries = deliveries(connection, &record.event.header.event_id)?;
                    Ok(TracedEvent { record, deliveries })
                })
                .collect()
        })
    }

    /// One workflow.
    pub fn workflow(&self, workflow: &CorrelationId) -> Result<Option<WorkflowRecord>, StoreError> {
        self.answer(|connection| {
            let parameters = [workflow.as_str()];
            Ok(find(connection, FIND_WORKFLOW, parameters, read_record)?)
        })
    }

    /// The workflows in the order in which they were started; with a limit, the
    /// last ones.
    pub fn workflows(&self, limit: Option<u32>) -> Result<Vec<WorkflowRecord>, StoreError> {
        let limit = limit.map_or(-1, i64::from);
        self.answer(|connection| {
            let mut workflows = collect(connection, WORKFLOWS, [limit], read_record)?;
            workflows.reverse();
            Ok(workflows)
        })
    }

    /// The dead letters of a workflow, the oldest first.
    pub fn dead_letters(
        &self,
        workflow: &CorrelationId,
    ) -> Result<Vec<DeadLetterRecord>, StoreError> {
        self.answer(|connection| {
            let mut letters = collect(
                connection,
                DEAD_LETTERS_OF_WORKFLOW,
                [workflow.as_str()],
                read_dead_letter,
            )?;
            letters.sort_by_key(|letter| letter.number);
            Ok(letters)
        })
    }

    /// How much there is. Counts the archive, which takes a while if it is
    /// long.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.answer(|connection| {
            let count = |sql| -> Result<u64, Failure> {
                let number: i64 = connection.query_row(sql, [], |row| row.get(0))?;
                Ok(number.cast_unsigned())
            };
            let workflows = collect(connection, COUNT_WORKFLOWS, [], |row| {
                let number: i64 = row.get("number")?;
                Ok((text(row, "state")?, number.cast_unsigned()))
            })?;
            Ok(Counts {
                events: count(COUNT_EVENTS)?,
                pending: count(COUNT_PENDING)?,
                claimed: count(COUNT_CLAIMED)?,
                dead_letters: count(COUNT_DEAD_LETTERS)?,
                workflows: workflows.into_iter().collect(),
            })
        })
    }

    /// What a workflow traded, in the order in which it was recorded.
    pub fn ledger(&self, workflow: &CorrelationId) -> Result<Vec<LedgerEntry>, StoreError> {
        self.answer(|connection| ledger::of_workflow(connection, workflow))
    }

    /// A simulated account; none if it was never traded on.
    pub fn paper_account(&self, account: &AccountName) -> Result<Option<PaperAccount>, StoreError> {
        self.answer(|connection| paper::find_account(connection, account))
    }

    /// Content by its reference.
    pub fn blob(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError> {
        self.blobs.get_now(reference)
    }

    /// Every answer is one view of the database.
    fn answer<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.connection
            .unchecked_transaction()
            .map_err(Failure::from)
            .and_then(|view| query(&view))
            .map_err(|failure| failure.into_port(&self.database))
    }
}

fn events(connection: &Connection, filter: &EventFilter) -> Result<Vec<EventRecord>, Failure> {
    let sql = match (&filter.workflow, filter.event_type) {
        (None, None) => EVENTS,
        (Some(_), None) => EVENTS_OF_WORKFLOW,
        (None, Some(_)) => EVENTS_OF_TYPE,
        (Some(_), Some(_)) => EVENTS_OF_WORKFLOW_AND_TYPE,
    };
    let mut statement = connection.prepare_cached(sql)?;
    if let Some(workflow) = &filter.workflow {
        bind(&mut statement, ":workflow", workflow.as_str())?;
    }
    if let Some(event_type) = filter.event_type {
        bind(&mut statement, ":type", event_type.name())?;
    }
    // SQLite takes a negative limit for none.
    bind(&mut statement, ":limit", filter.limit.map_or(-1, i64::from))?;
    let mut events: Vec<_> = statement
        .raw_query()
        .mapped(read_event)
        .collect::<Result<_, _>>()?;
    events.reverse();
    Ok(events)
}

fn bind(statement: &mut Statement<'_>, name: &str, value: impl ToSql) -> rusqlite::Result<()> {
    match statement.parameter_index(name)? {
        Some(index) => statement.raw_bind_parameter(index, value),
        None => Err(rusqlite::Error::InvalidParameterName(name.to_owned())),
    }
}

fn deliveries(connection: &Connection, event: &EventId) -> Result<Vec<DeliveryRecord>, Failure> {
    let parameters = [event.as_str()];
    Ok(collect(
        connection,
        DELIVERIES_OF_EVENT,
        parameters,
        read_delivery,
    )?)
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        event: json(row, "body")?,
        json: row.get("body")?,
        stored_at: instant(row, "stored_at")?,
    })
}

fn read_delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRecord> {
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

fn read_record(row: &Row<'_>) -> rusqlite::Result<WorkflowRecord> {
    Ok(WorkflowRecord {
        workflow: read_workflow(row)?,
        created_at: instant(row, "created_at")?,
        changed_at: instant(row, "changed_at")?,
    })
}

fn read_dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetterRecord> {
    Ok(DeadLetterRecord {
        number: row.get("letter")?,
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::assert_uses_indexes;

    #[test]
    fn however_long_the_archive_it_is_never_read_whole() {
        for sql in [
            EVENTS,
            EVENTS_OF_WORKFLOW,
            EVENTS_OF_TYPE,
            EVENTS_OF_WORKFLOW_AND_TYPE,
            EVENT,
            DELIVERIES_OF_EVENT,
            DEAD_LETTERS_OF_WORKFLOW,
            FIND_WORKFLOW,
            COUNT_PENDING,
            COUNT_CLAIMED,
            ledger::OF_WORKFLOW,
            paper::CASH,
            paper::POSITIONS,
            paper::ORDER,
        ] {
            assert_uses_indexes(sql);
        }
    }
}
