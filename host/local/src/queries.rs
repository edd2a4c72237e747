//! What the command line asks. Nothing here can write.

use crate::blobs::LocalBlobs;
use crate::bus::{
    ALL_SCHEDULES, FIND_WORKFLOW, ScheduleRecord, read_schedule, read_workflow, workflow_columns,
};
use crate::clock::elapsed;
use crate::database::{
    Failure, collect, find, instant, json, micros, optional_instant, optional_json, text,
    transported,
};
use crate::{ledger, paper};
use alchemiser_broker::PaperAccount;
use alchemiser_events::{
    AccountName, BlobReference, CorrelationId, ErrorDetail, Event, EventId, EventType, PayloadRef,
    Timestamp, Transported,
};
use alchemiser_rules::TargetName;
use alchemiser_worker::{
    DeadLetter, DeliveryKey, LedgerEntry, StoreError, Workflow, WorkflowState,
};
use rusqlite::{Connection, Row, Statement, ToSql};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
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
    /// Only those published at this instant or later, by the system clock.
    pub from: Option<Timestamp>,
    /// Only those published before this instant, by the system clock.
    pub to: Option<Timestamp>,
    /// Only those that this rule sent somewhere.
    pub rule: Option<String>,
    /// Only those whose handling failed at least once.
    pub failed: bool,
    /// At most so many: those that were published last.
    pub limit: Option<u32>,
}

/// Which dead letters to list.
#[derive(Clone, Debug, Default)]
pub struct LetterFilter {
    /// Only those of a workflow.
    pub workflow: Option<CorrelationId>,
    /// Only those of a rule.
    pub rule: Option<String>,
    /// Only those whose error is of this class.
    pub error: Option<String>,
    /// Also those that were redriven or dropped.
    pub settled_too: bool,
}

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

/// Looks things up in a state directory.
pub struct Queries {
    connection: Connection,
    database: PathBuf,
    blobs: LocalBlobs,
}

/// What a filter asks for: of events `e`, and of a delivery `d` of theirs.
struct Conditions {
    of_event: Vec<&'static str>,
    of_delivery: Vec<&'static str>,
}

impl Conditions {
    fn of(filter: &EventFilter) -> Self {
        let wanted = |conditions: &[(bool, &'static str)]| {
            let wanted = conditions.iter().filter(|(is_wanted, _)| *is_wanted);
            wanted.map(|(_, condition)| *condition).collect()
        };
        Self {
            of_event: wanted(&[
                (filter.workflow.is_some(), "e.correlation_id = :workflow"),
                (filter.event_type.is_some(), "e.type = :type"),
                (filter.from.is_some(), "e.stored_at >= :from"),
                (filter.to.is_some(), "e.stored_at < :to"),
            ]),
            of_delivery: wanted(&[
                (filter.rule.is_some() && !filter.failed, "d.rule = :rule"),
                // With a plus it is not looked up in an index: those that failed
                // are fewer than those of any rule, and have one of their own.
                (filter.rule.is_some() && filter.failed, "+d.rule = :rule"),
                (filter.failed, "d.failures > 0"),
            ]),
        }
    }

    /// All of them, of an event.
    fn on_event(&self) -> String {
        let mut conditions: Vec<String> = self.of_event.iter().map(|&one| one.to_owned()).collect();
        conditions.extend(self.of_delivery.iter().map(|condition| {
            format!("e.position IN (SELECT d.event FROM deliveries d WHERE {condition})")
        }));
        r#where(&conditions)
    }

    /// All of them, of a delivery and its event.
    fn on_delivery(&self) -> String {
        r#where(&[&self.of_delivery[..], &self.of_event].concat())
    }
}

fn r#where<C: AsRef<str>>(conditions: &[C]) -> String {
    let conditions: Vec<&str> = conditions.iter().map(AsRef::as_ref).collect();
    match conditions[..] {
        [] => String::new(),
        _ => format!("WHERE {}", conditions.join(" AND ")),
    }
}

/// In the order of the list; with a limit, of those that came last.
///
/// The last ones are found backwards from the newest, by the index that leaves
/// the fewest to look at: that of the deliveries, unless the events are those
/// of one workflow.
fn select_events(filter: &EventFilter) -> String {
    let conditions = Conditions::of(filter);
    let by_delivery = !conditions.of_delivery.is_empty() && filter.workflow.is_none();
    let wanted = if filter.limit.is_none() {
        conditions.on_event()
    } else if by_delivery {
        // An event comes as often as it has such deliveries, side by side.
        format!(
            "WHERE e.position IN (
                SELECT DISTINCT d.event
                FROM deliveries d CROSS JOIN events e ON e.position = d.event {}
                ORDER BY d.event DESC LIMIT :limit)",
            conditions.on_delivery()
        )
    } else {
        // What the index of types holds is enough to order by position.
        let by_type = filter.event_type.is_some() && filter.from.is_none() && filter.to.is_none();
        let newest = if by_type {
            "e.position DESC"
        } else {
            "e.stored_at DESC, e.position DESC"
        };
        format!(
            "WHERE e.position IN (
                SELECT e.position FROM events e {} ORDER BY {newest} LIMIT :limit)",
            conditions.on_event()
        )
    };
    format!(
        "SELECT e.body, e.stored_at FROM events e {wanted}
         ORDER BY e.correlation_id, e.sequence, e.event_id"
    )
}

/// The first two are enough to know whether there is only one.
const EVENTS_BY_BEGINNING: &str = "
    SELECT body, stored_at FROM events WHERE event_id >= ?1 AND event_id < ?2
    ORDER BY event_id LIMIT 2";

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

macro_rules! select_letters {
    ($condition:literal) => {
        concat!(
            "SELECT l.letter, e.event_id, e.type, e.correlation_id, l.target, l.rule, l.error,
                    l.attempts, l.generation, l.first_attempt_at, l.died_at, l.settled,
                    l.settled_at
             FROM dead_letters l JOIN events e ON e.position = l.event
             WHERE ",
            $condition
        )
    };
}

const LETTER: &str = select_letters!("l.letter = ?1");
const LETTERS: &str = select_letters!("TRUE ORDER BY l.letter");
const OPEN_LETTERS: &str = select_letters!("l.settled IS NULL ORDER BY l.letter");
const LETTERS_OF_WORKFLOW: &str = select_letters!("e.correlation_id = ?1");

const COUNT_EVENTS: &str = "SELECT COUNT(*) FROM events";
const COUNT_PENDING: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'pending'";
const COUNT_CLAIMED: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'claimed'";
const COUNT_DEAD_LETTERS: &str = "SELECT COUNT(*) FROM dead_letters WHERE settled IS NULL";
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
        let mut events = Vec::new();
        self.each_event(filter, |event| events.push(event))?;
        Ok(events)
    }

    /// As [`Queries::events`], one at a time: an archive may be longer than
    /// there is memory.
    pub fn each_event(
        &self,
        filter: &EventFilter,
        each: impl FnMut(EventRecord),
    ) -> Result<(), StoreError> {
        self.answer(|connection| each_event(connection, filter, each))
    }

    /// The events whose identifiers begin so: all of them if there are fewer
    /// than two, else two.
    pub fn events_by_beginning(&self, beginning: &str) -> Result<Vec<EventRecord>, StoreError> {
        // Identifiers are ASCII, so this is after all that begin so.
        let after = format!("{beginning}\u{7f}");
        self.answer(|connection| {
            let range = [beginning, &after];
            Ok(collect(connection, EVENTS_BY_BEGINNING, range, read_event)?)
        })
    }

    /// One event.
    pub fn event(&self, event: &EventId) -> Result<Option<EventRecord>, StoreError> {
        self.answer(|connection| Ok(find(connection, EVENT, [event.as_str()], read_event)?))
    }

    /// An event with what had left it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if that is missing or not what it was.
    pub fn whole(&self, event: &Transported) -> Result<Event, StoreError> {
        self.blobs.open_now(event)
    }

    /// The very bytes of an event with what had left it.
    ///
    /// # Errors
    ///
    /// As for [`Queries::whole`].
    pub fn whole_json<'a>(&self, record: &'a EventRecord) -> Result<Cow<'a, str>, StoreError> {
        match &record.event {
            Transported::Whole(_) => Ok(Cow::Borrowed(&record.json)),
            Transported::Packed(packed) => self.blobs.unpack_now(packed).map(Cow::Owned),
        }
    }

    /// Where the content of a packed event is, in words.
    pub fn place(&self, reference: &PayloadRef) -> String {
        match reference.gzip {
            Some(_) => "compressed within the event".to_owned(),
            None => {
                let path = self.blobs.path(&reference.content.sha256);
                format!("in `{}`", path.display())
            }
        }
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
            let mut records = Vec::new();
            each_event(connection, &filter, |record| records.push(record))?;
            records
                .into_iter()
                .map(|record| {
                    let deliveries = deliveries(connection, &record.event.header().event_id)?;
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

    /// Dead letters, the oldest first.
    pub fn dead_letters(&self, filter: &LetterFilter) -> Result<Vec<DeadLetterRecord>, StoreError> {
        let mut letters = self.answer(|connection| {
            let letters = match (&filter.workflow, filter.settled_too) {
                (Some(workflow), _) => {
                    let workflow = [workflow.as_str()];
                    collect(connection, LETTERS_OF_WORKFLOW, workflow, read_letter)
                }
                (None, true) => collect(connection, LETTERS, [], read_letter),
                (None, false) => collect(connection, OPEN_LETTERS, [], read_letter),
            };
            Ok(letters?)
        })?;
        letters.retain(|record| {
            (filter.settled_too || record.settled.is_none())
                && filter
                    .rule
                    .as_ref()
                    .is_none_or(|rule| record.letter.rule == *rule)
                && filter
                    .error
                    .as_ref()
                    .is_none_or(|class| record.letter.error.class == *class)
        });
        letters.sort_by_key(|record| record.number);
        Ok(letters)
    }

    /// One dead letter.
    pub fn dead_letter(
        &self,
        number: LetterNumber,
    ) -> Result<Option<DeadLetterRecord>, StoreError> {
        self.answer(|connection| Ok(find(connection, LETTER, [number.get()], read_letter)?))
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

    /// What the schedules in force did last, by their names.
    pub fn schedules(&self) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.answer(|connection| Ok(collect(connection, ALL_SCHEDULES, [], read_schedule)?))
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

fn each_event(
    connection: &Connection,
    filter: &EventFilter,
    mut each: impl FnMut(EventRecord),
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(&select_events(filter))?;
    if let Some(workflow) = &filter.workflow {
        bind(&mut statement, ":workflow", workflow.as_str())?;
    }
    if let Some(event_type) = filter.event_type {
        bind(&mut statement, ":type", event_type.name())?;
    }
    if let Some(from) = filter.from {
        bind(&mut statement, ":from", micros(from))?;
    }
    if let Some(to) = filter.to {
        bind(&mut statement, ":to", micros(to))?;
    }
    if let Some(rule) = &filter.rule {
        bind(&mut statement, ":rule", rule)?;
    }
    if let Some(limit) = filter.limit {
        bind(&mut statement, ":limit", limit)?;
    }
    let mut rows = statement.raw_query().mapped(read_event);
    rows.try_for_each(|event| {
        each(event?);
        Ok(())
    })
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
        event: transported(row, "body")?,
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

fn read_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetterRecord> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::database::{Sorting, assert_uses_indexes};

    #[test]
    fn however_long_the_archive_it_is_never_read_whole() {
        for sql in [
            EVENT,
            EVENTS_BY_BEGINNING,
            DELIVERIES_OF_EVENT,
            LETTER,
            OPEN_LETTERS,
            LETTERS_OF_WORKFLOW,
            FIND_WORKFLOW,
            COUNT_PENDING,
            COUNT_CLAIMED,
            ledger::OF_WORKFLOW,
            paper::CASH,
            paper::POSITIONS,
            paper::ORDER,
        ] {
            assert_uses_indexes(sql, Sorting::Refused);
        }
    }

    /// What is sorted is no more than what the filter leaves.
    #[test]
    fn every_filter_of_events_is_answered_by_an_index() {
        for choice in 0..(1 << 7) {
            let chosen = |bit: u32| choice & (1 << bit) != 0;
            let filter = EventFilter {
                workflow: chosen(0).then(|| CorrelationId::parse("w").unwrap()),
                event_type: chosen(1).then_some(EventType::WorkflowFailed),
                from: chosen(2).then_some(Timestamp::new(jiff::Timestamp::UNIX_EPOCH)),
                to: chosen(3).then_some(Timestamp::new(jiff::Timestamp::UNIX_EPOCH)),
                rule: chosen(4).then(|| "r".to_owned()),
                failed: chosen(5),
                limit: chosen(6).then_some(1),
            };
            // A limit bounds what is sorted; rows that were chosen by time or by
            // their deliveries do not come in the order of the list.
            let narrows = choice & 0b0111_1100 != 0;
            let sorting = if narrows {
                Sorting::Allowed
            } else {
                Sorting::Refused
            };
            assert_uses_indexes(&select_events(&filter), sorting);
        }
    }
}
