//! `alchemiser dev`: works on deliveries, runs workflows when their schedules
//! say, and puts changes of the project to work meanwhile.

mod crates;
mod keys;
mod reload;
mod teller;
mod told;
mod watch;

use super::doctor;
use super::run::{same_book, start_command};
use super::state::{opened, prune, store};
use crate::arguments::{Arguments, Data, Dev};
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine::{self, Plugins};
use crate::preview::Preview;
use crate::project::Project;
use crate::sources::Sources;
use crate::stop::Stop;
use crate::worker::{Worker, account, book};
use alchemiser_broker::Broker;
use alchemiser_events::CorrelationId;
use alchemiser_local::{Bus, Scheduler, StateDirectory};
use alchemiser_worker::{
    Started, StoreError, Workflow, WorkflowState, Workflows as _, start_workflow,
};
use crates::Crates;
use keys::{Key, Keys};
use reload::{Reloader, Start, as_of};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;
use teller::Teller;
use tokio::sync::watch as tokio_watch;
use told::Told;
use watch::Message;

/// How often what is old is forgotten.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// Works until told to stop, or with `--once` until there is nothing left to do.
pub fn dev(command: &Dev, arguments: &Arguments) -> CommandResult {
    // Everything that could be wrong is looked at before anything is written.
    let project = Project::open(arguments)?;
    let teller = Teller::new(arguments.json);
    let mut crates = Crates::of(&project);
    let is_built = if command.once || Sources::read(&project).lack_a_component() {
        build(&mut crates, teller)?
    } else {
        true
    };
    let mut plugins = Plugins::changing(&project)?;
    let sources = Sources::read(&project);
    let worker = Worker::gather_from(&project, &sources, &mut plugins, &command.data)?;
    let path = project.state(&command.state);
    let state = StateDirectory::open(&path).map_err(|error| opened(&error))?;
    let work = Work {
        project: &project,
        state: &state,
        path: &path,
        data: &command.data,
        teller,
        broker: worker.broker(&project, &state),
    };
    let worker = Arc::new(worker);
    let preview = Preview::of(&worker.setup, &worker.market.latest(), None);
    if command.once {
        let answers = preview.failures().next().is_none();
        tell_weights(teller, &preview);
        machine::runtime()?.block_on(work.once(&worker))?;
        return match (is_built, answers) {
            (true, true) => Ok(()),
            _ => Err(CommandFailure::AlreadyReported),
        };
    }
    thread::scope(|scope| {
        let bus = worker.bus(&project, &state);
        let told = Arc::new(Told::new(work.dispatcher(&worker, &bus), bus, teller));
        let (latest, workers) = tokio_watch::channel(Arc::clone(&worker));
        let start = Start {
            project: &project,
            plugins,
            crates,
            worker,
            sources,
            preview,
            teller,
        };
        let (reloader, messages) = Reloader::new(start);
        let _stopping = StopsReloading(messages);
        let (work, dispatch) = (&work, Arc::clone(&told));
        scope.spawn(move || {
            reloader.run(|worker| {
                let bus = worker.bus(work.project, work.state);
                dispatch.replace(work.dispatcher(worker, &bus));
                latest.send_replace(Arc::clone(worker));
            });
        });
        machine::runtime()?.block_on(work.until_stopped(workers, told))
    })?;
    // The thread that reloads has ended by now, and has nothing more to tell.
    teller.tell("stopped", json!({"happened": "stopped"}));
    Ok(())
}

/// Ends the thread that reloads, however the work ended: it is waited for.
struct StopsReloading(Sender<Message>);

impl Drop for StopsReloading {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.send(Message::Stop);
    }
}

/// Builds the project's plugins; whether all of them could be built. What
/// cannot be is told.
fn build(crates: &mut Crates<'_>, teller: Teller) -> CommandResult<bool> {
    let mut all = true;
    while let Some(next) = crates.next_to_build()? {
        if let Err(failure) = next.build() {
            let error = failure.detail();
            let text = format!("plugin {} is not built: {}", next.plugin, error.message);
            let object = json!({
                "happened": "not-built",
                "plugin": next.plugin,
                "error": error_json(&error),
            });
            teller.tell(&text, object);
            all = false;
        }
    }
    Ok(all)
}

/// What a worker works with besides its setup.
struct Work<'a> {
    project: &'a Project,
    state: &'a StateDirectory,
    path: &'a Path,
    data: &'a Data,
    teller: Teller,
    broker: Arc<dyn Broker>,
}

impl Work<'_> {
    fn dispatcher(&self, worker: &Worker, bus: &Bus) -> alchemiser_worker::Dispatcher {
        worker.dispatcher(self.project, self.state, bus, Arc::clone(&self.broker))
    }

    /// Works until told to stop, always with the latest of the workers.
    async fn until_stopped(
        &self,
        workers: tokio_watch::Receiver<Arc<Worker>>,
        told: Arc<Told>,
    ) -> CommandResult {
        let teller = self.teller;
        let asked = move || {
            let text = "stopping, when what was begun has ended";
            teller.tell(text, json!({"happened": "stopping"}));
        };
        let stop =
            Stop::listen(asked).map_err(|error| CommandFailure::failed("SignalError", error))?;
        let worker = Arc::clone(&workers.borrow());
        let bus = worker.bus(self.project, self.state);
        self.check_books(&bus).await?;
        let runner = Worker::runner_of(&bus, told);
        let keys = if teller.json() { None } else { Keys::listen() };
        let end = match keys {
            Some(_) => "r runs a workflow, d looks for what is wrong, q stops",
            None => "Ctrl-C stops",
        };
        self.tell_ready(&worker, end);

        // All are waited for, also when one fails: what was begun is to end in
        // its own way.
        let (ran, scheduled, kept, pressed) = tokio::join!(
            or_stop(&stop, runner.run_until(stop.asked())),
            or_stop(&stop, self.schedule(workers.clone(), &stop)),
            or_stop(&stop, self.keep_house(&bus, &stop)),
            or_stop(&stop, self.obey(keys, workers.clone(), &stop)),
        );
        ran.and(scheduled).and(kept).and(pressed).map_err(store)
    }

    /// Does all that is due, and ends.
    async fn once(&self, worker: &Arc<Worker>) -> CommandResult {
        let bus = worker.bus(self.project, self.state);
        let told = Told::new(self.dispatcher(worker, &bus), bus.clone(), self.teller);
        self.check_books(&bus).await?;
        self.route_again(&bus).await.map_err(store)?;
        self.tell_ready(worker, "ends when nothing is left to do");
        let routes = &worker.setup.routes;
        let commands = worker.commands(self.project, &bus, Arc::clone(&self.broker));
        let mut scheduler = Scheduler::open(&bus, routes.schedules(), commands)
            .await
            .map_err(store)?;
        for happened in scheduler.look().await.map_err(store)? {
            self.teller.of_schedules(routes).happened(&happened);
        }
        let runner = Worker::runner_of(&bus, Arc::new(told));
        for workflow in self.open_workflows(&bus).await.map_err(store)? {
            runner.run_workflow(&workflow).await.map_err(store)?;
        }
        self.teller.tell("done", json!({"happened": "stopped"}));
        Ok(())
    }

    /// What was cut short goes on only with the strategies that it began with.
    async fn check_books(&self, bus: &Bus) -> CommandResult {
        for workflow in self.unfinished(bus).await.map_err(store)? {
            same_book(&workflow, &book(self.project))?;
        }
        Ok(())
    }

    /// Routes an event once more that no rule sent on: the rules may have been
    /// mended.
    async fn route_again(&self, bus: &Bus) -> Result<(), StoreError> {
        for workflow in self.unfinished(bus).await? {
            bus.route_again(&workflow.correlation_id).await?;
        }
        Ok(())
    }

    async fn unfinished(&self, bus: &Bus) -> Result<Vec<Workflow>, StoreError> {
        let account = account(self.project);
        let workflows = bus.of_account(account.as_str()).await?;
        let unfinished = |workflow: &Workflow| !workflow.state.is_terminal();
        Ok(workflows.into_iter().filter(unfinished).collect())
    }

    /// Those that have not ended, or of which something is left to be told.
    async fn open_workflows(&self, bus: &Bus) -> Result<Vec<CorrelationId>, StoreError> {
        let mut open = bus.untold(&account(self.project)).await?;
        let unfinished = self.unfinished(bus).await?;
        open.extend(
            unfinished
                .into_iter()
                .map(|workflow| workflow.correlation_id),
        );
        Ok(open)
    }

    /// Gives the commands of schedules. What the schedules did is kept by the
    /// bus, so that a scheduler of changed routes goes on where the one before
    /// stopped.
    async fn schedule(
        &self,
        mut workers: tokio_watch::Receiver<Arc<Worker>>,
        stop: &Stop,
    ) -> Result<(), StoreError> {
        loop {
            let worker = Arc::clone(&workers.borrow_and_update());
            let routes = &worker.setup.routes;
            let bus = worker.bus(self.project, self.state);
            self.route_again(&bus).await?;
            let commands = worker.commands(self.project, &bus, Arc::clone(&self.broker));
            let scheduler = Scheduler::open(&bus, routes.schedules(), commands).await?;
            let teller = self.teller.of_schedules(routes);
            let over = async {
                tokio::select! {
                    () = stop.asked() => {}
                    // The sender ends with the thread that reloads; then there
                    // is nothing to wait for but the end.
                    Ok(_) = workers.wait_for(|latest| !has_routes_of(latest, &worker)) => {}
                }
            };
            scheduler
                .run_until(over, |happened| teller.happened(&happened))
                .await?;
            if stop.is_asked() {
                return Ok(());
            }
        }
    }

    /// Forgets what is old, now and from time to time.
    async fn keep_house(&self, bus: &Bus, stop: &Stop) -> Result<(), StoreError> {
        let retention = self.project.settings.eventbridge.archive_retention();
        loop {
            let forgotten = prune(bus, retention).await?;
            if forgotten > 0 {
                let text = format!("{forgotten} events were old enough to be forgotten");
                let object = json!({"happened": "pruned", "events": forgotten});
                self.teller.tell(&text, object);
            }
            tokio::select! {
                () = stop.asked() => return Ok(()),
                () = tokio::time::sleep(HOUSEKEEPING) => {}
            }
        }
    }

    /// Does what keys ask for.
    async fn obey(
        &self,
        keys: Option<Keys>,
        workers: tokio_watch::Receiver<Arc<Worker>>,
        stop: &Stop,
    ) -> Result<(), StoreError> {
        let Some(mut keys) = keys else {
            return Ok(());
        };
        loop {
            let key = tokio::select! {
                () = stop.asked() => return Ok(()),
                key = keys.next() => key,
            };
            let worker = Arc::clone(&workers.borrow());
            match key {
                None => return Ok(()),
                Some(Key::Run) => self.run_now(&worker).await?,
                Some(Key::Doctor) => self.say_what_is_wrong().await,
                Some(Key::Quit) => {
                    let text = "stopping, when what was begun has ended";
                    self.teller.tell(text, json!({"happened": "stopping"}));
                    stop.now();
                }
            }
        }
    }

    /// Looks beside: deliveries go on meanwhile.
    async fn say_what_is_wrong(&self) {
        let (project, data) = (self.project.clone(), self.data.clone());
        let path = self.path.to_owned();
        let examine = move || doctor::examine(&project, &data, &path);
        // It cannot be cancelled, and a panic has been reported.
        if let Ok(findings) = tokio::task::spawn_blocking(examine).await {
            doctor::print(&findings);
        }
    }

    /// Starts the workflow of the last session, as `alchemiser run` does.
    async fn run_now(&self, worker: &Arc<Worker>) -> Result<(), StoreError> {
        let refused = |failure: &CommandFailure| {
            let error = failure.detail();
            let text = format!("no workflow was started: {}", error.message);
            let object = json!({"happened": "not-started", "error": error_json(&error)});
            self.teller.tell(&text, object);
        };
        let reader = Arc::clone(worker);
        let last_session = move || reader.read_prices().and_then(|()| reader.session(None));
        let session = match tokio::task::spawn_blocking(last_session).await {
            Ok(Ok(session)) => session,
            Ok(Err(failure)) => {
                refused(&failure);
                return Ok(());
            }
            // A panic has been reported.
            Err(_) => return Ok(()),
        };
        let bus = worker.bus(self.project, self.state);
        let (workflow, what) =
            match start_workflow(&bus, &start_command(self.project, session)).await? {
                Started::Created(workflow) => (workflow, "begins"),
                Started::Unfinished(workflow) => (workflow, "is at work already"),
                Started::Busy(workflow) => (workflow, "has to end first"),
                Started::AlreadyEnded(workflow) if workflow.state == WorkflowState::Completed => {
                    (workflow, "is completed already; nothing is done twice")
                }
                Started::AlreadyEnded(workflow) => (workflow, "has failed"),
                Started::FailedAfterOrders(workflow) => (
                    workflow,
                    "failed after orders may have been sent, and is not run again",
                ),
                Started::Superseded { last } => {
                    (last, "is of a later session, and the account stays there")
                }
            };
        let workflow = workflow.correlation_id;
        let object = json!({"happened": "asked", "workflow": workflow, "answer": what});
        self.teller.tell(&format!("{workflow} {what}"), object);
        Ok(())
    }

    /// Says that the work begins, and how it ends.
    fn tell_ready(&self, worker: &Worker, end: &str) {
        let state = self.path.display().to_string();
        let text = format!("working on {state}; {end}");
        self.teller
            .tell(&text, json!({"happened": "ready", "state": state}));
        self.teller.of_schedules(&worker.setup.routes).expect();
    }
}

/// What the book comes to at the moment.
fn tell_weights(teller: Teller, preview: &Preview) {
    let mut object = preview.json(None);
    object["happened"] = json!("weights");
    let text = format!("weights{}:{}", as_of(preview.session()), preview.text());
    teller.tell(&text, object);
}

fn has_routes_of(left: &Worker, right: &Worker) -> bool {
    Arc::ptr_eq(&left.setup.routes, &right.setup.routes)
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
