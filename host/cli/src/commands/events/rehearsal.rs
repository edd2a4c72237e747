//! `alchemiser events replay --correlation … --with-plugin …`

use crate::arguments::Events;
use crate::commands::state::{open, store, workflow_named};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine::Plugins;
use crate::output::{Align, Table, grouped, percent};
use crate::project::Project;
use crate::report::FORGOTTEN;
use alchemiser_events::{CorrelationId, Event, PlanItem, Sha256Digest, Symbol, Weight};
use alchemiser_sandbox::Kind;
use alchemiser_worker::{Change, Failure, Order, Rehearsal, RehearsalError};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Shows what a workflow would have decided with another build of a plugin.
pub fn rehearse(command: &Events, project: &Project, json: bool) -> CommandResult {
    let Events::Replay {
        correlation: Some(correlation),
        with_plugin: Some(file),
        in_place_of,
        diff,
        state,
        ..
    } = command
    else {
        return Ok(());
    };
    let queries = open(project, state)?;
    let workflow = workflow_named(&queries, correlation)?
        .workflow
        .correlation_id;
    let traced = queries.trace(&workflow).map_err(store)?;
    if traced.is_empty() {
        return Err(CommandFailure::failed("Forgotten", FORGOTTEN));
    }
    let events: Vec<Event> = traced
        .iter()
        .map(|traced| queries.whole(&traced.record.event))
        .collect::<Result<_, _>>()
        .map_err(store)?;

    let replaced = match in_place_of {
        Some(name) => name.clone(),
        None => stem(file),
    };
    let mut plugins = Plugins::new(project)?;
    let build = plugins.file(&replaced, file)?;
    let planner = match build.kind() {
        Kind::Portfolio => build.clone(),
        Kind::Strategy => plugins.named(&project.settings.plugins.portfolio)?,
    };
    let on_failure = project.book()?.on_failure;
    let content = |reference: &_| queries.blob(reference);
    let rehearsal =
        alchemiser_worker::rehearse(&events, &replaced, &build, &planner, on_failure, &content)
            .map_err(refused)?;

    let report = Report {
        workflow: &workflow,
        plugin: &replaced,
        build: build.digest(),
        only_changes: *diff,
        rehearsal: &rehearsal,
    };
    if json {
        report.print_json();
    } else {
        report.print();
    }
    Ok(())
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn refused(error: RehearsalError) -> CommandFailure {
    match error {
        RehearsalError::NotAsked { .. } => {
            let advice = "name the one that the build stands in for with `--in-place-of`";
            CommandFailure::usage("NotAsked", format!("{error}; {advice}"))
        }
        RehearsalError::NoSignal => CommandFailure::usage("NoSignal", error),
        RehearsalError::NotAQuestion(_) => CommandFailure::failed("NotAQuestion", error),
        RehearsalError::Store(error) => store(error),
    }
}

struct Report<'a> {
    workflow: &'a CorrelationId,
    plugin: &'a str,
    build: Sha256Digest,
    only_changes: bool,
    rehearsal: &'a Rehearsal,
}

impl Report<'_> {
    fn print(&self) {
        println!(
            "{} with build {} of {}",
            self.workflow,
            self.build.short(),
            self.plugin
        );
        if let Some(digest) = self.rehearsal.other_planner {
            println!(
                "The plan of now is made by the present build of the portfolio plugin; that of then was {}.",
                digest.short()
            );
        }
        let weight = |weight: &Weight| percent(weight.decimal());
        for strategy in &self.rehearsal.strategies {
            let title = format!(
                "Strategy {}, {} of the book, then by build {}",
                strategy.name,
                percent(strategy.share.decimal()),
                strategy.build.short()
            );
            self.section(&title, &strategy.weights, weight);
        }
        self.section("Target", &self.rehearsal.targets, weight);
        let Some(plan) = &self.rehearsal.plan else {
            println!("\nThe workflow had no plan.");
            return;
        };
        self.section("Plan", &by_symbol(plan, Some), |item| {
            let weight = percent(item.target_weight.decimal());
            format!("{} {} to {weight}", item.action, grouped(item.trade_amount))
        });
        self.section("Orders", &by_symbol(plan, Order::of), |order| {
            format!("{} {} shares", order.side, order.quantity)
        });
    }

    /// Then and now beside each other, a symbol a line.
    fn section<T: PartialEq>(
        &self,
        title: &str,
        change: &Change<BTreeMap<Symbol, T>>,
        text: impl Fn(&T) -> String,
    ) {
        println!("\n{title}");
        if self.only_changes && change.is_none() {
            println!("  no change");
            return;
        }
        for (when, side) in [("then", &change.then), ("now", &change.now)] {
            if let Err(failure) = side {
                let error = failure.detail();
                println!("  {when}  {}: {}", error.class, error.message);
            }
        }
        if self.only_changes && change.now.is_err() {
            return;
        }
        let nothing = BTreeMap::new();
        let then = change.then.as_ref().unwrap_or(&nothing);
        let now = change.now.as_ref().unwrap_or(&nothing);
        let symbols: BTreeSet<&Symbol> = then.keys().chain(now.keys()).collect();
        let cell = |value: Option<&T>| value.map_or_else(|| "–".to_owned(), &text);
        let mut table = Table::new(&[Align::Left, Align::Right, Align::Right, Align::Left]);
        table.row(["", "then", "now"]);
        for symbol in symbols {
            let (was, is) = (then.get(symbol), now.get(symbol));
            if was != is || !self.only_changes {
                let mark = if was == is { "" } else { "changed" };
                table.row([symbol.as_str(), &cell(was), &cell(is), mark]);
            }
        }
        table.print();
    }

    fn print_json(&self) {
        let line = |step: &str, change: Value| {
            let mut line = json!({"workflow": self.workflow, "step": step});
            merge(&mut line, change);
            println!("{line}");
        };
        for strategy in &self.rehearsal.strategies {
            let mut change = sides(&strategy.weights, "weights", |weights| json!(weights));
            merge(
                &mut change,
                json!({"strategy": strategy.name, "weight": strategy.share}),
            );
            change["then"]["build"] = json!(strategy.build);
            change["now"]["build"] = json!(self.build);
            line("strategy", change);
        }
        let targets = &self.rehearsal.targets;
        line(
            "target",
            sides(targets, "weights", |weights| json!(weights)),
        );
        if let Some(plan) = &self.rehearsal.plan {
            line("plan", sides(plan, "items", |items| json!(items)));
            let orders = by_symbol(plan, Order::of);
            line("orders", sides(&orders, "orders", orders_json));
        }
    }
}

fn by_symbol<'a, T>(
    plan: &'a Change<Vec<PlanItem>>,
    of: impl Fn(&'a PlanItem) -> Option<T>,
) -> Change<BTreeMap<Symbol, T>> {
    let side = |items: &'a Result<Vec<PlanItem>, Failure>| match items {
        Ok(items) => Ok(items
            .iter()
            .filter_map(|item| Some((item.symbol.clone(), of(item)?)))
            .collect()),
        Err(failure) => Err(failure.clone()),
    };
    Change {
        then: side(&plan.then),
        now: side(&plan.now),
    }
}

fn orders_json(orders: &BTreeMap<Symbol, Order>) -> Value {
    orders
        .iter()
        .map(|(symbol, order)| {
            json!({"symbol": symbol, "side": order.side, "quantity": order.quantity})
        })
        .collect()
}

/// `{changed, then: {NAME: …} or {error: …}, now: …}`
fn sides<T: PartialEq>(change: &Change<T>, name: &str, json: impl Fn(&T) -> Value) -> Value {
    let side = |side: &Result<T, Failure>| match side {
        Ok(value) => json!({name: json(value)}),
        Err(failure) => json!({"error": error_json(failure.detail())}),
    };
    json!({
        "changed": !change.is_none(),
        "then": side(&change.then),
        "now": side(&change.now),
    })
}

/// Both are objects.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
