//! `alchemiser events`: looks at the archive.

mod rehearsal;
mod replay;

use super::rules::known_rule;
use super::state::{Limit, open, store, workflow_named};
use crate::arguments::{Arguments, Events};
use crate::failure::{CommandFailure, CommandResult};
use crate::output::{Align, Table};
use crate::project::Project;
use crate::report;
use crate::trace;
use alchemiser_events::{CorrelationId, EventId, EventType};
use alchemiser_local::{EventFilter, EventRecord, Queries};
use alchemiser_suggest as suggest;
use serde_json::Value;

/// Dispatches the subcommands.
pub fn events(command: &Events, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    match command {
        Events::List {
            workflow,
            event_type,
            rule,
            failed,
            window,
            limit,
            state,
        } => {
            let event_type = event_type.as_deref().map(known_type).transpose()?;
            let (from, to) = window
                .ends()
                .map_err(|error| CommandFailure::usage("UsageError", error))?;
            let limit = Limit::of(*limit, arguments.json);
            let filter = EventFilter {
                workflow: workflow.as_deref().map(known_workflow).transpose()?,
                event_type,
                rule: rule.clone(),
                failed: *failed,
                from,
                to,
                limit: limit.rows(),
            };
            let queries = open(&project, state)?;
            let mut found = false;
            if arguments.json {
                let print = |event| {
                    found = true;
                    print_whole(&queries, &event);
                };
                queries.each_event(&filter, print).map_err(store)?;
            } else {
                let events = queries.events(&filter).map_err(store)?;
                found = !events.is_empty();
                if found || rule.is_none() {
                    list(&events, limit);
                }
            }
            match rule {
                // A rule of old that has events is none that was mistyped.
                Some(rule) if !found => {
                    known_rule(rule, &project.routes()?)?;
                    if !arguments.json {
                        list(&[], limit);
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        }
        Events::Replay { .. } => replay::replay(command, &project, arguments.json),
        Events::Show { id, state } => {
            let queries = open(&project, state)?;
            show(&queries, &find(&queries, id)?, arguments.json)
        }
        Events::Trace { correlation, state } => {
            let queries = open(&project, state)?;
            let events = CorrelationId::parse(correlation)
                .map(|correlation| queries.trace(&correlation))
                .transpose()
                .map_err(store)?
                .filter(|events| !events.is_empty())
                .ok_or_else(|| forgotten_or_unknown(&queries, correlation))?;
            if arguments.json {
                for event in &events {
                    println!("{}", trace::json(event));
                }
            } else {
                println!("{correlation}");
                trace::print(&events);
            }
            Ok(())
        }
    }
}

/// The whole event, to the byte. One whose content cannot be read is listed as
/// it was transported, with its `payload_ref`, and takes no other with it.
fn print_whole(queries: &Queries, record: &EventRecord) {
    match queries.whole_json(record) {
        Ok(whole) => println!("{whole}"),
        Err(error) => {
            eprintln!("error: {}: {error}", record.event.header().event_id);
            println!("{}", record.json);
        }
    }
}

/// Shows the whole event, and says where its content was found; as it was
/// transported where that cannot be read.
fn show(queries: &Queries, record: &EventRecord, json: bool) -> CommandResult {
    let print = |event: &str| {
        let value = serde_json::from_str::<Value>(event);
        match value {
            Ok(value) if !json => println!("{value:#}"),
            _ => println!("{event}"),
        }
    };
    let whole = queries.whole_json(record);
    print(whole.as_ref().map_or(&record.json, AsRef::as_ref));
    if let Some(reference) = record.event.payload_ref() {
        // Not on stdout: what is read there is an event.
        let (names, size) = (reference.names(), reference.content.size);
        let place = queries.place(reference);
        eprintln!("packed: {names} ({size} bytes), {place}");
    }
    whole
        .map(|_| ())
        .map_err(|error| CommandFailure::failed("DamagedContent", error))
}

/// The event of an id, or the only one whose id begins so.
pub fn find(queries: &Queries, id: &str) -> CommandResult<EventRecord> {
    let exact = EventId::parse(id)
        .map(|id| queries.event(&id))
        .transpose()
        .map_err(store)?
        .flatten();
    if let Some(event) = exact {
        return Ok(event);
    }
    let mut matching = queries.events_by_beginning(id).map_err(store)?;
    match matching.len() {
        0 => Err(unknown("event", id)),
        1 => Ok(matching.swap_remove(0)),
        _ => Err(CommandFailure::failed(
            "Ambiguous",
            format!("the ids of several events begin with `{id}`"),
        )),
    }
}

/// What could be the name of a workflow.
fn known_workflow(text: &str) -> CommandResult<CorrelationId> {
    CorrelationId::parse(text).ok_or_else(|| {
        CommandFailure::usage("UsageError", format!("`{text}` is no name of a workflow"))
    })
}

fn list(events: &[EventRecord], limit: Limit) {
    let mut table = Table::new(&[Align::Left, Align::Right, Align::Left, Align::Left]);
    for EventRecord { event, .. } in events {
        table.row([
            event.header().correlation_id.to_string(),
            event.header().sequence.to_string(),
            event.event_type().to_string(),
            event.header().event_id.to_string(),
        ]);
    }
    if table.is_empty() {
        println!("There are no such events.");
    }
    table.print();
    limit.tell(events.len());
}

fn known_type(name: &str) -> CommandResult<EventType> {
    name.parse().map_err(|error| {
        let known: Vec<&str> = EventType::ALL.iter().map(|known| known.name()).collect();
        let advice = suggest::instead_of(name, &known);
        CommandFailure::usage("UsageError", format!("{error}; {advice}"))
    })
}

/// Why a workflow has no events.
fn forgotten_or_unknown(queries: &Queries, workflow: &str) -> CommandFailure {
    match workflow_named(queries, workflow) {
        Ok(_) => CommandFailure::failed("Forgotten", report::FORGOTTEN),
        Err(error) => error,
    }
}

fn unknown(what: &str, id: &str) -> CommandFailure {
    CommandFailure::failed(
        "NotFound",
        format!("there is no {what} `{id}`; `alchemiser {what}s list` lists them")
            .replace("workflows list", "workflow list"),
    )
}
