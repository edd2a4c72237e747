//! The command that starts a workflow.

use crate::ports::{StoreError, Workflows};
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{
    AccountName, CausationId, Event, EventId, EventType, Header, Payload, SchemaVersion,
    SessionDate, Source, Timestamp, WorkflowConfiguration, WorkflowKey, WorkflowStarted,
    WorkflowType,
};
use alchemiser_fail_points::fail_point;

/// What the first event names as the handler that emitted it.
const TARGET: &str = "command";

/// A wish to run a workflow.
#[derive(Clone, Debug)]
pub struct StartCommand {
    /// The account to trade.
    pub account: AccountName,
    /// The slot of the day, `HHMM` in New York.
    pub slot: String,
    /// The workflow's clock.
    pub clock: Timestamp,
    /// What every later step checks itself against.
    pub configuration: WorkflowConfiguration,
    /// Who asks: the command line, or a schedule by name.
    pub requested_by: String,
    /// Whether to run it once more where it failed before any order. A person
    /// decides that; a schedule starts it once.
    pub rerun: bool,
}

/// What became of the wish.
#[derive(Clone, Debug)]
pub enum Started {
    /// A workflow began.
    Created(Workflow),
    /// It began before and has not ended: bring it to its end.
    Unfinished(Workflow),
    /// It was completed before, or it failed and is not to be run once more;
    /// nothing is done twice.
    AlreadyEnded(Workflow),
    /// It failed after orders may have been sent; running it again could trade
    /// twice.
    FailedAfterOrders(Workflow),
    /// The account has moved on to a later session.
    Superseded {
        /// The account's last workflow.
        last: Workflow,
    },
    /// Another workflow of the account has not ended: bring that to its end
    /// first.
    Busy(Workflow),
}

/// Starts a workflow, or says why not. Starting the same one twice, in two
/// processes at once even, starts it once.
pub async fn start_workflow(
    workflows: &dyn Workflows,
    command: &StartCommand,
) -> Result<Started, StoreError> {
    loop {
        let existing = workflows.of_account(command.account.as_str()).await?;
        let rerun = match admit(&existing, command) {
            Ok(rerun) => rerun,
            Err(started) => return Ok(*started),
        };
        let workflow = new_workflow(command, rerun);
        let event = first_event(&workflow, command);
        fail_point!(BeforeStart);
        if workflows.start(&workflow, &event, existing.len()).await? {
            fail_point!(AfterStart);
            return Ok(Started::Created(workflow));
        }
        // Another process was faster; what it did decides.
    }
}

/// Which rerun of its slot the workflow would be, given those that the account
/// has; or why there must not be one.
fn admit(existing: &[Workflow], command: &StartCommand) -> Result<u32, Box<Started>> {
    let refuse = |started| Err(Box::new(started));
    if let Some(active) = existing
        .iter()
        .find(|workflow| !workflow.state.is_terminal())
    {
        let active = active.clone();
        return refuse(if same_slot(&active, command) {
            Started::Unfinished(active)
        } else {
            Started::Busy(active)
        });
    }
    let latest = existing
        .iter()
        .filter(|workflow| same_slot(workflow, command))
        .max_by_key(|workflow| workflow.rerun);
    let rerun = match latest {
        None => 0,
        Some(latest) if latest.state == WorkflowState::Completed => {
            return refuse(Started::AlreadyEnded(latest.clone()));
        }
        Some(latest) if latest.orders_sent => {
            return refuse(Started::FailedAfterOrders(latest.clone()));
        }
        Some(latest) if !command.rerun => {
            return refuse(Started::AlreadyEnded(latest.clone()));
        }
        Some(latest) => latest.rerun + 1,
    };
    // A workflow that failed before any order left the account where it was.
    let last = existing
        .iter()
        .filter(|workflow| workflow.state == WorkflowState::Completed || workflow.orders_sent)
        .max_by_key(|workflow| (workflow.session(), workflow.clock));
    if let Some(last) = last.filter(|last| last.session() > command.configuration.session) {
        return refuse(Started::Superseded { last: last.clone() });
    }
    Ok(rerun)
}

fn same_slot(workflow: &Workflow, command: &StartCommand) -> bool {
    workflow.session() == command.configuration.session
        && workflow.slot == command.slot
        && workflow.configuration.stage == command.configuration.stage
}

fn new_workflow(command: &StartCommand, rerun: u32) -> Workflow {
    let session: SessionDate = command.configuration.session;
    let key = WorkflowKey {
        stage: command.configuration.stage.clone(),
        account: command.account.clone(),
        session,
        slot: command.slot.clone(),
        rerun,
    };
    Workflow {
        correlation_id: key.correlation_id(),
        account: command.account.clone(),
        slot: command.slot.clone(),
        rerun,
        clock: command.clock,
        configuration: command.configuration.clone(),
        state: WorkflowState::Started,
        orders_sent: false,
    }
}

fn first_event(workflow: &Workflow, command: &StartCommand) -> Event {
    let causation_id = CausationId::command(&workflow.correlation_id);
    Event {
        header: Header {
            correlation_id: workflow.correlation_id.clone(),
            event_id: EventId::derive(&causation_id, TARGET, EventType::WorkflowStarted, 0, 0),
            causation_id,
            timestamp: workflow.clock,
            source_module: Source::Orchestration,
            source_component: Some(TARGET.to_owned()),
            schema_version: SchemaVersion::default(),
            sequence: 1,
            produced_by: None,
            inputs_ref: None,
        },
        payload: Payload::WorkflowStarted(WorkflowStarted {
            workflow_type: WorkflowType::Trading,
            requested_by: command.requested_by.clone(),
            configuration: workflow.configuration.clone(),
        }),
    }
}
