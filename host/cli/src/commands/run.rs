//! `alchemiser run`: one workflow, start to end.

use super::rules;
use super::state::{opened, store};
use crate::arguments::{Arguments, Run};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::{self, Plugins};
use crate::notifier::LogNotifier;
use crate::project::Project;
use crate::report::Report;
use alchemiser_broker::PaperBroker;
use alchemiser_events::{
    AccountName, CorrelationId, ErrorDetail, Money, SessionDate, TradingMode, WorkflowConfiguration,
};
use alchemiser_local::{Bus, Runner, StateDirectory};
use alchemiser_market::{Market, closing_time};
use alchemiser_rules::Routes;
use alchemiser_sandbox::{Kind, Plugin};
use alchemiser_worker::{
    BookStrategy, DECLARATIONS, Dispatcher, ExecutionHandler, Handler, NotificationHandler,
    OpenStrategy, OrchestrationHandler, PortfolioHandler, StartCommand, Started, StrategyHandler,
    Workflow, Workflows as _, flow, start_workflow,
};
use std::path::Path;
use std::sync::Arc;

/// The slot of a run by hand: New York's closing auction.
const SLOT: &str = "1600";

/// Deliveries worked on at a time; a workflow is a chain, and rarely has two.
const CONCURRENCY: usize = 4;

/// Runs a workflow, or brings the one that was cut short to its end.
pub fn run(command: &Run, arguments: &Arguments) -> CommandResult {
    // Everything that could be wrong is looked at before anything is written.
    let project = Project::open(arguments)?;
    let parts = Parts::gather(&project, command)?;
    let session = parts.session(command.date)?;
    let start = start_command(&project, session);

    let path = project.state(&command.state);
    let state = StateDirectory::open(&path).map_err(|error| opened(&error))?;
    machine::runtime()?.block_on(async {
        let bus = state.bus(Arc::clone(&parts.routes));
        let runner = parts.runner(&project, &state, &bus);
        let (workflow, news) = begin(&bus, &runner, &start, arguments.json).await?;
        finish(&bus, &runner, &workflow).await?;
        report(&workflow, news, &state, &path, arguments.json)
    })
}

/// What became of the wish to run a workflow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Begun,
    Resumed,
    AlreadyCompleted,
}

/// Starts the workflow; an older one that was cut short is finished first.
async fn begin(
    bus: &Bus,
    runner: &Runner,
    start: &StartCommand,
    json: bool,
) -> CommandResult<(CorrelationId, News)> {
    let mut finished = None;
    loop {
        let refusal = match start_workflow(bus, start).await.map_err(store)? {
            Started::Created(workflow) => return Ok((workflow.correlation_id, News::Begun)),
            Started::Unfinished(workflow) => {
                same_book(&workflow, start)?;
                return Ok((workflow.correlation_id, News::Resumed));
            }
            Started::AlreadyCompleted(workflow) => {
                return Ok((workflow.correlation_id, News::AlreadyCompleted));
            }
            Started::Busy(workflow) if finished.as_ref() == Some(&workflow.correlation_id) => {
                CommandFailure::failed(
                    "Stuck",
                    format!(
                        "{}; see `alchemiser events trace {}`",
                        stuck(&workflow),
                        workflow.correlation_id
                    ),
                )
            }
            Started::Busy(workflow) => {
                if !json {
                    println!("Finishing {} first", workflow.correlation_id);
                }
                same_book(&workflow, start)?;
                finish(bus, runner, &workflow.correlation_id).await?;
                finished = Some(workflow.correlation_id);
                continue;
            }
            Started::FailedAfterOrders(workflow) => CommandFailure::failed(
                "OrdersSent",
                format!(
                    "{} failed after orders may have been sent, and running it again could trade \
                     twice; see `alchemiser workflow show {}`",
                    workflow.correlation_id, workflow.correlation_id
                ),
            ),
            Started::Superseded { last } => CommandFailure::usage(
                "Superseded",
                format!(
                    "account `{}` has already traded on {}, and cannot go back to {}",
                    last.account,
                    last.session(),
                    start.configuration.session
                ),
            ),
        };
        return Err(refusal);
    }
}

/// Brings a workflow to its end, as far as the routes lead.
async fn finish(bus: &Bus, runner: &Runner, workflow: &CorrelationId) -> CommandResult {
    runner.run_workflow(workflow).await.map_err(store)?;
    let ended = bus
        .find(workflow)
        .await
        .map_err(store)?
        .is_none_or(|workflow| workflow.state.is_terminal());
    // An event that no rule sent on stays behind, until the routes are mended.
    if !ended && bus.route_again(workflow).await.map_err(store)? > 0 {
        runner.run_workflow(workflow).await.map_err(store)?;
    }
    Ok(())
}

/// A workflow goes on with the strategies that it was started with.
fn same_book(workflow: &Workflow, start: &StartCommand) -> CommandResult {
    let (begun, now) = (
        &workflow.configuration.strategy_profile,
        &start.configuration.strategy_profile,
    );
    if begun == now {
        return Ok(());
    }
    Err(CommandFailure::usage(
        "AnotherBook",
        format!(
            "{} was begun with the book {begun} and has not ended, and this one is {now}; run it \
             with `STRATEGY__BOOK={begun}` first",
            workflow.correlation_id
        ),
    ))
}

/// Why a workflow that nobody works on has not ended.
pub fn stuck(workflow: &Workflow) -> String {
    format!(
        "{} has not ended (state `{}`), and no rule sends its last event on; mend routes.toml and \
         run it again",
        workflow.correlation_id, workflow.state
    )
}

fn report(
    workflow: &CorrelationId,
    news: News,
    state: &StateDirectory,
    path: &Path,
    json: bool,
) -> CommandResult {
    let queries = state.queries().map_err(|error| opened(&error))?;
    let record = queries.workflow(workflow).map_err(store)?.ok_or_else(|| {
        CommandFailure::failed("StateError", format!("{workflow} is gone from the state"))
    })?;
    let session = record.workflow.session();
    let not_ended = (!record.workflow.state.is_terminal()).then(|| stuck(&record.workflow));
    let report = Report::new(record, &queries).map_err(store)?;
    if json {
        let mut summary = report.json();
        summary["already_completed"] = (news == News::AlreadyCompleted).into();
        summary["ledger"] = path.join("alchemiser.db").display().to_string().into();
        println!("{summary}");
    } else {
        match news {
            News::AlreadyCompleted => {
                println!("{workflow} is already completed; nothing was done.");
            }
            News::Begun => println!("{workflow}: session {session}"),
            News::Resumed => println!("{workflow}: session {session}, begun earlier"),
        }
        if news != News::AlreadyCompleted {
            report.print();
        }
        println!(
            "\nLedger: {}, table `ledger`; `alchemiser workflow show {workflow}` prints this again.",
            path.join("alchemiser.db").display()
        );
    }
    if let Some(reason) = not_ended {
        Err(CommandFailure::failed("Stuck", reason))
    } else if report.completed() {
        Ok(())
    } else {
        Err(CommandFailure::AlreadyReported)
    }
}

/// All that a workflow needs besides its state.
struct Parts {
    routes: Arc<Routes>,
    strategies: Vec<Arc<BookStrategy>>,
    portfolio: Plugin,
    market: Arc<Market>,
}

impl Parts {
    fn gather(project: &Project, command: &Run) -> CommandResult<Self> {
        let routes = Arc::new(project.routes()?);
        // A workflow that leads nowhere would begin and never end.
        let findings: Vec<String> = alchemiser_rules::check(&routes, &flow(&DECLARATIONS))
            .iter()
            .map(rules::located)
            .collect();
        if !findings.is_empty() {
            return Err(CommandFailure::usage("RoutesError", findings.join("\n")));
        }
        let mut plugins = Plugins::new(project)?;
        let strategies = plugins.book()?;
        for strategy in &strategies {
            // Parameters and files are read by the plugin, so a mistake in
            // them shows here.
            OpenStrategy::open(Arc::clone(strategy)).map_err(|error| {
                let detail = error.detail();
                let name = &strategy.entry.name;
                CommandFailure::Usage(ErrorDetail {
                    message: format!("strategy `{name}`{}: {}", in_file(strategy), detail.message),
                    ..detail
                })
            })?;
        }
        let portfolio = plugins.named(&project.settings.plugins.portfolio)?;
        if portfolio.kind() != Kind::Portfolio {
            return Err(CommandFailure::usage(
                "PluginError",
                format!(
                    "setting `plugins.portfolio`: `{}` is a {} plugin",
                    portfolio.name(),
                    portfolio.kind()
                ),
            ));
        }
        Ok(Self {
            routes,
            strategies,
            portfolio,
            market: machine::market(&project.data(&command.data))?,
        })
    }

    /// The session asked for, which must be one; else the data's last.
    fn session(&self, date: Option<SessionDate>) -> CommandResult<SessionDate> {
        let calendar = self.market.calendar();
        match date {
            Some(date) => calendar
                .session(date)
                .map(|_| date)
                .map_err(|error| CommandFailure::usage("NotASession", error)),
            None => calendar.dates().last().copied().ok_or_else(|| {
                CommandFailure::usage("NoSession", "the data has no session at all")
            }),
        }
    }

    fn runner(&self, project: &Project, state: &StateDirectory, bus: &Bus) -> Runner {
        let settings = &project.settings;
        let workflows = Arc::new(bus.clone());
        let blobs = Arc::new(state.blobs());
        let store = state.paper_store(&account(project), Money::new(settings.paper.starting_cash));
        let broker = Arc::new(PaperBroker::new(
            Arc::clone(&self.market),
            Arc::new(store),
            &settings.paper,
        ));
        let mut portfolio = settings.portfolio.clone();
        portfolio.cash_reserve_pct = settings.alpaca.cash_reserve_pct;
        let handlers: Vec<Arc<dyn Handler>> = vec![
            Arc::new(StrategyHandler::new(
                self.strategies.clone(),
                machine::source(&self.market),
                blobs.clone(),
                settings.strategy.workers,
            )),
            Arc::new(PortfolioHandler::new(
                self.portfolio.clone(),
                broker.clone(),
                blobs,
                portfolio,
            )),
            Arc::new(ExecutionHandler::new(
                broker,
                workflows.clone(),
                Arc::new(state.ledger()),
                settings.execution.clone(),
            )),
            Arc::new(OrchestrationHandler),
            Arc::new(NotificationHandler::new(Arc::new(LogNotifier))),
        ];
        let dispatcher = Dispatcher::new(
            handlers,
            Arc::clone(&self.routes),
            workflows.clone(),
            workflows,
            settings.retry.clone(),
        );
        Runner::new(bus.clone(), Arc::new(dispatcher), CONCURRENCY)
    }
}

/// ` (trend.clj)`, if the strategy has a file.
fn in_file(strategy: &BookStrategy) -> String {
    strategy
        .entry
        .source
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!(" ({file})"))
}

fn account(project: &Project) -> AccountName {
    project.settings.app.account.clone()
}

fn start_command(project: &Project, session: SessionDate) -> StartCommand {
    let settings = &project.settings;
    StartCommand {
        account: account(project),
        slot: SLOT.to_owned(),
        clock: closing_time(session),
        configuration: WorkflowConfiguration {
            trading_mode: TradingMode::Paper,
            stage: settings.app.stage.clone(),
            strategy_profile: settings.strategy.book.display().to_string(),
            session,
            dry_run: false,
        },
        requested_by: "run".to_owned(),
    }
}
