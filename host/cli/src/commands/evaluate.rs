//! `alchemiser evaluate`: asks strategies for their weights.

use super::dates;
use crate::arguments::{Arguments, Evaluate};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine::{self, Plugins};
use crate::ordered::in_order;
use crate::output::{Align, Table, fixed, percent, terminal_width};
use crate::progress::Progress;
use crate::project::Project;
use crate::reasons::{self, Detail};
use alchemiser_events::{ErrorDetail, SessionDate, StrategyName};
use alchemiser_market::Market;
use alchemiser_sandbox::{Evaluation, Explain};
use alchemiser_worker::{BookStrategy, Evaluator, OpenStrategy};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a strategy said as of a date.
type Answer = Result<Evaluation, ErrorDetail>;

/// Prints one line for each strategy and date: strategies in the order in which
/// they are named, dates ascending.
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

    let form = Form {
        json: arguments.json,
        explain: command.explain,
        width: terminal_width(),
    };
    let progress = Progress::of(strategies.len() * dates.len());
    let refused = AtomicBool::new(false);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    in_order(
        jobs(&strategies, &dates, workers),
        workers,
        |job, write| {
            let is_refused = job.evaluate(&market, form.explain, |date, answer| {
                write(form.text(&job.strategy.entry.name, date, answer));
                progress.step();
            });
            refused.fetch_or(is_refused, Ordering::Relaxed);
        },
        |text| progress.print(text),
    );
    progress.finish();
    if refused.into_inner() {
        Err(CommandFailure::RefusedAndReported)
    } else {
        Ok(())
    }
}

/// Consecutive dates of one strategy.
struct Job<'a> {
    strategy: Arc<BookStrategy>,
    dates: &'a [SessionDate],
}

/// One job for each strategy. A strategy goes on from one date to the next for
/// much less than it needs to begin, so its dates are divided only where
/// processors would idle.
fn jobs<'a>(
    strategies: &[Arc<BookStrategy>],
    dates: &'a [SessionDate],
    workers: usize,
) -> Vec<Job<'a>> {
    /// So many dates outweigh a beginning.
    const FEWEST: usize = 250;

    let parts = workers
        .div_ceil(strategies.len().max(1))
        .min(dates.len() / FEWEST)
        .max(1);
    let length = dates.len().div_ceil(parts).max(1);
    strategies
        .iter()
        .flat_map(|strategy| {
            dates.chunks(length).map(|dates| Job {
                strategy: Arc::clone(strategy),
                dates,
            })
        })
        .collect()
}

impl Job<'_> {
    /// Answers whether the strategy is refused. One that is says so for each
    /// date, since scripts count lines.
    fn evaluate(
        &self,
        market: &Arc<Market>,
        explain: bool,
        mut show: impl FnMut(SessionDate, &Answer),
    ) -> bool {
        let explain = if explain { Explain::Yes } else { Explain::No };
        match OpenStrategy::open(Arc::clone(&self.strategy)) {
            Ok(opened) => {
                let mut evaluator = opened.on(Arc::clone(market));
                for &date in self.dates {
                    show(date, &ask(&mut evaluator, market, date, explain));
                }
                false
            }
            Err(error) => {
                let answer = Err(error.detail());
                for &date in self.dates {
                    show(date, &answer);
                }
                true
            }
        }
    }
}

/// How answers are shown.
#[derive(Clone, Copy)]
struct Form {
    json: bool,
    explain: bool,
    width: Option<usize>,
}

impl Form {
    /// An answer with its line end.
    fn text(self, strategy: &StrategyName, date: SessionDate, answer: &Answer) -> String {
        if self.json {
            format!("{}\n", line(strategy, date, answer, self.explain))
        } else {
            text(strategy, date, answer, self.width)
        }
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
                if evaluation.explanation.truncated {
                    line["explanation_truncated"] = true.into();
                }
            }
        }
        Err(error) => line["error"] = error_json(error),
    }
    line
}

fn text(
    strategy: &StrategyName,
    date: SessionDate,
    answer: &Answer,
    width: Option<usize>,
) -> String {
    let said = match answer {
        Ok(evaluation) => {
            let mut table = Table::new(&[Align::Left, Align::Right]);
            for (symbol, weight) in &evaluation.weights {
                table.row([symbol.to_string(), percent(weight.decimal())]);
            }
            let nothing = if table.is_empty() {
                "  nothing is held\n"
            } else {
                ""
            };
            let reasons = reasons::text(&evaluation.explanation, Detail::Full, width);
            format!("{nothing}{table}{reasons}")
        }
        Err(error) => format!("  {}: {}\n", error.class, error.message),
    };
    format!("{strategy} as of {date}\n{said}")
}
