//! `alchemiser rules check`

use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_events::TradingMode;
use alchemiser_rules::{Flow, Routes, narrowings};
use alchemiser_worker::{CommandMistake, DECLARATIONS, command_mistakes, flow};
use serde_json::json;
use std::fmt;

/// Looks for routes that are well-formed and make no sense.
pub fn check(routes: &Routes, json: bool) -> CommandResult {
    let findings = findings(routes);
    for finding in &findings {
        if json {
            println!("{}", finding.object());
        } else {
            println!("{finding}");
        }
    }
    let remarks = remarks(routes, &flow(&DECLARATIONS));
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

/// Something that is well-formed and makes no sense.
pub enum Finding {
    /// Of rules.
    Rules(alchemiser_rules::Finding),
    /// Of a schedule's command.
    Command(CommandMistake),
}

/// Everything that has to be mended before a workflow may begin.
pub fn findings(routes: &Routes) -> Vec<Finding> {
    let of_rules = alchemiser_rules::check(routes, &flow(&DECLARATIONS));
    // There is no other account than the simulated one.
    let of_commands = command_mistakes(routes, TradingMode::Paper);
    let of_rules = of_rules.into_iter().map(Finding::Rules);
    of_rules
        .chain(of_commands.into_iter().map(Finding::Command))
        .collect()
}

impl Finding {
    fn line(&self) -> Option<usize> {
        match self {
            Self::Rules(finding) => finding.place().map(|place| place.line),
            Self::Command(mistake) => Some(mistake.line),
        }
    }

    fn object(&self) -> serde_json::Value {
        let (kind, rule, schedule, message) = match self {
            Self::Rules(finding) => {
                let rule = finding.place().map(|place| &place.rule);
                (finding.kind(), rule, None, finding.to_string())
            }
            Self::Command(mistake) => (
                "unknown-command",
                None,
                Some(&mistake.schedule),
                mistake.to_string(),
            ),
        };
        json!({
            "finding": kind,
            "file": Project::MARK,
            "line": self.line(),
            "rule": rule,
            "schedule": schedule,
            "message": message,
        })
    }
}

/// With its place in the routes.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line() {
            Some(line) => write!(formatter, "{}:{line}: ", Project::MARK)?,
            None => write!(formatter, "{}: ", Project::MARK)?,
        }
        match self {
            Self::Rules(finding) => finding.fmt(formatter),
            Self::Command(mistake) => mistake.fmt(formatter),
        }
    }
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
