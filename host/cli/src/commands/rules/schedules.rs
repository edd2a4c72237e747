//! `alchemiser rules schedules`

use crate::arguments::State;
use crate::commands::state::{opened, store};
use crate::failure::CommandResult;
use crate::project::Project;
use alchemiser_events::Timestamp;
use alchemiser_local::{LastTime, OpenError, ScheduleRecord, StateDirectory};
use alchemiser_market::{exchange_date, trading_day};
use alchemiser_rules::Schedule;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Lists schedules, what they did last and when they fire next.
pub fn schedules(
    project: &Project,
    after: Option<Timestamp>,
    count: usize,
    state: &State,
    json: bool,
) -> CommandResult {
    let routes = project.routes()?;
    let records = records(project, state)?;
    let calendar = Calendar {
        always_open: project.settings.paper.always_open,
    };
    let after = after.unwrap_or_else(|| Timestamp::new(jiff::Timestamp::now()));
    if routes.schedules().is_empty() && !json {
        println!("There are no schedules.");
    }
    for schedule in routes.schedules() {
        // What is known of it as it was says nothing of it as it is.
        let record = records
            .get(schedule.name.as_str())
            .filter(|record| record.expression == schedule.expression.as_str());
        let times = upcoming(schedule, record, after, count);
        if json {
            println!("{}", object(schedule, record, &times, calendar));
        } else {
            print(schedule, record, &times, calendar);
        }
    }
    Ok(())
}

/// What the state directory knows of schedules, if there is one.
fn records(project: &Project, state: &State) -> CommandResult<BTreeMap<String, ScheduleRecord>> {
    let queries = match StateDirectory::open_existing(&project.state(state)) {
        Ok(queries) => queries,
        Err(OpenError::Missing(_)) => return Ok(BTreeMap::new()),
        Err(error) => return Err(opened(&error)),
    };
    let records = queries.schedules().map_err(store)?;
    let named = records
        .into_iter()
        .map(|record| (record.name.clone(), record));
    Ok(named.collect())
}

/// The next times.
fn upcoming(
    schedule: &Schedule,
    record: Option<&ScheduleRecord>,
    after: Timestamp,
    count: usize,
) -> Vec<Timestamp> {
    let mut after = after.instant();
    // A rate that has not begun yet would begin now.
    let start = record.map_or(after, |record| record.since.instant());
    let times = std::iter::from_fn(|| {
        after = schedule
            .expression
            .next_after(after, &schedule.zone, start)?;
        Some(Timestamp::new(after))
    });
    times.take(count).collect()
}

/// When the venue trades.
#[derive(Clone, Copy)]
struct Calendar {
    /// Whether it does so at any time; else when the exchanges do.
    always_open: bool,
}

impl Calendar {
    /// Why nothing will be traded at a time.
    fn closed(self, at: Timestamp) -> Option<String> {
        if self.always_open {
            return None;
        }
        trading_day(exchange_date(at)).ok()?.closed_at(at)
    }
}

fn print(
    schedule: &Schedule,
    record: Option<&ScheduleRecord>,
    times: &[Timestamp],
    calendar: Calendar,
) {
    let disabled = if schedule.enabled { "" } else { ", disabled" };
    println!(
        "{}: {} in {}{disabled}",
        schedule.name, schedule.expression, schedule.zone
    );
    if let Some(description) = &schedule.description {
        println!("  {description}");
    }
    if let Some(LastTime {
        at,
        outcome,
        detail,
        ..
    }) = record.and_then(|record| record.last.as_ref())
    {
        let outcome = outcome.name().replace('-', " ");
        println!("  {}  {outcome}: {detail}", on_the_wall(schedule, *at));
    }
    if times.is_empty() {
        println!("  never fires again");
    }
    for &time in times {
        let closed = calendar.closed(time);
        let closed = closed.map_or_else(String::new, |why| format!("  market closed: {why}"));
        println!("  {}{closed}", on_the_wall(schedule, time));
    }
}

fn object(
    schedule: &Schedule,
    record: Option<&ScheduleRecord>,
    times: &[Timestamp],
    calendar: Calendar,
) -> Value {
    let instant = |at: Timestamp| at.instant().to_string();
    let closed: BTreeMap<String, String> = times
        .iter()
        .filter_map(|&time| Some((instant(time), calendar.closed(time)?)))
        .collect();
    let last = record.and_then(|record| record.last.as_ref()).map(|last| {
        json!({
            "at": instant(last.at),
            "outcome": last.outcome.name(),
            "detail": last.detail,
            "settled_at": last.settled_at,
        })
    });
    json!({
        "schedule": schedule.name,
        "enabled": schedule.enabled,
        "expression": schedule.expression.as_str(),
        "time_zone": schedule.zone.name(),
        "target": schedule.target,
        "input": schedule.input,
        "last": last,
        "next": times.iter().map(|&time| instant(time)).collect::<Vec<_>>(),
        "market_closed": closed,
    })
}

/// An instant on the clock of the schedule's zone.
pub fn on_the_wall(schedule: &Schedule, at: Timestamp) -> String {
    let zoned = at.instant().to_zoned(schedule.zone.time_zone().clone());
    zoned.strftime("%a %F %H:%M %Z").to_string()
}
