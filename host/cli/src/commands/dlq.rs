//! `alchemiser dlq`: dead letters, and another chance for them.

use super::rules::known_rule;
use super::state::{open, opened, store};
use crate::arguments::{Arguments, Data, Dlq, Letters, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine;
use crate::output::{Align, Table};
use crate::project::Project;
use crate::worker::Worker;
use alchemiser_events::CorrelationId;
use alchemiser_local::{
    Bus, DeadLetterRecord, LetterFilter, LetterNumber, Queries, Redrive, Runner, Settled,
    StateDirectory,
};
use alchemiser_worker::Workflow;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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
            let found = open(&project, state)?
                .dead_letters(&filter)
                .map_err(store)?;
            if found.is_empty() {
                refuse_unknown(&project, letters)?;
            }
            list(&found, json);
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
            let begun = begun(&open(&project, state)?, *letter, letters)?;
            let chosen = match choose(&project, *letter, letters, state) {
                // It was redriven, and is not at its end.
                Err(_) if letter.is_some() && !begun.is_empty() => Vec::new(),
                chosen => chosen?,
            };
            let redriving = Redriving {
                letters: &chosen,
                begun: &begun,
                dry_run: *dry_run,
                pace: Duration::from_secs(1) / *per_second,
                json,
            };
            redriving.work(&project, data, state)
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

/// Refuses a rule that was mistyped; one of old that has letters is none.
fn refuse_unknown(project: &Project, letters: &Letters) -> CommandResult {
    match &letters.rule {
        Some(rule) => known_rule(rule, &project.routes()?).map(|_| ()),
        None => Ok(()),
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
    if found.is_empty() {
        refuse_unknown(project, letters)?;
    }
    Ok(found.into_iter().map(|letter| letter.number).collect())
}

/// Workflows that a redrive set going, and that have not come to their end
/// since: it was cut short.
fn begun(
    queries: &Queries,
    letter: Option<i64>,
    letters: &Letters,
) -> CommandResult<BTreeSet<CorrelationId>> {
    let number = letter.map(LetterNumber::new);
    let settled_too = LetterFilter {
        settled_too: true,
        ..filter(letters)
    };
    let redriven: BTreeSet<CorrelationId> = queries
        .dead_letters(&settled_too)
        .map_err(store)?
        .into_iter()
        .filter(|record| number.is_none_or(|number| record.number == number))
        .filter(|record| matches!(record.settled, Some((Settled::Redriven, _))))
        .map(|record| record.correlation_id)
        .collect();
    let mut begun = BTreeSet::new();
    for workflow in redriven {
        let events = queries.trace(&workflow).map_err(store)?;
        let mut deliveries = events.iter().flat_map(|event| &event.deliveries);
        if deliveries.any(|delivery| delivery.state.is_open()) {
            begun.insert(workflow);
        }
    }
    Ok(begun)
}

/// Letters to be delivered again, one after the other.
struct Redriving<'a> {
    letters: &'a [LetterNumber],
    begun: &'a BTreeSet<CorrelationId>,
    dry_run: bool,
    /// From one letter to the next, at least.
    pace: Duration,
    json: bool,
}

impl Redriving<'_> {
    fn work(&self, project: &Project, data: &Data, state: &State) -> CommandResult {
        // Everything that could be wrong is looked at before anything is done.
        let worker = Worker::gather(project, data)?;
        let directory =
            StateDirectory::open(&project.state(state)).map_err(|error| opened(&error))?;
        let queries = directory.queries().map_err(|error| opened(&error))?;
        let bus = worker.bus(project, &directory);
        let runner = worker.runner(project, &directory, &bus);
        let done = machine::runtime()?.block_on(async {
            if self.dry_run {
                return self.ask(&bus, &queries).await;
            }
            let mut all_well = true;
            for workflow in self.begun {
                all_well &= self.finish(workflow, &runner, &queries).await?;
            }
            let mut ticks = interval(self.pace);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for &letter in self.letters {
                // What is refused is not what the pace is for.
                if let Redrive::Accepted(_) = bus.redrive(letter, true).await.map_err(store)? {
                    ticks.tick().await;
                }
                let redrive = bus.redrive(letter, false).await.map_err(store)?;
                tell(letter, &redrive, None, self.json);
                // To its end, so that the next one finds the account as it is
                // then.
                all_well &= match &redrive {
                    Redrive::Accepted(workflow) => self.finish(workflow, &runner, &queries).await?,
                    Redrive::Refused(_) | Redrive::Settled => false,
                };
            }
            Ok::<_, CommandFailure>(all_well)
        })?;
        if self.letters.is_empty() && self.begun.is_empty() && !self.json {
            println!("There are no such dead letters.");
        }
        if done {
            Ok(())
        } else {
            Err(CommandFailure::AlreadyReported)
        }
    }

    /// Says what would be done; whether all of it would.
    async fn ask(&self, bus: &Bus, queries: &Queries) -> CommandResult<bool> {
        for workflow in self.begun {
            if self.json {
                println!(
                    "{}",
                    json!({"workflow": workflow, "begun": true, "dry_run": true})
                );
            } else {
                println!("{workflow}: was redriven before, and would go on");
            }
        }
        let mut all_well = true;
        // The first attempt at each session; a later one comes too late if that
        // one trades.
        let mut first = BTreeMap::new();
        for &letter in self.letters {
            let redrive = bus.redrive(letter, true).await.map_err(store)?;
            let mut unless = None;
            if let Redrive::Accepted(workflow) = &redrive {
                let record = queries.workflow(workflow).map_err(store)?;
                if let Some(Workflow {
                    account,
                    slot,
                    clock,
                    ..
                }) = record.map(|record| record.workflow)
                {
                    let earlier = first
                        .entry((account.to_string(), clock, slot))
                        .or_insert_with(|| workflow.clone());
                    unless = (*earlier != *workflow).then(|| earlier.clone());
                }
            } else {
                all_well = false;
            }
            tell(letter, &redrive, Some(unless.as_ref()), self.json);
        }
        Ok(all_well)
    }

    /// Works on a workflow to its end, says where it has come to and which
    /// letters it left anew. Whether it left none.
    async fn finish(
        &self,
        workflow: &CorrelationId,
        runner: &Runner,
        queries: &Queries,
    ) -> CommandResult<bool> {
        let of_workflow = LetterFilter {
            workflow: Some(workflow.clone()),
            ..LetterFilter::default()
        };
        let letters = || queries.dead_letters(&of_workflow).map_err(store);
        let before: BTreeSet<LetterNumber> =
            letters()?.into_iter().map(|letter| letter.number).collect();
        runner.run_workflow(workflow).await.map_err(store)?;
        let state = queries
            .workflow(workflow)
            .map_err(store)?
            .map(|record| record.workflow.state);
        let mut left = letters()?;
        left.retain(|letter| !before.contains(&letter.number));
        if self.json {
            let left: Vec<LetterNumber> = left.iter().map(|letter| letter.number).collect();
            println!(
                "{}",
                json!({"workflow": workflow, "state": state, "dead_letters": left})
            );
        } else {
            if let Some(state) = state {
                println!("{workflow}: {state}");
            }
            for DeadLetterRecord { number, letter, .. } in &left {
                println!("{number}: failed again: {}", letter.error.message);
            }
        }
        Ok(left.is_empty())
    }
}

/// Says what became of a letter; of a dry run, what would, unless another
/// workflow trades first.
fn tell(
    letter: LetterNumber,
    redrive: &Redrive,
    dry_run: Option<Option<&CorrelationId>>,
    json: bool,
) {
    let (outcome, reason) = match redrive {
        Redrive::Accepted(_) if dry_run.is_some() => ("would be redriven", None),
        Redrive::Accepted(_) => ("redriven", None),
        Redrive::Refused(refusal) => ("refused", Some((refusal.class(), refusal.to_string()))),
        Redrive::Settled => {
            let message = "somebody else has redriven or dropped it".to_owned();
            ("refused", Some(("Settled", message)))
        }
    };
    let unless = dry_run.flatten();
    if json {
        let mut object = json!({
            "letter": letter,
            "redriven": reason.is_none() && dry_run.is_none(),
            "dry_run": dry_run.is_some(),
        });
        if let Redrive::Accepted(workflow) = redrive {
            object["workflow"] = json!(workflow);
        }
        if let Some(workflow) = unless {
            object["unless_completed"] = json!(workflow);
        }
        if let Some((class, message)) = reason {
            object["error"] = json!({"class": class, "message": message});
        }
        println!("{object}");
        return;
    }
    match (reason, unless) {
        (Some((_, message)), _) => println!("{letter}: {outcome}: {message}"),
        (None, Some(workflow)) => {
            println!("{letter}: {outcome}, unless {workflow} completes first");
        }
        (None, None) => println!("{letter}: {outcome}"),
    }
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
