//! `alchemiser rules match` and `alchemiser rules explain`

use crate::arguments::State;
use crate::commands::events::find;
use crate::commands::state::open;
use crate::failure::{CommandFailure, CommandResult};
use crate::input::Input;
use crate::output::{Align, Table};
use crate::project::Project;
use crate::refusal::Refusal;
use alchemiser_events::Event;
use alchemiser_rules::{
    Delivery, EventError, Explanation, Mismatch, Pattern, Reason, Rule, TargetKind, Verdict,
    is_json,
};
use serde_json::{Value, json};
use std::path::Path;

/// Says whether a pattern matches an event.
pub fn matches(pattern: &str, event: &str, json: bool) -> CommandResult {
    if pattern == "-" && event == "-" {
        let message = "stdin cannot be both the pattern and the event";
        return Err(CommandFailure::usage("UsageError", message));
    }
    let pattern = Input::read(pattern, "pattern")?;
    let text = pattern.as_text()?;
    let compiled = Pattern::from_json(text).map_err(|error| {
        CommandFailure::Refused(Box::new(Refusal::of_pattern(text, &pattern.name, error)))
    })?;
    let event = Input::read(event, "event")?;
    let explanation = compiled
        .explain(&event.text)
        .map_err(|error| bad(&event, &error))?;
    let mismatch = match &explanation {
        Explanation::Matches => None,
        Explanation::Fails(mismatch) => Some(mismatch),
    };
    if json {
        let mut object = json!({"matches": mismatch.is_none()});
        if let Some(mismatch) = mismatch {
            object["mismatch"] = mismatch_object(mismatch);
        }
        println!("{object}");
    } else {
        match mismatch {
            None => println!("matches"),
            Some(mismatch) => println!("does not match: {mismatch}"),
        }
    }
    match mismatch {
        None => Ok(()),
        Some(_) => Err(CommandFailure::AlreadyReported),
    }
}

/// Says what each rule makes of an event, and who gets it.
pub fn explain(project: &Project, event: &str, state: &State, json: bool) -> CommandResult {
    let routes = project.routes()?;
    let file = event.strip_prefix('@').unwrap_or(event);
    let event = if event == "-" || is_json(event) || Path::new(file).exists() {
        delivered(Input::read(event, "event")?)
    } else if may_be_id(event) {
        let record = find(&open(project, state)?, event)?;
        Input {
            text: record.event.envelope().to_string().into_bytes(),
            name: event.to_owned(),
        }
    } else {
        let message = format!(
            "{file}: there is no such file, and no event has such an id; the event is JSON in \
             quotes, a file, `-` for stdin, or an id of `alchemiser events list`"
        );
        return Err(CommandFailure::usage("UsageError", message));
    };
    let verdicts = routes
        .explain(&event.text)
        .map_err(|error| bad(&event, &error))?;
    let deliveries: Vec<Delivery<'_>> = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Sends)
        .filter(|(rule, _)| routes.target_kind(&rule.target) == Some(TargetKind::Handler))
        .map(|(rule, _)| Delivery {
            target: &rule.target,
            rule,
        })
        .collect();
    if json {
        for (rule, verdict) in &verdicts {
            println!("{}", verdict_object(rule, verdict));
        }
        let deliveries: Vec<Value> = deliveries.iter().map(delivery_object).collect();
        println!("{}", json!({"deliveries": deliveries}));
        return Ok(());
    }
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left]);
    for (rule, verdict) in &verdicts {
        table.row([
            rule.name.to_string(),
            rule.target.to_string(),
            verdict.to_string(),
        ]);
    }
    println!("Rules");
    table.print();
    println!("Deliveries");
    if deliveries.is_empty() {
        println!("  none");
    }
    for Delivery { target, rule } in &deliveries {
        println!(
            "  {target}: by rule {}, tried again up to {} times within {} s",
            rule.name,
            rule.retry.attempts,
            rule.retry.max_age.as_secs()
        );
    }
    Ok(())
}

/// Whether something may be the beginning of an event's id, such as
/// `trade-executed-4f0c…`; a file's name has a dot or lies in a folder.
fn may_be_id(given: &str) -> bool {
    given.starts_with(|first: char| first.is_ascii_lowercase())
        && given
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The event as it is delivered, where it was given as `events show` prints it.
fn delivered(event: Input) -> Input {
    match serde_json::from_slice::<Event>(&event.text) {
        Ok(published) => Input {
            text: published.envelope().to_string().into_bytes(),
            ..event
        },
        Err(_) => event,
    }
}

fn bad(event: &Input, error: &EventError) -> CommandFailure {
    CommandFailure::usage("EventError", format!("{}: {error}", event.name))
}

fn delivery_object(Delivery { target, rule }: &Delivery<'_>) -> Value {
    json!({
        "target": target,
        "rule": rule.name,
        "retry_attempts": rule.retry.attempts,
        "max_age_seconds": rule.retry.max_age.as_secs(),
    })
}

fn verdict_object(rule: &Rule, verdict: &Verdict) -> Value {
    let name = match verdict {
        Verdict::Sends => "sends",
        Verdict::SentBefore(_) => "sent-before",
        Verdict::Logs => "logs",
        Verdict::Differs(_) => "differs",
        Verdict::Disabled => "disabled",
        Verdict::OtherBus => "other-bus",
    };
    let mut object = json!({"rule": rule.name, "target": rule.target, "verdict": name});
    match verdict {
        Verdict::Differs(mismatch) => object["mismatch"] = mismatch_object(mismatch),
        Verdict::SentBefore(first) => object["sent_by"] = json!(first),
        _ => {}
    }
    object
}

fn mismatch_object(mismatch: &Mismatch) -> Value {
    let (reason, found, count) = match &mismatch.reason {
        Reason::Nothing => ("nothing", &[][..], 0),
        Reason::Values { first, count } => ("values", first.as_slice(), *count),
        Reason::OtherElement => ("other-element", &[][..], 0),
    };
    json!({
        "field": mismatch.field,
        "asked": mismatch.asked,
        "reason": reason,
        "found": found,
        "found_count": count,
        "message": mismatch.to_string(),
    })
}
