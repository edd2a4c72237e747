//! `alchemiser doctor`: what is wrong, and what helps.

use super::plugin::is_built_from;
use super::state::store;
use crate::arguments::{Arguments, Data, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::output::{Align, Table};
use crate::preview::{Preview, named};
use crate::project::Project;
use crate::sources::Sources;
use crate::worker::{self, Setup};
use alchemiser_builder::{Builder, StandardLibrary, Toolchain};
use alchemiser_events::Timestamp;
use alchemiser_local::{LetterFilter, OpenError, StateDirectory};
use alchemiser_market::{Market, exchange_date, trading_day};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Something that was looked at.
pub struct Finding {
    /// What.
    subject: &'static str,
    /// How it is, or what is wrong and what helps.
    state: Result<String, String>,
}

/// Looks at everything, and fails when something is wrong.
pub fn doctor(data: &Data, state: &State, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let findings = examine(&project, data, &project.state(state));
    if arguments.json {
        for Finding { subject, state } in &findings {
            let (ok, message) = match state {
                Ok(message) => (true, message),
                Err(message) => (false, message),
            };
            println!(
                "{}",
                json!({"subject": subject, "ok": ok, "message": message})
            );
        }
    } else {
        print(&findings);
    }
    if findings.iter().all(|finding| finding.state.is_ok()) {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

/// Looks at a project, its prices and its state.
pub fn examine(project: &Project, data: &Data, state: &Path) -> Vec<Finding> {
    let told = |subject, state| Finding { subject, state };
    let setup = setup(project);
    let market = prices(&project.data(data));
    let mut findings = vec![
        told("toolchain", toolchain(project)),
        told("plugins", plugins(project)),
        told("routes", routes_tests(project)),
        told("book", setup.as_ref().map(book).map_err(String::clone)),
        told("prices", market.as_ref().map(age).map_err(String::clone)),
    ];
    if let (Ok(setup), Ok(market)) = (&setup, &market) {
        findings.push(told("weights", weights(setup, market)));
    }
    findings.push(told("state", state_directory(state)));
    findings
}

/// For a person.
pub fn print(findings: &[Finding]) {
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left]);
    for Finding { subject, state } in findings {
        let (verdict, message) = match state {
            Ok(message) => ("ok", message),
            Err(message) => ("wrong", message),
        };
        table.row([(*subject).to_owned(), verdict.to_owned(), message.clone()]);
    }
    table.print();
}

/// Plugins that are here as components only need no compiler.
fn toolchain(project: &Project) -> Result<String, String> {
    if !project.is_workspace() {
        return Ok("no sources of plugins are here, so none is needed".to_owned());
    }
    let toolchain = Toolchain::find().map_err(|error| error.to_string())?;
    let library = match toolchain.standard_library {
        StandardLibrary::Installed => "installed",
        StandardLibrary::Source => "built from source",
    };
    Ok(format!(
        "{}, standard library {library}",
        toolchain.cargo.display()
    ))
}

/// Plugins that are not built from their sources as they are.
fn plugins(project: &Project) -> Result<String, String> {
    if !project.is_workspace() {
        return Ok("their sources are not here".to_owned());
    }
    let builder = Builder::open(project.root()).map_err(|error| error.to_string())?;
    let (mut missing, mut changed) = (Vec::new(), Vec::new());
    for name in builder.plugins() {
        let Ok(bytes) = std::fs::read(project.plugin(name)) else {
            missing.push(name);
            continue;
        };
        let origin = alchemiser_sandbox::inspect(&bytes)
            .ok()
            .and_then(|it| it.origin);
        if origin.is_some_and(|origin| !is_built_from(&origin, &builder)) {
            changed.push(name);
        }
    }
    let mut wrong = Vec::new();
    for (names, what) in [
        (missing, "not built"),
        (changed, "built from other sources than those here"),
    ] {
        if !names.is_empty() {
            let listed = names.join(", ");
            let command = format!("`alchemiser plugin build {}`", names.join(" "));
            wrong.push(format!("{listed}: {what}; {command} helps"));
        }
    }
    let used = project.book().map(|book| book.entries).unwrap_or_default();
    let mut used: BTreeSet<String> = used.into_iter().map(|entry| entry.source.plugin).collect();
    used.insert(project.settings.plugins.portfolio.clone());
    let without = used
        .iter()
        .filter_map(|name| project.crate_without_a_module(name));
    wrong.extend(without.map(|folder| machine::makes_no_plugin(&folder)));
    if wrong.is_empty() {
        Ok("those of plugins/ are built from the sources as they are here".to_owned())
    } else {
        Err(wrong.join("; "))
    }
}

/// Book, strategies and plugins, as a workflow would have them.
fn setup(project: &Project) -> Result<Setup, String> {
    let message = |failure: CommandFailure| failure.detail().message;
    let mut plugins = Plugins::new(project).map_err(message)?;
    let setup = Setup::gather(project, &Sources::read(project), &mut plugins).map_err(message)?;
    for strategy in &setup.strategies {
        worker::open(strategy).map_err(message)?;
    }
    Ok(setup)
}

fn book(setup: &Setup) -> String {
    format!(
        "{} strategies read their parameters and files, and `{}` makes plans",
        setup.strategies.len(),
        setup.portfolio.name()
    )
}

/// What the strategies answer on these prices.
fn weights(setup: &Setup, market: &Arc<Market>) -> Result<String, String> {
    let preview = Preview::of(setup, market, None);
    let failures: Vec<String> = preview
        .failures()
        .map(|(strategy, error)| named(strategy, error).message)
        .collect();
    if !failures.is_empty() {
        return Err(failures.join("; "));
    }
    preview.try_plan(setup).map_err(|error| error.message)?;
    let session = preview
        .session()
        .map_or_else(String::new, |session| format!(" as of {session}"));
    Ok(format!("every strategy answers{session}"))
}

fn routes_tests(project: &Project) -> Result<String, String> {
    let routes = project
        .routes_and_events()
        .map_err(|failure| failure.detail().message)?;
    super::rules::run_tests(project).map_err(|failure| failure.detail().message)?;
    let enabled = routes
        .schedules()
        .iter()
        .filter(|schedule| schedule.enabled);
    Ok(format!(
        "{} tests pass; {} of {} schedules are enabled",
        routes.tests().len(),
        enabled.count(),
        routes.schedules().len()
    ))
}

fn prices(data: &Path) -> Result<Arc<Market>, String> {
    if !data.is_dir() {
        return Err(format!(
            "there is no folder {}; {} says where prices are, as `data.path`, or --data does",
            data.display(),
            Project::SETTINGS
        ));
    }
    let market = machine::market(data).map_err(|failure| failure.detail().message)?;
    match market.calendar().last() {
        Some(_) => Ok(market),
        None => Err(format!("{} holds no session", data.display())),
    }
}

/// Old prices are no mistake: a workflow of an old session may be wanted.
fn age(market: &Arc<Market>) -> String {
    let dates = market.calendar().dates();
    let last = dates.last().copied();
    let today = exchange_date(Timestamp::new(jiff::Timestamp::now()));
    let is_session = trading_day(today).is_ok_and(|day| day.is_session());
    let age = if last == Some(today) {
        "which is today"
    } else if is_session {
        "and today is a session; schedules wait for its prices"
    } else {
        "and today is no session"
    };
    let last = last.map_or_else(String::new, |last| format!("; the last is {last}, {age}"));
    let symbols = market.symbols().len();
    format!("{symbols} symbols, {} sessions{last}", dates.len())
}

fn state_directory(path: &Path) -> Result<String, String> {
    let queries = match StateDirectory::open_existing(path) {
        Ok(queries) => queries,
        Err(OpenError::Missing(_)) => {
            return Ok(format!("{} will be made by the first run", path.display()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let letters = queries
        .dead_letters(&LetterFilter::default())
        .map_err(|error| store(error).detail().message)?;
    match letters.len() {
        0 => Ok(format!("{}, no dead letters", path.display())),
        1 => Err("1 dead letter waits; `alchemiser dlq list` says why".to_owned()),
        count => Err(format!(
            "{count} dead letters wait; `alchemiser dlq list` says why"
        )),
    }
}
