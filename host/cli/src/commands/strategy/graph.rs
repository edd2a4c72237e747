//! `alchemiser strategy graph`

mod drawing;
mod path;

use super::lint::report;
use super::read;
use crate::arguments::{Arguments, Data};
use crate::commands::evaluate::before_the_first;
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::output::percent;
use crate::project::Project;
use crate::snippet::colours;
use alchemiser_events::SessionDate;
use alchemiser_sandbox::{Evaluation, Explain};
use alchemiser_worker::OpenStrategy;
use dsl::Dsl;
use path::Path;
use serde_json::json;
use std::sync::Arc;

/// Draws the decisions of a file, and the path taken on a date if one is given.
pub fn graph(
    file: &str,
    date: Option<SessionDate>,
    data: &Data,
    output: Option<&std::path::Path>,
    arguments: &Arguments,
) -> CommandResult {
    let content = read(file)?;
    let Ok(strategy) = Dsl::read(&content) else {
        let findings = dsl::lint(&content);
        let report = report(file, &content, &findings, colours(&std::io::stderr()));
        eprint!("{report}");
        return Err(CommandFailure::RefusedAndReported);
    };
    let outline = strategy.outline();
    let (title, path) = match date {
        None => (file.to_owned(), Path::none(&outline)),
        Some(date) => {
            let evaluation = evaluated(file, date, data, arguments)?;
            let title = format!("{file} as of {date}: {}", weights(&evaluation));
            (title, Path::taken(&outline, &evaluation.explanation))
        }
    };
    let svg = drawing::draw(&title, &outline, &path);
    match output {
        Some(output) => {
            std::fs::write(output, svg).map_err(|error| {
                let message = format!("{}: {error}", output.display());
                CommandFailure::failed("WriteError", message)
            })?;
            if arguments.json {
                println!("{}", json!({"file": file, "svg": output}));
            } else {
                println!("{}", output.display());
            }
        }
        None if arguments.json => println!("{}", json!({"file": file, "svg": svg})),
        None => print!("{svg}"),
    }
    Ok(())
}

/// Asked in the sandbox, as ever; only the text is read here.
fn evaluated(
    file: &str,
    date: SessionDate,
    data: &Data,
    arguments: &Arguments,
) -> CommandResult<Evaluation> {
    let project = Project::open(arguments)?;
    let strategy = Plugins::new(&project)?.strategy_file(file)?;
    let market = machine::market(&project.data(data))?;
    let session = market
        .calendar()
        .on_or_before(date)
        .ok_or_else(|| CommandFailure::Failed(before_the_first(date, &market)))?;
    let opened = OpenStrategy::open(Arc::new(strategy))
        .map_err(|error| CommandFailure::Usage(error.detail()))?;
    opened
        .on(market)
        .evaluate(session, Explain::Yes)
        .map_err(|error| CommandFailure::Failed(error.detail()))
}

/// The largest weights first.
fn weights(evaluation: &Evaluation) -> String {
    const SHOWN: usize = 8;
    let mut weights: Vec<_> = evaluation.weights.iter().collect();
    weights.sort_by(|(_, left), (_, right)| right.cmp(left));
    let mut shown: Vec<String> = weights
        .iter()
        .take(SHOWN)
        .map(|(symbol, weight)| format!("{symbol} {}", percent(weight.decimal())))
        .collect();
    if weights.len() > SHOWN {
        shown.push(format!("and {} more", weights.len() - SHOWN));
    }
    shown.join(", ")
}
