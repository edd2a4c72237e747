//! `alchemiser dev`: runs workflows when their schedules say, until stopped.

use super::rules::on_the_wall;
use super::run::same_book;
use super::state::{opened, prune, store};
use crate::arguments::{Arguments, Dev};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine;
use crate::project::Project;
use crate::stop::Stop;
use crate::worker::{Worker, account, book};
use alchemiser_events::{EventType, Timestamp, Transported};
use alchemiser_local::{Bus, Dispatch, Happened, Scheduler, StateDirectory};
use alchemiser_market::exchange_time;
use alchemiser_rules::{Routes, ScheduleName, TargetName};
use alchemiser_worker::{
    Dispatched, Dispatcher, Given, StoreError, Workflow, WorkflowState, Workflows as _,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How often what is old is forgotten.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// Works until told to stop.
pub fn dev(command: &Dev, arguments: &Arguments) -> CommandResult {
    // Everything that could be wrong is looked at before anything is written.
    let project = Project::open(arguments)?;
    let worker = Worker::gather(&project, &command.data)?;
    let path = project.state(&command.state);
    let state = StateDirectory::open(&path).map_err(|error| opened(&error))?;
    let teller = Teller {
        routes: Arc::clone(&worker.routes),
        json: arguments.json,
    };
    machine::runtime()?.block_on(async {
        let asked = {
            let teller = teller.clone();
            move || {
                teller.tell(
                    "stopping, when what was begun has ended",
                    json!({"happened": "stopping"}),
                )
            }
        };
        let stop =
            Stop::listen(asked).map_err(|error| CommandFailure::failed("SignalError", error))?;
        let bus = state.bus(Arc::clone(&worker.routes));
        take_up(&project, &bus).await?;

        let broker = worker.broker(&project, &state);
        let dispatch = Arc::new(Told {
            dispatcher: worker.dispatcher(&project, &state, &bus, Arc::clone(&broker)),
            bus: bus.clone(),
            teller: teller.clone(),
        });
        let runner = Worker::runner_of(&bus, dispatch);
        let commands = worker.commands(&project, &bus, broker);
        let schedules = worker.routes.schedules();
        let scheduler = Scheduler::open(&bus, schedules, commands)
            .await
            .map_err(store)?;
        teller.ready(&path.display().to_string());

        let retention = project.settings.eventbridge.archive_retention();
        // All are waited for, also when one fails: what was begun is to end in
        // its own way.
        let (ran, scheduled, kept) = tokio::join!(
            or_stop(&stop, runner.run_until(stop.asked())),
            or_stop(
                &stop,
                scheduler.run_until(stop.asked(), |happened| teller.happened(&happened))
            ),
            or_stop(&stop, keep_house(&bus, retention, &stop, &teller)),
        );
        ran.and(scheduled).and(kept).map_err(store)?;
        teller.tell("stopped", json!({"happened": "stopped"}));
        Ok(())
    })
}

/// What was cut short goes on, and an event that no rule sent on is routed
/// again: the rules may have been mended.
async fn take_up(project: &Project, bus: &Bus) -> CommandResult {
    let workflows = bus.of_account(account(project).as_str()).await;
    let unfinished = |workflow: &Workflow| !workflow.state.is_terminal();
    for workflow in workflows.map_err(store)?.into_iter().filter(unfinished) {
        same_book(&workflow, &book(project))?;
        bus.route_again(&workflow.correlation_id)
            .await
            .map_err(store)?;
    }
    Ok(())
}

/// Lets the others stop when one cannot go on.
async fn or_stop(
    stop: &Stop,
    work: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let result = work.await;
    if result.is_err() {
        stop.now();
    }
    result
}

/// Forgets what is old, now and from time to time.
async fn keep_house(
    bus: &Bus,
    retention: Duration,
    stop: &Stop,
    teller: &Teller,
) -> Result<(), StoreError> {
    loop {
        let forgotten = prune(bus, retention).await?;
        if forgotten > 0 {
            let text = format!("{forgotten} events were old enough to be forgotten");
            teller.tell(&text, json!({"happened": "pruned", "events": forgotten}));
        }
        tokio::select! {
            () = stop.asked() => return Ok(()),
            () = tokio::time::sleep(HOUSEKEEPING) => {}
        }
    }
}

/// Tells what becomes of each delivery.
struct Told {
    dispatcher: Dispatcher,
    bus: Bus,
    teller: Teller,
}

#[async_trait]
impl Dispatch for Told {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let dispatched = self.dispatcher.dispatch(event, target).await?;
        let (how, outcome) = match dispatched {
            Dispatched::Done => ("", "done"),
            Dispatched::Retry => (": failed, will be tried again", "retry"),
            Dispatched::Dead => (": failed, `alchemiser dlq list` says why", "dead"),
            Dispatched::Finished | Dispatched::NotNow => return Ok(dispatched),
        };
        let workflow = &event.header().correlation_id;
        let event_type = event.event_type();
        self.teller.tell(
            &format!("{workflow}: {event_type} → {target}{how}"),
            json!({
                "happened": "handled",
                "workflow": workflow,
                "event_type": event_type,
                "event_id": event.header().event_id,
                "target": target,
                "outcome": outcome,
            }),
        );
        if dispatched == Dispatched::Done
            && let Some(state) = self.end(event).await?
        {
            let happened = json!({"happened": "ended", "workflow": workflow, "state": state});
            self.teller.tell(&format!("{workflow}: {state}"), happened);
        }
        Ok(dispatched)
    }
}

impl Told {
    /// The end of a workflow, if handling an event was it. Each ends with one
    /// of these two.
    async fn end(&self, event: &Transported) -> Result<Option<WorkflowState>, StoreError> {
        let ends = match event.event_type() {
            EventType::TradeExecuted => WorkflowState::Completed,
            EventType::WorkflowFailed => WorkflowState::Failed,
            _ => return Ok(None),
        };
        let workflow = self.bus.find(&event.header().correlation_id).await?;
        let state = workflow.map(|workflow| workflow.state);
        Ok(state.filter(|state| *state == ends))
    }
}

/// Says what happens: a line with the time in New York, or a JSON object.
#[derive(Clone)]
struct Teller {
    routes: Arc<Routes>,
    json: bool,
}

impl Teller {
    fn tell(&self, text: &str, mut object: Value) {
        let now = Timestamp::new(jiff::Timestamp::now());
        if self.json {
            object["time"] = json!(now);
            println!("{object}");
        } else {
            println!("{}  {text}", exchange_time(now).strftime("%F %T %Z"));
        }
    }

    fn ready(&self, state: &str) {
        let text = format!("working on {state}; Ctrl-C stops");
        self.tell(&text, json!({"happened": "ready", "state": state}));
        let schedules = self.routes.schedules();
        if !self.json && schedules.iter().all(|schedule| !schedule.enabled) {
            self.tell("no schedule is enabled", Value::Null);
        }
    }

    fn happened(&self, happened: &Happened) {
        match happened {
            Happened::Given {
                schedule,
                at,
                given,
            } => self.given(schedule, *at, given),
            Happened::Waits {
                schedule,
                at,
                reason,
            } => self.tell(
                &format!("{}: waits: {reason}", self.time(schedule, *at)),
                json!({"happened": "waits", "schedule": schedule, "at": at, "reason": reason}),
            ),
            Happened::Missed { schedule, missed } => self.tell(
                &format!("{schedule}: missed: {missed}"),
                json!({
                    "happened": "missed",
                    "schedule": schedule,
                    "count": missed.count,
                    "more": missed.more,
                    "first": missed.first,
                    "last": missed.last,
                }),
            ),
            Happened::SetBack { schedule, now } => self.tell(
                &format!("{schedule}: the system clock was set back, and times come again"),
                json!({"happened": "set-back", "schedule": schedule, "now": now}),
            ),
            Happened::Next { schedule, at } => {
                let text = match at {
                    Some(at) => format!("{schedule}: next {}", self.on_the_wall(schedule, *at)),
                    None => format!("{schedule}: never fires again"),
                };
                let object = json!({"happened": "next", "schedule": schedule, "at": at});
                self.tell(&text, object);
            }
        }
    }

    fn given(&self, schedule: &ScheduleName, at: Timestamp, given: &Given) {
        let mut object = json!({"schedule": schedule, "at": at});
        let (happened, text) = match given {
            Given::Started(workflow) => {
                object["workflow"] = json!(workflow);
                ("started", format!("{workflow} begins"))
            }
            Given::StartedBefore(workflow) => {
                object["workflow"] = json!(workflow);
                ("started-before", format!("{workflow} had begun before"))
            }
            Given::Skipped(reason) | Given::NotNow(reason) => {
                object["reason"] = json!(reason);
                ("skipped", format!("skipped: {reason}"))
            }
            Given::Refused(error) => {
                object["error"] = error_json(error);
                ("refused", format!("refused: {}", error.message))
            }
        };
        object["happened"] = json!(happened);
        self.tell(&format!("{}: {text}", self.time(schedule, at)), object);
    }

    /// A schedule and its time.
    fn time(&self, schedule: &ScheduleName, at: Timestamp) -> String {
        format!("{schedule}, {}", self.on_the_wall(schedule, at))
    }

    fn on_the_wall(&self, name: &ScheduleName, at: Timestamp) -> String {
        let schedules = self.routes.schedules();
        let schedule = schedules.iter().find(|schedule| schedule.name == *name);
        schedule.map_or_else(|| at.to_string(), |schedule| on_the_wall(schedule, at))
    }
}
