//! `alchemiser evaluate`: asks strategies for their weights.

use super::dates;
use crate::arguments::{Arguments, Evaluate};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine::{self, Plugins};
use crate::output::{Align, Table, fixed, percent};
use crate::project::Project;
use crate::reasons::{self, Detail};
use alchemiser_events::{ErrorDetail, SessionDate, StrategyName};
use alchemiser_market::Market;
use alchemiser_sandbox::{Evaluation, Explain};
use alchemiser_worker::{BookStrategy, Evaluator, OpenStrategy};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a strategy said as of a date.
type Answer = Result<Evaluation, ErrorDetail>;

/// Prints one line for each strategy and date.
pub fn evaluate(command: &Evaluate, arguments: &Arguments) -> CommandResult {
    let project = Project::open(arguments)?;
    let mut plugins = Plugins::new(&project)?;
    let strategies: Vec<Arc<BookStrategy>> = command
        .targets
        .iter()
        .map(|target| plugins.target(target).map(Arc::new))
        .collect::<CommandResult<_>>()?;
    let market = machine::market(&project.data(&command.data))?;
    let dates = dates::asked(&command.dates, market.calendar())?;

    let explain = if command.explain {
        Explain::Yes
    } else {
        Explain::No
    };
    let progress = progress(strategies.len() * dates.len());
    let mut refused = false;
    for strategy in strategies {
        let name = strategy.entry.name.clone();
        let show = |date: SessionDate, answer: &Answer| {
            progress.suspend(|| {
                if arguments.json {
                    println!("{}", line(&name, date, answer, command.explain));
                } else {
                    print_text(&name, date, answer);
                }
            });
            progress.inc(1);
        };
        match OpenStrategy::open(strategy) {
            Ok(opened) => {
                let mut evaluator = opened.on(Arc::clone(&market));
                for date in &dates {
                    show(*date, &ask(&mut evaluator, &market, *date, explain));
                }
            }
            // A strategy that is refused says so for each date: scripts count
            // lines.
            Err(error) => {
                refused = true;
                let answer = Err(error.detail());
                for date in &dates {
                    show(*date, &answer);
                }
            }
        }
    }
    progress.finish_and_clear();
    if refused {
        Err(CommandFailure::RefusedAndReported)
    } else {
        Ok(())
    }
}

fn ask(evaluator: &mut Evaluator, market: &Market, date: SessionDate, explain: Explain) -> Answer {
    let session = market
        .calendar()
        .on_or_before(date)
        .ok_or_else(|| before_the_first(date, market))?;
    evaluator
        .evaluate(session, explain)
        .map_err(|error| error.detail())
}

/// Before the first session no symbol has a bar.
pub fn before_the_first(date: SessionDate, market: &Market) -> ErrorDetail {
    let first = market
        .calendar()
        .dates()
        .first()
        .map_or_else(String::new, |first| format!("; the first is {first}"));
    ErrorDetail {
        class: "InsufficientHistory".to_owned(),
        message: format!("there is no session on or before {date}{first}"),
        retryable: false,
        context: BTreeMap::from([
            ("need".to_owned(), "1".to_owned()),
            ("have".to_owned(), "0".to_owned()),
        ]),
    }
}

fn line(strategy: &StrategyName, date: SessionDate, answer: &Answer, explain: bool) -> Value {
    let mut line = json!({"strategy": strategy, "date": date});
    match answer {
        Ok(evaluation) => {
            let weights: Map<String, Value> = evaluation
                .weights
                .iter()
                .map(|(symbol, weight)| {
                    let text = fixed(weight.decimal(), 10).to_string();
                    (symbol.to_string(), text.into())
                })
                .collect();
            line["weights"] = weights.into();
            if explain {
                line["explanation"] = json!(evaluation.explanation.entries);
            }
        }
        Err(error) => line["error"] = error_json(error),
    }
    line
}

fn print_text(strategy: &StrategyName, date: SessionDate, answer: &Answer) {
    println!("{strategy} as of {date}");
    match answer {
        Ok(evaluation) => {
            let mut table = Table::new(&[Align::Left, Align::Right]);
            for (symbol, weight) in &evaluation.weights {
                table.row([symbol.to_string(), percent(weight.decimal())]);
            }
            if table.is_empty() {
                println!("  nothing is held");
            }
            table.print();
            reasons::print(&evaluation.explanation, Detail::Full);
        }
        Err(error) => println!("  {}: {}", error.class, error.message),
    }
}

/// A bar on stderr, if that is a terminal.
fn progress(steps: usize) -> ProgressBar {
    let steps = u64::try_from(steps).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(10))
        .with_style(style)
}
