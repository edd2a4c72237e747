//! Which dead letters may be delivered again.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::*;
use alchemiser_worker::*;
use std::time::Duration;

/// A later workflow of the account.
fn later(state: WorkflowState, orders_sent: bool) -> Workflow {
    let mut later = Workflow {
        configuration: configuration("2022-12-29"),
        orders_sent,
        ..workflow(state)
    };
    later.correlation_id = later.key().correlation_id();
    later
}

/// Asks for `event` of a workflow that is followed by `others`.
fn ask(
    event: &Event,
    workflow: &Workflow,
    others: &[Workflow],
    trades_reported: bool,
    age: u64,
) -> Result<Option<WorkflowState>, &'static str> {
    let mut account = vec![workflow.clone()];
    account.extend_from_slice(others);
    let delivery = DeadDelivery {
        event: &event.clone().into(),
        age: Duration::from_secs(age),
        workflow: Some(workflow),
        account: &account,
        trades_reported,
    };
    match readmit(&delivery) {
        Ok(back) => {
            if let Some(transition) = &back {
                assert_eq!(transition.workflow, workflow.correlation_id);
                assert_eq!(transition.from, [workflow.state]);
            }
            Ok(back.map(|transition| transition.to))
        }
        Err(refusal) => Err(refusal.class()),
    }
}

#[test]
fn the_workflow_goes_back_to_before_the_step() {
    for ended in [WorkflowState::Failed, WorkflowState::TimedOut] {
        let workflow = Workflow {
            orders_sent: false,
            ..workflow(ended)
        };
        let step = |event: &Event| ask(event, &workflow, &[], false, 0);
        assert_eq!(step(&started(&workflow)), Ok(Some(WorkflowState::Started)));
        assert_eq!(
            step(&planned(&workflow, vec![])),
            Ok(Some(WorkflowState::Planned))
        );
    }
}

#[test]
fn what_is_no_step_moves_nothing() {
    let message = Payload::SystemNotificationRequested(SystemNotificationRequested {
        notification_type: NotificationKind::Info,
        subject: "subject".to_owned(),
        text_content: "text".to_owned(),
        recipient_override: None,
    });
    for state in [WorkflowState::Completed, WorkflowState::Failed] {
        let workflow = workflow(state);
        let message = event(&workflow, Source::Orchestration, message.clone());
        let others = [later(WorkflowState::Started, false)];
        assert_eq!(ask(&message, &workflow, &others, true, 1_000_000), Ok(None));
    }
}

#[test]
fn nothing_that_may_have_traded_is_taken_again() {
    let failed = workflow(WorkflowState::Failed);
    let plan = planned(&failed, vec![]);
    let sent = Workflow {
        orders_sent: true,
        ..failed.clone()
    };
    assert_eq!(ask(&plan, &failed, &[], true, 0), Err("Traded"));
    assert_eq!(ask(&plan, &sent, &[], false, 0), Err("OrderFateUnknown"));
    let completed = workflow(WorkflowState::Completed);
    assert_eq!(ask(&plan, &completed, &[], false, 0), Err("Completed"));
}

#[test]
fn a_plan_is_good_until_its_deadline() {
    let failed = workflow(WorkflowState::Failed);
    let plan = planned(&failed, vec![]);
    let at = |age| ask(&plan, &failed, &[], false, age);
    assert_eq!(at(900), Ok(Some(WorkflowState::Planned)));
    assert_eq!(at(901), Err("StalePlan"));
    // Signals have no deadline.
    let start = started(&failed);
    let old = ask(&start, &failed, &[], false, 1_000_000);
    assert_eq!(old, Ok(Some(WorkflowState::Started)));
}

#[test]
fn an_account_that_has_moved_on_stays_where_it_is() {
    let failed = workflow(WorkflowState::Failed);
    let start = started(&failed);
    let after = |other| ask(&start, &failed, &[other], false, 0);
    let moved_on = Err("MovedOn");
    assert_eq!(after(later(WorkflowState::Completed, true)), moved_on);
    assert_eq!(after(later(WorkflowState::Failed, true)), moved_on);
    assert_eq!(after(later(WorkflowState::Signals, false)), moved_on);
    // One that failed before it traded left no trace.
    let back = Ok(Some(WorkflowState::Started));
    assert_eq!(after(later(WorkflowState::Failed, false)), back);
}
