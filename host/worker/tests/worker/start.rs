//! The command that starts workflows.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::*;
use alchemiser_worker::*;
use std::sync::Arc;

fn command(session: &str) -> StartCommand {
    StartCommand {
        account: AccountName::paper(),
        slot: "1600".to_owned(),
        clock: Timestamp::parse(&format!("{session}T21:00:00Z")).unwrap(),
        configuration: configuration(session),
        requested_by: "test".to_owned(),
        rerun: true,
    }
}

/// Starts on top of one workflow of 2022-12-28 in this state.
async fn start_after(
    state: WorkflowState,
    orders_sent: bool,
    command: &StartCommand,
) -> (Arc<Memory>, Started) {
    let memory = Memory::new(routes());
    memory.add_workflow(&Workflow {
        orders_sent,
        ..workflow(state)
    });
    let started = start_workflow(&*memory, command).await.unwrap();
    (memory, started)
}

const SAME: &str = "2022-12-28";
const EARLIER: &str = "2022-12-27";
const LATER: &str = "2022-12-29";

#[tokio::test]
async fn a_new_workflow_begins_with_its_event() {
    let memory = Memory::new(routes());
    let started = start_workflow(&*memory, &command(SAME)).await.unwrap();
    let Started::Created(workflow) = started else {
        panic!("{started:?}");
    };
    assert_eq!(
        workflow.correlation_id.as_str(),
        "dev-paper-2022-12-28-1600"
    );
    assert_eq!(workflow.state, WorkflowState::Started);
    assert_eq!(memory.workflow(), workflow);

    let events = memory.events();
    assert_eq!(events.len(), 1);
    let header = &events[0].header;
    assert_eq!(events[0].event_type(), EventType::WorkflowStarted);
    assert_eq!(header.correlation_id, workflow.correlation_id);
    assert_eq!(
        header.causation_id,
        CausationId::command(&workflow.correlation_id)
    );
    assert_eq!(header.timestamp, clock());
    assert_eq!(header.sequence, 1);
    events[0].check_producer().unwrap();
}

#[tokio::test]
async fn what_has_not_ended_is_taken_up_again() {
    use WorkflowState::{Executing, Planned, Signals};
    for state in [WorkflowState::Started, Signals, Planned, Executing] {
        let (memory, started) = start_after(state, state == Executing, &command(SAME)).await;
        assert!(matches!(started, Started::Unfinished(found) if found.state == state));
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn what_was_completed_is_not_done_twice() {
    for orders_sent in [true, false] {
        let (memory, started) =
            start_after(WorkflowState::Completed, orders_sent, &command(SAME)).await;
        assert!(matches!(started, Started::AlreadyEnded(_)));
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn what_failed_before_any_order_gets_a_new_name() {
    for state in [WorkflowState::Failed, WorkflowState::TimedOut] {
        let (memory, started) = start_after(state, false, &command(SAME)).await;
        let Started::Created(rerun) = started else {
            panic!("{started:?}");
        };
        assert_eq!(
            rerun.correlation_id.as_str(),
            "dev-paper-2022-12-28-1600-r1"
        );
        assert_eq!(memory.events().len(), 1);
    }
}

#[tokio::test]
async fn a_schedule_starts_nothing_a_second_time() {
    for state in [WorkflowState::Failed, WorkflowState::Completed] {
        let command = StartCommand {
            rerun: false,
            ..command(SAME)
        };
        let (memory, started) = start_after(state, false, &command).await;
        assert!(matches!(started, Started::AlreadyEnded(_)), "{started:?}");
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn reruns_are_counted() {
    let memory = Memory::new(routes());
    for rerun in 0..3 {
        memory.add_workflow(&Workflow {
            rerun,
            ..workflow(WorkflowState::Failed)
        });
    }
    let started = start_workflow(&*memory, &command(SAME)).await.unwrap();
    let Started::Created(rerun) = started else {
        panic!("{started:?}");
    };
    assert_eq!(
        rerun.correlation_id.as_str(),
        "dev-paper-2022-12-28-1600-r3"
    );
}

#[tokio::test]
async fn what_failed_after_an_order_is_not_run_again() {
    for state in [WorkflowState::Failed, WorkflowState::TimedOut] {
        let (memory, started) = start_after(state, true, &command(SAME)).await;
        assert!(matches!(started, Started::FailedAfterOrders(_)));
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn an_account_does_not_go_back() {
    use WorkflowState::{Completed, Failed, TimedOut};
    for (state, orders_sent) in [(Completed, false), (Failed, true), (TimedOut, true)] {
        let (memory, started) = start_after(state, orders_sent, &command(EARLIER)).await;
        assert!(matches!(
            started,
            Started::Superseded { last } if last.session() == SessionDate::parse(SAME).unwrap()
        ));
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn what_failed_before_any_order_left_the_account_where_it_was() {
    let (memory, started) = start_after(WorkflowState::Failed, false, &command(EARLIER)).await;
    assert!(matches!(started, Started::Created(_)));
    assert_eq!(memory.events().len(), 1);
}

#[tokio::test]
async fn what_was_completed_stays_so_when_the_account_has_moved_on() {
    let memory = Memory::new(routes());
    memory.add_workflow(&workflow(WorkflowState::Completed));
    let later = start_workflow(&*memory, &command(LATER)).await.unwrap();
    let Started::Created(later) = later else {
        panic!("{later:?}");
    };
    memory.end_workflow(&later, WorkflowState::Completed);
    let again = start_workflow(&*memory, &command(SAME)).await.unwrap();
    assert!(matches!(again, Started::AlreadyEnded(_)));
}

#[tokio::test]
async fn another_process_may_be_faster() {
    let faster = [
        (command(SAME), "unfinished"),
        (command(EARLIER), "busy"),
        (command(LATER), "busy"),
    ];
    for (command, expected) in faster {
        let memory = Memory::new(routes());
        memory.start_before_the_next(&workflow(WorkflowState::Started));
        let started = match start_workflow(&*memory, &command).await.unwrap() {
            Started::Unfinished(_) => "unfinished",
            Started::Busy(_) => "busy",
            other => panic!("{other:?}"),
        };
        assert_eq!(started, expected);
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn an_account_does_one_thing_at_a_time() {
    let other_slot = StartCommand {
        slot: "0930".to_owned(),
        ..command(SAME)
    };
    for other in [command(LATER), command(EARLIER), other_slot] {
        let (memory, started) = start_after(WorkflowState::Executing, true, &other).await;
        assert!(matches!(started, Started::Busy(_)), "{started:?}");
        assert!(memory.events().is_empty());
    }
}

#[tokio::test]
async fn the_next_session_follows_whatever_came_of_the_last() {
    use WorkflowState::{Completed, Failed, TimedOut};
    for state in [Completed, Failed, TimedOut] {
        let (memory, started) = start_after(state, true, &command(LATER)).await;
        assert!(matches!(started, Started::Created(_)), "{started:?}");
        assert_eq!(memory.events().len(), 1);
    }
}

#[tokio::test]
async fn accounts_do_not_wait_for_each_other() {
    let other = StartCommand {
        account: AccountName::parse("second").unwrap(),
        ..command(SAME)
    };
    let (_, started) = start_after(WorkflowState::Executing, true, &other).await;
    assert!(matches!(started, Started::Created(_)), "{started:?}");
}
