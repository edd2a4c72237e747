//! What a person reads of scenarios, and a script.

use super::TestResult;
use crate::output::{Align, Table, grouped};
use crate::snippet::{Remark, colours};
use alchemiser_scenarios::{Difference, FileError, Finding, Mistake, Task};
use annotate_snippets::Level;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How results are shown.
pub(super) struct Form {
    pub(super) json: bool,
    /// Columns of the longest name.
    pub(super) width: usize,
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

impl Form {
    /// What came of a scenario; above the first of a plugin or strategy its name.
    pub(super) fn text(&self, result: &TestResult<'_>, is_first: bool) -> String {
        if self.json {
            return format!("{}\n", object(result));
        }
        let mut text = String::new();
        if is_first {
            let _ = writeln!(text, "{}", result.suite.subject.name());
        }
        let verdict = match (result.passed(), result.changes.is_empty()) {
            (false, _) => "FAILED",
            (true, false) => "updated",
            (true, true) => "passed",
        };
        let name = console::pad_str(
            &result.scenario.name,
            self.width,
            console::Alignment::Left,
            None,
        );
        let _ = writeln!(text, "  {verdict:<7}  {name}{}", cost(result));
        for it in &result.report.findings {
            for line in finding(result, it).lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
        text
    }
}

/// What the scenario took, in columns.
fn cost(result: &TestResult<'_>) -> String {
    let cost = &result.report.cost;
    if cost.calls == 0 {
        return String::new();
    }
    let time = cost.time.as_secs_f64() * 1e3;
    let fuel = cost
        .fuel
        .map_or_else(String::new, |fuel| format!("  {:>13} fuel", grouped(fuel)));
    let memory = cost.memory as f64 / f64::from(1 << 20);
    format!("  {time:>8.3} ms{fuel}  {memory:>5.1} MiB")
}

/// A finding: where, what, and how the numbers differ.
pub(super) fn finding(result: &TestResult<'_>, finding: &Finding) -> String {
    let line = finding.line.unwrap_or(result.scenario.line);
    let place = finding.place.map_or_else(String::new, |place| {
        format!(" as of {} (session {}):", place.date, place.session.0)
    });
    let file = result.file.path.display();
    let differences = match finding.differences.is_empty() {
        true => String::new(),
        false => table(result, &finding.differences),
    };
    format!("{file}:{line}:{place} {}\n{differences}", finding.message)
}

fn table(result: &TestResult<'_>, differences: &[Difference]) -> String {
    let names = match result.scenario.task {
        Task::Strategy(_) => "symbol",
        Task::Plan(_) => "field",
    };
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Right]);
    table.row([names, "expected", "got", "difference"]);
    for difference in differences {
        let nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        table.row([
            difference.name.clone(),
            nothing(&difference.expected),
            nothing(&difference.got),
            difference.difference.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// How many passed, and what the command did to the files.
pub(super) fn summary(results: &[TestResult<'_>]) -> String {
    let passed = results.iter().filter(|result| result.passed()).count();
    let failed = results.len() - passed;
    let updated: usize = results.iter().map(|result| result.changes.len()).sum();
    let mut text = String::new();
    if updated > 0 {
        let _ = writeln!(text, "{} written anew", counted(updated, "expectation"));
    }
    let _ = match failed {
        0 => writeln!(text, "{} passed", counted(passed, "scenario")),
        _ => writeln!(
            text,
            "{} passed, {failed} failed",
            counted(passed, "scenario")
        ),
    };
    text
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn object(result: &TestResult<'_>) -> Value {
    let cost = &result.report.cost;
    let findings = result.report.findings.iter();
    json!({
        "target": result.suite.subject.name(),
        "file": result.file.path.display().to_string(),
        "line": result.scenario.line,
        "scenario": result.scenario.name,
        "passed": result.passed(),
        "updated": result.changes.len(),
        "calls": cost.calls,
        "time_ms": cost.time.as_secs_f64() * 1e3,
        "fuel": cost.fuel,
        "memory": cost.memory,
        "failures": findings.map(finding_object).collect::<Vec<_>>(),
    })
}

fn finding_object(finding: &Finding) -> Value {
    let mut object = json!({"kind": finding.kind, "message": finding.message});
    if let Some(line) = finding.line {
        object["line"] = line.into();
    }
    if let Some(place) = finding.place {
        object["session"] = place.session.0.into();
        object["date"] = json!(place.date);
    }
    if !finding.differences.is_empty() {
        let differences = finding.differences.iter().map(|difference| {
            json!({
                "name": difference.name,
                "expected": difference.expected,
                "got": difference.got,
                "difference": difference.difference,
            })
        });
        object["differences"] = differences.collect();
    }
    object
}

/// What is wrong with scenario files, on stderr; for scripts on stdout as well,
/// one object a mistake.
pub(super) fn file_errors(errors: &[FileError], json: bool) {
    let colours = colours(&std::io::stderr());
    for error in errors {
        match error {
            FileError::Read { .. } => {
                eprintln!("error: {error}");
                if json {
                    let message = error.to_string();
                    let class = "ScenarioError";
                    println!("{}", json!({"error": {"class": class, "message": message}}));
                }
            }
            FileError::Mistakes {
                path,
                text,
                mistakes,
            } => {
                let file = path.display().to_string();
                for mistake in mistakes {
                    eprintln!("{}", remark(mistake, text, &file, colours));
                    if json {
                        println!("{}", json!({"error": mistake_object(mistake, &file)}));
                    }
                }
            }
        }
    }
}

fn remark(mistake: &Mistake, text: &str, file: &str, colours: bool) -> String {
    Remark {
        level: Level::ERROR,
        message: &mistake.message,
        file,
        text,
        place: mistake.span.clone(),
        label: None,
        advice: None,
    }
    .render(colours)
}

fn mistake_object(mistake: &Mistake, file: &str) -> Value {
    json!({
        "class": "ScenarioError",
        "file": file,
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
    })
}
