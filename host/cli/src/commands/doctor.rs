//! `alchemiser doctor`: what is missing, and what helps.

use super::state::store;
use crate::arguments::{Arguments, Data, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::output::{Align, Table};
use crate::project::Project;
use crate::sources::Sources;
use crate::worker::{self, Setup};
use alchemiser_builder::{StandardLibrary, Toolchain};
use alchemiser_events::Timestamp;
use alchemiser_local::{LetterFilter, OpenError, StateDirectory};
use alchemiser_market::{exchange_date, trading_day};
use serde_json::json;
use std::path::Path;

/// Something that was looked at.
pub struct Finding {
    /// What.
    subject: &'static str,
    /// How it is, or what is missing and what helps.
    state: Result<String, String>,
}

/// Looks at everything, and fails when something is missing.
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
    let finding = |subject, state| Finding { subject, state };
    vec![
        finding("toolchain", toolchain(project)),
        finding("setup", setup(project)),
        finding("routes", routes_tests(project)),
        finding("prices", prices(&project.data(data))),
        finding("state", state_directory(state)),
    ]
}

/// For a person.
pub fn print(findings: &[Finding]) {
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Left]);
    for Finding { subject, state } in findings {
        let (verdict, message) = match state {
            Ok(message) => ("ok", message),
            Err(message) => ("missing", message),
        };
        table.row([(*subject).to_owned(), verdict.to_owned(), message.clone()]);
    }
    table.print();
}

/// Plugins that are here as components only need no compiler.
fn toolchain(project: &Project) -> Result<String, String> {
    if !project.root().join("Cargo.toml").is_file() {
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

/// Book, strategies and plugins, as a workflow would have them.
fn setup(project: &Project) -> Result<String, String> {
    let message = |failure: CommandFailure| failure.detail().message;
    let mut plugins = Plugins::new(project).map_err(message)?;
    let setup = Setup::gather(project, &Sources::read(project), &mut plugins).map_err(message)?;
    for strategy in &setup.strategies {
        worker::open(strategy).map_err(message)?;
    }
    Ok(format!(
        "{} strategies read their parameters and files, and `{}` makes plans",
        setup.strategies.len(),
        setup.portfolio.name()
    ))
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

/// Old prices are no mistake: a workflow of an old session may be wanted.
fn prices(data: &Path) -> Result<String, String> {
    if !data.is_dir() {
        return Err(format!(
            "there is no folder {}; {} says where prices are, as `data.path`, or --data does",
            data.display(),
            Project::SETTINGS
        ));
    }
    let market = machine::market(data).map_err(|failure| failure.detail().message)?;
    let calendar = market.calendar();
    let Some(last) = calendar.dates().last() else {
        return Err(format!("{} holds no session", data.display()));
    };
    let today = exchange_date(Timestamp::new(jiff::Timestamp::now()));
    let is_session = trading_day(today).is_ok_and(|day| day.is_session());
    let age = if *last == today {
        "which is today"
    } else if is_session {
        "and today is a session; schedules wait for its prices"
    } else {
        "and today is no session"
    };
    Ok(format!(
        "{} symbols, {} sessions; the last is {last}, {age}",
        market.symbols().len(),
        calendar.dates().len()
    ))
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
