//! `alchemiser dlq`: dead letters, and another chance for them.

use super::state::{open, opened, store};
use crate::arguments::{Arguments, Data, Dlq, Letters, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine;
use crate::output::{Align, Table};
use crate::project::Project;
use crate::worker::Worker;
use alchemiser_events::CorrelationId;
use alchemiser_local::{DeadLetterRecord, LetterFilter, LetterNumber, Redrive, StateDirectory};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Dispatches the subcommands.
pub fn dlq(command: &Dlq, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let json = arguments.json;
    match command {
        Dlq::List {
            workflow,
            letters,
            settled,
            state,
        } => {
            let filter = LetterFilter {
                workflow: workflow.as_deref().and_then(CorrelationId::parse),
                settled_too: *settled,
                ..filter(letters)
            };
            let letters = open(&project, state)?
                .dead_letters(&filter)
                .map_err(store)?;
            list(&letters, json);
            Ok(())
        }
        Dlq::Show { letter, state } => {
            let number = LetterNumber::new(*letter);
            let found = open(&project, state)?.dead_letter(number).map_err(store)?;
            show(&found.ok_or_else(|| unknown(number))?, json);
            Ok(())
        }
        Dlq::Redrive {
            letter,
            all: _,
            letters,
            dry_run,
            per_second,
            data,
            state,
        } => {
            let chosen = choose(&project, *letter, letters, state)?;
            let pace = Duration::from_secs(1) / *per_second;
            redrive(&project, &chosen, *dry_run, pace, data, state, json)
        }
        Dlq::Drop {
            letter,
            all: _,
            letters,
            dry_run,
            state,
        } => {
            let chosen = choose(&project, *letter, letters, state)?;
            drop_letters(&project, &chosen, *dry_run, state, json)
        }
    }
}

fn filter(letters: &Letters) -> LetterFilter {
    LetterFilter {
        rule: letters.rule.clone(),
        error: letters.error.clone(),
        ..LetterFilter::default()
    }
}

/// The letter that was named, or all that a filter leaves.
fn choose(
    project: &Project,
    letter: Option<i64>,
    letters: &Letters,
    state: &State,
) -> CommandResult<Vec<LetterNumber>> {
    let queries = open(project, state)?;
    if let Some(number) = letter.map(LetterNumber::new) {
        let found = queries.dead_letter(number).map_err(store)?;
        return match found.ok_or_else(|| unknown(number))?.settled {
            None => Ok(vec![number]),
            Some((settled, at)) => Err(CommandFailure::failed(
                "Settled",
                format!("dead letter {number} was {settled} at {at}"),
            )),
        };
    }
    let found = queries.dead_letters(&filter(letters)).map_err(store)?;
    Ok(found.into_iter().map(|letter| letter.number).collect())
}

fn redrive(
    project: &Project,
    letters: &[LetterNumber],
    dry_run: bool,
    pace: Duration,
    data: &Data,
    state: &State,
    json: bool,
) -> CommandResult {
    // Everything that could be wrong is looked at before anything is done.
    let worker = Worker::gather(project, data)?;
    let directory = StateDirectory::open(&project.state(state)).map_err(|error| opened(&error))?;
    let bus = worker.bus(project, &directory);
    let runner = worker.runner(project, &directory, &bus);
    let (mut refused, mut workflows) = (0, BTreeSet::new());
    machine::runtime()?.block_on(async {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for &letter in letters {
            ticks.tick().await;
            let redrive = bus.redrive(letter, dry_run).await.map_err(store)?;
            if let Redrive::Accepted(workflow) = &redrive {
                workflows.insert(workflow.clone());
            } else {
                refused += 1;
            }
            tell(letter, &redrive, dry_run, json);
        }
        if dry_run {
            return Ok(());
        }
        for workflow in &workflows {
            runner.run_workflow(workflow).await.map_err(store)?;
            become_of(&directory, workflow, json)?;
        }
        Ok(())
    })?;
    if letters.is_empty() && !json {
        println!("There are no such dead letters.");
    }
    if refused == 0 {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

fn tell(letter: LetterNumber, redrive: &Redrive, dry_run: bool, json: bool) {
    let (outcome, reason) = match redrive {
        Redrive::Accepted(_) if dry_run => ("would be redriven", None),
        Redrive::Accepted(_) => ("redriven", None),
        Redrive::Refused(refusal) => ("refused", Some((refusal.class(), refusal.to_string()))),
        Redrive::Settled => {
            let message = "somebody else has redriven or dropped it".to_owned();
            ("refused", Some(("Settled", message)))
        }
    };
    if json {
        let mut object = json!({
            "letter": letter,
            "redriven": reason.is_none() && !dry_run,
            "dry_run": dry_run,
        });
        if let Redrive::Accepted(workflow) = redrive {
            object["workflow"] = json!(workflow);
        }
        if let Some((class, message)) = reason {
            object["error"] = json!({"class": class, "message": message});
        }
        println!("{object}");
    } else {
        match reason {
            None => println!("{letter}: {outcome}"),
            Some((_, message)) => println!("{letter}: {outcome}: {message}"),
        }
    }
}

/// Says where a workflow has come to, and which letters it left anew.
fn become_of(directory: &StateDirectory, workflow: &CorrelationId, json: bool) -> CommandResult {
    let queries = directory.queries().map_err(|error| opened(&error))?;
    let state = queries
        .workflow(workflow)
        .map_err(store)?
        .map(|record| record.workflow.state);
    let filter = LetterFilter {
        workflow: Some(workflow.clone()),
        ..LetterFilter::default()
    };
    let left = queries.dead_letters(&filter).map_err(store)?;
    if json {
        let left: Vec<LetterNumber> = left.iter().map(|letter| letter.number).collect();
        println!(
            "{}",
            json!({"workflow": workflow, "state": state, "dead_letters": left})
        );
        return Ok(());
    }
    if let Some(state) = state {
        println!("{workflow}: {state}");
    }
    for DeadLetterRecord { number, letter, .. } in &left {
        println!("{number}: failed again: {}", letter.error.message);
    }
    Ok(())
}

fn drop_letters(
    project: &Project,
    letters: &[LetterNumber],
    dry_run: bool,
    state: &State,
    json: bool,
) -> CommandResult {
    let directory = StateDirectory::open(&project.state(state)).map_err(|error| opened(&error))?;
    let bus = directory.bus(Arc::new(project.routes()?));
    machine::runtime()?.block_on(async {
        for &letter in letters {
            let dropped = !dry_run && bus.drop_letter(letter).await.map_err(store)?;
            if json {
                let object = json!({"letter": letter, "dropped": dropped, "dry_run": dry_run});
                println!("{object}");
            } else if dry_run {
                println!("{letter}: would be dropped");
            } else if dropped {
                println!("{letter}: dropped");
            } else {
                println!("{letter}: somebody else has redriven or dropped it");
            }
        }
        if letters.is_empty() && !json {
            println!("There are no such dead letters.");
        }
        Ok(())
    })
}

fn list(letters: &[DeadLetterRecord], json: bool) {
    if json {
        for letter in letters {
            println!("{}", object(letter));
        }
        return;
    }
    let mut table = Table::new(&[
        Align::Right,
        Align::Left,
        Align::Left,
        Align::Left,
        Align::Left,
    ]);
    for record in letters {
        let settled = record.settled.map(|(settled, _)| settled.to_string());
        table.row([
            record.number.to_string(),
            format!("{} → {}", record.event_type, record.letter.key.target),
            record.correlation_id.to_string(),
            record.letter.error.class.clone(),
            settled.unwrap_or_else(|| record.died_at.to_string()),
        ]);
    }
    if table.is_empty() {
        println!("There are no dead letters.");
    }
    table.print();
}

fn show(record: &DeadLetterRecord, json: bool) {
    if json {
        println!("{}", object(record));
        return;
    }
    let letter = &record.letter;
    let mut table = Table::new(&[Align::Left, Align::Left]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("event", letter.key.event_id.to_string());
    row("type", record.event_type.to_string());
    row("workflow", record.correlation_id.to_string());
    row("target", letter.key.target.to_string());
    row("rule", letter.rule.clone());
    row("error", letter.error.class.clone());
    row("message", letter.error.message.clone());
    for (name, value) in &letter.error.context {
        row(name, value.clone());
    }
    row("attempts", letter.attempts.to_string());
    row("first attempt", record.first_attempt_at.to_string());
    row("last attempt", record.died_at.to_string());
    if record.generation > 0 {
        row("redriven before", record.generation.to_string());
    }
    if let Some((settled, at)) = record.settled {
        row(settled.name(), at.to_string());
    }
    println!("Dead letter {}", record.number);
    table.print();
}

fn object(record: &DeadLetterRecord) -> Value {
    let letter = &record.letter;
    json!({
        "letter": record.number,
        "event_id": letter.key.event_id,
        "event_type": record.event_type,
        "workflow": record.correlation_id,
        "target": letter.key.target,
        "rule": letter.rule,
        "error": letter.error,
        "attempts": letter.attempts,
        "generation": record.generation,
        "first_attempt_at": record.first_attempt_at,
        "died_at": record.died_at,
        "settled": record.settled.map(|(settled, _)| settled),
        "settled_at": record.settled.map(|(_, at)| at),
    })
}

fn unknown(letter: LetterNumber) -> CommandFailure {
    CommandFailure::failed(
        "NotFound",
        format!("there is no dead letter {letter}; `alchemiser dlq list` lists them"),
    )
}
