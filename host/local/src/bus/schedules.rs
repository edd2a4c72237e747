//! What schedules did last, stored beside what they led to.

use super::{Bus, publish};
use crate::database::{
    Durability, Failure, execute, find, instant, micros, micros_after, optional_instant, text,
};
use alchemiser_events::{Event, Timestamp};
use alchemiser_rules::{Schedule, ScheduleName};
use alchemiser_worker::StoreError;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use serde::Deserialize;
use std::time::Duration;

pub(crate) const ALL: &str = "
    SELECT name, expression, since, until, at, outcome, settled_at, detail FROM schedules ORDER BY name";

/// A schedule that was changed counts as a new one: it missed nothing.
const REGISTER: &str = "
    INSERT INTO schedules (name, expression, time_zone, since, until) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (name) DO UPDATE
    SET expression = excluded.expression, time_zone = excluded.time_zone,
        since = excluded.since, until = excluded.until,
        at = NULL, outcome = NULL, settled_at = NULL, detail = NULL
    WHERE expression != excluded.expression OR time_zone != excluded.time_zone";

pub(super) const FIND: &str = "SELECT since, until FROM schedules WHERE name = ?1";

/// Only forward; of several processes that settle a time the one that started
/// something is right.
pub(super) const SETTLE: &str = "
    UPDATE schedules SET until = max(until, ?2), at = ?3, outcome = ?4, settled_at = ?5, detail = ?6
    WHERE name = ?1 AND (until < ?2 OR (until = ?2 AND at = ?3 AND ?4 = 'started'))";

pub(super) const SET_BACK: &str = "
    UPDATE schedules SET until = ?2, since = min(since, ?3) WHERE name = ?1 AND until > ?4";

/// A schedule as the state directory knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRecord {
    /// Its name.
    pub name: String,
    /// Its expression when it was last taken up.
    pub expression: String,
    /// When it was first seen as it is now; rates count from here.
    pub since: Timestamp,
    /// Its last time that came, if any did.
    pub last: Option<LastTime>,
}

/// What became of a schedule's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTime {
    /// The time by the schedule.
    pub at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The workflow, or the reason.
    pub detail: String,
    /// When that was, by the system clock.
    pub settled_at: Timestamp,
}

/// What became of a schedule's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its workflow began.
    Started,
    /// Its workflow had begun before.
    StartedBefore,
    /// There was nothing to do.
    Skipped,
    /// It must not be done.
    Refused,
    /// Nobody was there, for too long to make up for it.
    Missed,
}

impl Outcome {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::StartedBefore => "started-before",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Missed => "missed",
        }
    }
}

/// From when to when a schedule's times are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// When it was first seen.
    pub(crate) since: Timestamp,
    /// No time up to here is due any more.
    pub(crate) until: Timestamp,
}

/// The end of a schedule's time.
pub(crate) struct Settlement {
    /// No time up to here is due any more.
    pub(crate) until: Timestamp,
    /// The time.
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
    /// To publish with it.
    pub(crate) event: Option<Event>,
}

impl Bus {
    /// Notes the schedules that are in force, forgets all others, and answers
    /// what is known of each. One that is new, or not as it was, begins now.
    pub(crate) async fn register(&self, schedules: &[Schedule]) -> Result<Vec<Known>, StoreError> {
        let rows: Vec<[String; 3]> = schedules
            .iter()
            .map(|schedule| {
                [
                    schedule.name.to_string(),
                    schedule.expression.to_string(),
                    schedule.zone.name().to_owned(),
                ]
            })
            .collect();
        let now = self.now();
        self.database()
            .write(Durability::Flushed, move |connection| {
                forget_others(connection, &rows)?;
                rows.iter()
                    .map(|row| register(connection, row, now))
                    .collect()
            })
            .await
    }

    /// What is known of a schedule by now, if it is still in force elsewhere.
    pub(crate) async fn known(&self, schedule: &ScheduleName) -> Result<Option<Known>, StoreError> {
        let name = schedule.to_string();
        self.database()
            .read(move |connection| Ok(find(connection, FIND, [name], read_known)?))
            .await
    }

    /// Settles a schedule's time, and answers whether this did it: another
    /// process may have been faster.
    pub(crate) async fn settle(
        &self,
        schedule: &ScheduleName,
        settlement: Settlement,
    ) -> Result<bool, StoreError> {
        let name = schedule.to_string();
        let publications = self.prepare(settlement.event.as_slice()).await?;
        let now = self.now();
        let settled = self
            .database()
            .write(Durability::Flushed, move |connection| {
                let parameters = params![
                    name,
                    micros(settlement.until),
                    micros(settlement.at),
                    settlement.outcome.name(),
                    micros(now),
                    settlement.detail,
                ];
                if execute(connection, SETTLE, parameters)? == 0 {
                    return Ok(false);
                }
                for publication in &publications {
                    // A time that came twice, since the clock was set back,
                    // is told of once.
                    let id = publication.routed.event_id.as_str();
                    if find(connection, publish::POSITION, [id], |_| Ok(()))?.is_none() {
                        publish::store(connection, std::slice::from_ref(publication), now)?;
                    }
                }
                Ok(true)
            })
            .await?;
        self.tell_due();
        Ok(settled)
    }

    /// Lets a schedule go on from now, although later times are settled
    /// already: more than `tolerance` later, so that the clock must have been
    /// ahead.
    pub(crate) async fn set_back(
        &self,
        schedule: &ScheduleName,
        tolerance: Duration,
    ) -> Result<(), StoreError> {
        let name = schedule.to_string();
        let now = self.now();
        self.database()
            .write(Durability::Flushed, move |connection| {
                let ahead = micros_after(now, tolerance);
                let parameters = params![name, micros(now), micros(whole_minute(now)), ahead];
                execute(connection, SET_BACK, parameters)?;
                Ok(())
            })
            .await
    }
}

fn forget_others(connection: &Connection, rows: &[[String; 3]]) -> Result<(), Failure> {
    let places = vec!["?"; rows.len()].join(", ");
    let sql = format!("DELETE FROM schedules WHERE name NOT IN ({places})");
    let names = rows.iter().map(|[name, ..]| Value::from(name.clone()));
    execute(connection, &sql, params_from_iter(names))?;
    Ok(())
}

fn register(connection: &Connection, row: &[String; 3], now: Timestamp) -> Result<Known, Failure> {
    let [name, expression, zone] = row;
    let since = micros(whole_minute(now));
    let parameters = params![name, expression, zone, since, micros(now)];
    execute(connection, REGISTER, parameters)?;
    find(connection, FIND, [name], read_known)?
        .ok_or_else(|| StoreError::Conflict(format!("schedule `{name}` was forgotten")).into())
}

/// Schedules go by the minute, and so do rates, whenever they were begun.
fn whole_minute(at: Timestamp) -> Timestamp {
    let seconds = at.instant().as_second();
    let minute = seconds - seconds.rem_euclid(60);
    Timestamp::new(jiff::Timestamp::from_second(minute).unwrap_or(at.instant()))
}

fn read_known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        since: instant(row, "since")?,
        until: instant(row, "until")?,
    })
}

pub(crate) fn read_schedule(row: &Row<'_>) -> rusqlite::Result<ScheduleRecord> {
    let last = match (
        optional_instant(row, "at")?,
        optional_instant(row, "settled_at")?,
    ) {
        (Some(at), Some(settled_at)) => Some(LastTime {
            at,
            outcome: text(row, "outcome")?,
            detail: row.get::<_, Option<String>>("detail")?.unwrap_or_default(),
            settled_at,
        }),
        _ => None,
    };
    Ok(ScheduleRecord {
        name: row.get("name")?,
        expression: row.get("expression")?,
        since: instant(row, "since")?,
        last,
    })
}
