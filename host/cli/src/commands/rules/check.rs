//! `alchemiser rules check`

use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_rules::{Finding, Flow, Routes, narrowings};
use alchemiser_worker::{DECLARATIONS, flow};
use serde_json::json;

/// Looks for routes that are well-formed and make no sense.
pub fn check(routes: &Routes, json: bool) -> CommandResult {
    let flow = flow(&DECLARATIONS);
    let findings = alchemiser_rules::check(routes, &flow);
    for finding in &findings {
        if json {
            println!("{}", object(finding));
        } else {
            println!("{}", located(finding));
        }
    }
    let remarks = remarks(routes, &flow);
    if !json {
        for (line, what) in &remarks {
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
        summary["remarks"] = remarks.into_iter().map(|(_, what)| what).collect();
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
        let found = match findings.len() {
            0 => "no findings".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        println!("{}: {}: {found}", Project::MARK, counts.join(", "));
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

/// What is no mistake but good to know, with its line: what counts as absent,
/// and which events are sent only in part, and which commands are never given.
fn remarks(routes: &Routes, flow: &Flow) -> Vec<(usize, String)> {
    let narrowings = narrowings(routes, flow).into_iter();
    let narrowings = narrowings.map(|narrowing| (narrowing.rule.line, narrowing.to_string()));
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
    let now = jiff::Timestamp::now();
    let schedules = routes.schedules().iter().filter_map(|schedule| {
        let next = schedule.expression.next_after(now, &schedule.zone, now);
        let why = match (schedule.enabled, next) {
            (false, _) => "is disabled",
            (true, None) => "never fires again",
            (true, Some(_)) => return None,
        };
        Some((schedule.line, format!("schedule `{}` {why}", schedule.name)))
    });
    let mut remarks: Vec<_> = rules.chain(narrowings).chain(schedules).collect();
    remarks.sort_by_key(|(line, _)| *line);
    remarks
}
