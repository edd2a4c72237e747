//! `alchemiser run`: one workflow, start to end.

use super::state::{opened, prune, store};
use crate::arguments::{Arguments, Run};
use crate::failure::{CommandFailure, CommandResult};
use crate::machine;
use crate::project::Project;
use crate::report::Report;
use crate::worker::{Worker, account, book};
use alchemiser_events::{CorrelationId, SessionDate, TradingMode, WorkflowConfiguration};
use alchemiser_fail_points::fail_point;
use alchemiser_local::{Bus, Runner, StateDirectory};
use alchemiser_market::closing_time;
use alchemiser_worker::{StartCommand, Started, Workflow, Workflows as _, start_workflow};
use std::path::Path;

/// The slot of a run by hand: New York's closing auction.
const SLOT: &str = "1600";

/// Runs a workflow, or brings the one that was cut short to its end.
pub fn run(command: &Run, arguments: &Arguments) -> CommandResult {
    // Everything that could be wrong is looked at before anything is written.
    let project = Project::open(arguments)?;
    let worker = Worker::gather(&project, &command.data)?;
    let session = worker.session(command.date)?;
    let start = start_command(&project, session);

    let path = project.state(&command.state);
    let state = StateDirectory::open(&path).map_err(|error| opened(&error))?;
    machine::runtime()?.block_on(async {
        let bus = worker.bus(&project, &state);
        let runner = worker.runner(&project, &state, &bus);
        // Nobody would come back to what a crash left of an ended workflow.
        for ended in bus.untold(&start.account).await.map_err(store)? {
            runner.run_workflow(&ended).await.map_err(store)?;
        }
        let (workflow, news) = begin(&bus, &runner, &start, arguments.json).await?;
        finish(&bus, &runner, &workflow).await?;
        fail_point!(WorkflowEnded);
        let retention = project.settings.eventbridge.archive_retention();
        prune(&bus, retention).await.map_err(store)?;
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
                same_book(&workflow, &start.configuration.strategy_profile)?;
                return Ok((workflow.correlation_id, News::Resumed));
            }
            Started::AlreadyEnded(workflow) => {
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
                same_book(&workflow, &start.configuration.strategy_profile)?;
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
pub fn same_book(workflow: &Workflow, now: &str) -> CommandResult {
    let begun = &workflow.configuration.strategy_profile;
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

/// Asks for the workflow of a session.
pub fn start_command(project: &Project, session: SessionDate) -> StartCommand {
    let settings = &project.settings;
    StartCommand {
        account: account(project),
        slot: SLOT.to_owned(),
        clock: closing_time(session),
        configuration: WorkflowConfiguration {
            trading_mode: TradingMode::Paper,
            stage: settings.app.stage.clone(),
            strategy_profile: book(project),
            session,
            dry_run: false,
        },
        requested_by: "run".to_owned(),
        rerun: true,
    }
}
