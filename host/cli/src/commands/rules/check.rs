//! `alchemiser rules check`

use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_rules::{Finding, Routes};
use alchemiser_worker::{DECLARATIONS, flow};
use serde_json::json;

/// Looks for routes that are well-formed and make no sense.
pub fn check(routes: &Routes, json: bool) -> CommandResult {
    let findings = alchemiser_rules::check(routes, &flow(&DECLARATIONS));
    for finding in &findings {
        if json {
            println!("{}", object(finding));
        } else {
            println!("{}", located(finding));
        }
    }
    let absent = absent(routes);
    if !json {
        for (line, what) in &absent {
            println!("{}:{line}: {what}", Project::MARK);
        }
    }
    let counts = [
        (routes.rules().len(), "rules"),
        (routes.schedules().len(), "schedules"),
        (routes.targets().count(), "targets"),
        (routes.tests().len(), "tests"),
    ];
    if json {
        let mut summary = json!({"findings": findings.len()});
        for (count, what) in counts {
            summary[what] = count.into();
        }
        summary["absent"] = absent.into_iter().map(|(_, what)| what).collect();
        println!("{summary}");
    } else {
        let counts = counts.map(|(count, what)| {
            let what = if count == 1 {
                &what[..what.len() - 1]
            } else {
                what
            };
            format!("{count} {what}")
        });
        let remarks = match findings.len() {
            0 => "nothing to remark".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        println!("{}: {}: {remarks}", Project::MARK, counts.join(", "));
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

/// A finding with its place in the routes.
pub fn located(finding: &Finding) -> String {
    match finding.place() {
        Some(place) => format!("{}:{}: {finding}", Project::MARK, place.line),
        None => format!("{}: {finding}", Project::MARK),
    }
}

fn object(finding: &Finding) -> serde_json::Value {
    json!({
        "finding": finding.kind(),
        "file": Project::MARK,
        "line": finding.place().map(|place| place.line),
        "rule": finding.place().map(|place| &place.rule),
        "message": finding.to_string(),
    })
}

/// What counts as absent, with its line: no finding, but good to know.
fn absent(routes: &Routes) -> Vec<(usize, String)> {
    let rules = routes.rules().iter().filter_map(|rule| {
        let why = match (rule.enabled, rule.bus == *routes.bus()) {
            (false, _) => "is disabled and counts as absent".to_owned(),
            (true, false) => format!(
                "listens on the bus `{}`, on which nothing is published here",
                rule.bus
            ),
            (true, true) => return None,
        };
        Some((rule.line, format!("rule `{}` {why}", rule.name)))
    });
    let schedules = routes
        .schedules()
        .iter()
        .filter(|schedule| !schedule.enabled);
    let schedules = schedules.map(|schedule| {
        (
            schedule.line,
            format!("schedule `{}` is disabled", schedule.name),
        )
    });
    rules.chain(schedules).collect()
}
