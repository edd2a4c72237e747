//! `alchemiser rules schedules`

use alchemiser_events::Timestamp;
use alchemiser_rules::Schedule;
use serde_json::json;

/// Lists schedules and when they fire next.
pub fn schedules(schedules: &[Schedule], after: Option<Timestamp>, count: usize, json: bool) {
    let after = after.map_or_else(jiff::Timestamp::now, Timestamp::instant);
    if schedules.is_empty() && !json {
        println!("There are no schedules.");
    }
    for schedule in schedules {
        let times = upcoming(schedule, after, count);
        if json {
            let object = json!({
                "schedule": schedule.name,
                "enabled": schedule.enabled,
                "expression": schedule.expression.as_str(),
                "time_zone": schedule.zone.name(),
                "target": schedule.target,
                "input": schedule.input,
                "next": times.iter().map(|time| time.timestamp().to_string()).collect::<Vec<_>>(),
            });
            println!("{object}");
            continue;
        }
        let disabled = if schedule.enabled { "" } else { ", disabled" };
        println!(
            "{}: {} in {}{disabled}",
            schedule.name, schedule.expression, schedule.zone
        );
        if let Some(description) = &schedule.description {
            println!("  {description}");
        }
        if times.is_empty() {
            println!("  never fires again");
        }
        for time in times {
            println!("  {}", time.strftime("%a %F %H:%M %Z"));
        }
    }
}

/// The next times, on the clock of the schedule's zone.
fn upcoming(schedule: &Schedule, mut after: jiff::Timestamp, count: usize) -> Vec<jiff::Zoned> {
    // Where a rate began is known once it runs; here it begins now.
    let start = after;
    std::iter::from_fn(|| {
        after = schedule
            .expression
            .next_after(after, &schedule.zone, start)?;
        Some(after.to_zoned(schedule.zone.time_zone().clone()))
    })
    .take(count)
    .collect()
}
