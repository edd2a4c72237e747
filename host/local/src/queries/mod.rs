//! What the command line asks. Nothing here can write.

mod filter;
mod records;

pub use filter::{EventFilter, LetterFilter};
pub use records::{
    Counts, DeadLetterRecord, DeliveryRecord, DeliveryState, EventRecord, LetterNumber,
    PluginRecord, Settled, TracedEvent, WorkflowRecord,
};

use crate::blobs::LocalBlobs;
use crate::bus::{ALL_SCHEDULES, FIND_WORKFLOW, ScheduleRecord, read_schedule, workflow_columns};
use crate::database::{Failure, collect, find, text};
use crate::{ledger, paper};
use alchemiser_broker::PaperAccount;
use alchemiser_events::{
    AccountName, BlobReference, CorrelationId, Event, EventId, PayloadRef, Transported,
};
use alchemiser_worker::{LedgerEntry, StoreError};
use filter::each_event;
use records::{read_delivery, read_event, read_letter, read_plugin, read_record};
use rusqlite::Connection;
use std::borrow::Cow;
use std::path::PathBuf;

/// Looks things up in a state directory.
pub struct Queries {
    connection: Connection,
    database: PathBuf,
    blobs: LocalBlobs,
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

/// The workflow is that of the last call: where MAX stands alone, SQLite takes
/// the other columns from the row that has it.
const PLUGINS: &str = "
    SELECT c.plugin, c.sha256, c.calls, c.duration, c.last_at, e.correlation_id
    FROM (SELECT plugin, sha256, COUNT(*) AS calls, SUM(duration) AS duration,
                 MAX(called_at) AS last_at, event
          FROM plugin_calls GROUP BY plugin, sha256) c
         JOIN events e ON e.position = c.event
    ORDER BY c.plugin, c.last_at DESC";

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

    /// How often each build of each plugin was asked, as far as events are kept:
    /// by name, the one that was asked last first.
    pub fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        self.answer(|connection| Ok(collect(connection, PLUGINS, [], read_plugin)?))
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

fn deliveries(connection: &Connection, event: &EventId) -> Result<Vec<DeliveryRecord>, Failure> {
    let parameters = [event.as_str()];
    Ok(collect(
        connection,
        DELIVERIES_OF_EVENT,
        parameters,
        read_delivery,
    )?)
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
}
