//! Publishing, claiming, committing.

#![allow(clippy::unwrap_used)]
use crate::support::*;
use alchemiser_events::{AccountName, CorrelationId, Sha256Digest, Timestamp};
use alchemiser_local::{Bus, Clock as _, DeliveryState, EventFilter, StateDirectory};
use alchemiser_worker::{
    Claim, Claimed, Commit, Deliveries as _, PluginCall, StoreError, Workflow, WorkflowState,
    Workflows as _,
};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Two openings of one directory, as two processes have them.
struct Two {
    _path: tempfile::TempDir,
    clock: Arc<ManualClock>,
    first: StateDirectory,
    second: StateDirectory,
}

impl Two {
    fn new() -> Self {
        let path = scratch();
        let clock = ManualClock::new();
        let first = open(path.path(), &clock);
        let second = open(path.path(), &clock);
        Self {
            _path: path,
            clock,
            first,
            second,
        }
    }

    fn buses(&self) -> (Bus, Bus) {
        (self.first.bus(routes()), self.second.bus(routes()))
    }
}

/// Plugins that were asked are kept with the step that was taken, and only
/// then; they are summed up by build, and forgotten with the event.
#[tokio::test]
async fn the_plugins_that_a_step_asked_are_counted() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let call = |plugin: &str, build: &str, milliseconds| PluginCall {
        plugin: plugin.to_owned(),
        sha256: Sha256Digest::of(build.as_bytes()),
        duration: Duration::from_millis(milliseconds),
    };
    let asked = |calls| Commit::Done {
        events: Vec::new(),
        transition: None,
        remark: None,
        calls,
    };
    for (workflow, calls) in [
        ("w1", vec![call("dsl", "old", 10), call("dsl", "old", 20)]),
        ("w2", vec![call("momentum", "m", 1), call("dsl", "new", 40)]),
        ("w3", vec![call("dsl", "new", 50)]),
    ] {
        two.clock.advance(SECOND);
        let event = event(&correlation(workflow), "step-0", 1);
        bus.publish(std::slice::from_ref(&event)).await.unwrap();
        let claimed = claim(&bus, &key(&event, "step-0")).await.unwrap();
        let lost = Claimed {
            token: claimed.token + 1,
            ..claimed.clone()
        };
        let refused = bus.commit(&lost, asked(calls.clone())).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))));
        bus.commit(&claimed, asked(calls)).await.unwrap();
    }

    let queries = two.second.queries().unwrap();
    let plugins: Vec<_> = queries
        .plugins()
        .unwrap()
        .into_iter()
        .map(|record| {
            let workflow = record.last_workflow.to_string();
            (
                record.plugin,
                record.calls,
                record.mean.as_millis(),
                workflow,
                record.last_at,
            )
        })
        .collect();
    let at = |seconds_ago| Timestamp::new(two.clock.now().instant() - SECOND * seconds_ago);
    assert_eq!(
        plugins,
        [
            ("dsl".to_owned(), 2, 45, "w3".to_owned(), at(0)),
            ("dsl".to_owned(), 2, 15, "w1".to_owned(), at(2)),
            ("momentum".to_owned(), 1, 1, "w2".to_owned(), at(1)),
        ]
    );

    two.clock.advance(SECOND);
    assert_eq!(bus.prune(two.clock.now()).await.unwrap(), 3);
    assert_eq!(queries.plugins().unwrap(), []);
}

/// The states of all deliveries of a workflow, as `target state`, by event.
fn states(directory: &StateDirectory, workflow: &CorrelationId) -> Vec<String> {
    directory
        .queries()
        .unwrap()
        .trace(workflow)
        .unwrap()
        .into_iter()
        .flat_map(|traced| traced.deliveries)
        .map(|delivery| format!("{} {}", delivery.target, delivery.state))
        .collect()
}

fn subjects(directory: &StateDirectory, workflow: &CorrelationId) -> Vec<String> {
    let filter = EventFilter {
        workflow: Some(workflow.clone()),
        ..EventFilter::default()
    };
    let events = directory.queries().unwrap().events(&filter).unwrap();
    events
        .iter()
        .map(|record| subject(whole(&record.event)).to_owned())
        .collect()
}

#[tokio::test]
async fn an_event_goes_once_to_each_target_that_its_rules_name() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let workflow = correlation("w");
    bus.publish(&[event(&workflow, "both", 1), event(&workflow, "nobody", 2)])
        .await
        .unwrap();
    assert_eq!(
        states(&two.first, &workflow),
        ["step-1 pending", "step-2 pending"]
    );

    let queries = two.first.queries().unwrap();
    let trace = queries.trace(&workflow).unwrap();
    assert_eq!(trace[0].deliveries[0].rule, "both-one");
    assert!(trace[1].deliveries.is_empty());
}

#[tokio::test]
async fn an_event_is_published_once() {
    let two = Two::new();
    let (first, second) = two.buses();
    let workflow = correlation("w");
    let published = event(&workflow, "step-0", 1);
    first
        .publish(std::slice::from_ref(&published))
        .await
        .unwrap();
    let claimed = claim(&first, &key(&published, "step-0")).await.unwrap();
    first.commit(&claimed, done(vec![], None)).await.unwrap();

    second
        .publish(std::slice::from_ref(&published))
        .await
        .unwrap();
    assert_eq!(states(&two.first, &workflow), ["step-0 done"]);
    assert_eq!(
        two.first
            .queries()
            .unwrap()
            .events(&EventFilter::default())
            .unwrap()[0]
            .json,
        published.to_json()
    );
}

#[tokio::test]
async fn the_same_event_with_other_content_is_refused_with_all_that_came_along() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let workflow = correlation("w");
    bus.publish(&[event(&workflow, "step-0", 1)]).await.unwrap();

    let other = event_saying(&workflow, &command(&workflow), "step-0", 1, "other text");
    let error = bus
        .publish(&[event(&workflow, "step-1", 2), other.clone()])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Contradiction(id) if id == other.header.event_id));
    assert_eq!(subjects(&two.first, &workflow), ["step-0"]);
}

#[tokio::test]
async fn a_claim_keeps_others_away_until_it_ends() {
    let two = Two::new();
    let (first, second) = two.buses();
    let workflow = correlation("w");
    let cause = event(&workflow, "step-0", 1);
    let key = key(&cause, "step-0");
    first.publish(std::slice::from_ref(&cause)).await.unwrap();
    two.clock.advance(5 * SECOND);

    let claimed = claim(&first, &key).await.unwrap();
    assert_eq!(
        (claimed.attempt, claimed.failures, claimed.generation),
        (1, 0, 0)
    );
    assert_eq!(claimed.age, 5 * SECOND);
    for bus in [&first, &second] {
        assert!(matches!(
            bus.claim(&key, LEASE).await.unwrap(),
            Claim::NotNow
        ));
    }

    let emitted = next_event(&cause, "step-1");
    first
        .commit(&claimed, done(vec![emitted], None))
        .await
        .unwrap();
    for bus in [&first, &second] {
        assert!(matches!(
            bus.claim(&key, LEASE).await.unwrap(),
            Claim::Finished
        ));
    }
    assert_eq!(
        states(&two.second, &workflow),
        ["step-0 done", "step-1 pending"]
    );
    let error = first
        .commit(&claimed, done(vec![], None))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)));
}

#[tokio::test]
async fn a_claim_is_free_as_soon_as_its_owner_is_gone() {
    let Two {
        _path,
        first,
        second,
        ..
    } = Two::new();
    let workflow = correlation("w");
    let cause = event(&workflow, "step-0", 1);
    let key = key(&cause, "step-0");
    let bus = first.bus(routes());
    bus.publish(std::slice::from_ref(&cause)).await.unwrap();
    let lost = claim(&bus, &key).await.unwrap();

    let other = second.bus(routes());
    assert!(claim(&other, &key).await.is_none());
    drop((bus, first));
    let claimed = claim(&other, &key).await.unwrap();
    assert_eq!((claimed.attempt, claimed.failures), (2, 0));
    assert_ne!(claimed.token, lost.token);
    // The process that was taken for gone cannot end what it began.
    let error = other.commit(&lost, done(vec![], None)).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)));
    other.commit(&claimed, done(vec![], None)).await.unwrap();
}

#[tokio::test]
async fn a_silent_owner_loses_its_claim_when_the_lease_ends() {
    let two = Two::new();
    let (first, second) = two.buses();
    let workflow = correlation("w");
    let cause = event(&workflow, "step-0", 1);
    let key = key(&cause, "step-0");
    first.publish(std::slice::from_ref(&cause)).await.unwrap();
    let lost = claim(&first, &key).await.unwrap();

    two.clock.advance(LEASE - Duration::from_micros(1));
    assert!(claim(&second, &key).await.is_none());
    two.clock.advance(Duration::from_micros(1));
    let claimed = claim(&second, &key).await.unwrap();

    let emitted = vec![next_event(&cause, "step-1")];
    for commit in [
        done(emitted, None),
        retry(SECOND),
        dead(&lost, vec![], None),
    ] {
        let error = first.commit(&lost, commit).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)));
    }
    assert_eq!(states(&two.first, &workflow), ["step-0 claimed"]);
    second.commit(&claimed, done(vec![], None)).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_is_renewed_lasts() {
    let two = Two::new();
    let (first, second) = two.buses();
    let cause = event(&correlation("w"), "step-0", 1);
    let key = key(&cause, "step-0");
    first.publish(std::slice::from_ref(&cause)).await.unwrap();
    let held = claim(&first, &key).await.unwrap();
    for _ in 0..5 {
        two.clock.advance(LEASE - SECOND);
        assert!(first.renew(&held, LEASE).await.unwrap());
        assert!(claim(&second, &key).await.is_none());
    }
    two.clock.advance(LEASE);
    let taken = claim(&second, &key).await.unwrap();
    assert!(!first.renew(&held, LEASE).await.unwrap(), "it is lost");
    second.commit(&taken, done(vec![], None)).await.unwrap();
    assert!(!second.renew(&taken, LEASE).await.unwrap(), "it has ended");
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_when_its_time_comes() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let workflow = correlation("w");
    let cause = event(&workflow, "step-0", 1);
    let key = key(&cause, "step-0");
    bus.publish(std::slice::from_ref(&cause)).await.unwrap();
    let claimed = claim(&bus, &key).await.unwrap();
    bus.commit(&claimed, retry(10 * SECOND)).await.unwrap();

    two.clock.advance(9 * SECOND);
    assert!(matches!(
        bus.claim(&key, LEASE).await.unwrap(),
        Claim::NotNow
    ));
    two.clock.advance(SECOND);
    let claimed = claim(&bus, &key).await.unwrap();
    assert_eq!((claimed.attempt, claimed.failures), (2, 1));
    assert_eq!(claimed.age, 10 * SECOND);
    bus.commit(&claimed, done(vec![], None)).await.unwrap();

    let delivery = two
        .first
        .queries()
        .unwrap()
        .deliveries(&key.event_id)
        .unwrap()
        .remove(0);
    assert_eq!(delivery.state, DeliveryState::Done);
    assert_eq!(delivery.error, Some(error_detail()));
    assert_eq!(delivery.wait(), Some(10 * SECOND));
    assert_eq!(delivery.run(), Some(Duration::ZERO));
}

#[tokio::test]
async fn nothing_waits_for_a_clock_that_went_back() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let workflow = correlation("w");
    let cause = event(&workflow, "step-0", 1);
    let key = key(&cause, "step-0");
    bus.publish(std::slice::from_ref(&cause)).await.unwrap();
    two.clock.go_back(3600 * SECOND);
    let claimed = claim(&bus, &key).await.unwrap();
    assert_eq!(claimed.age, Duration::ZERO);

    bus.commit(&claimed, retry(SECOND)).await.unwrap();
    assert!(claim(&bus, &key).await.is_none());
    two.clock.go_back(3600 * SECOND);
    assert!(claim(&bus, &key).await.is_some());
}

#[tokio::test]
async fn a_workflow_in_another_state_undoes_the_commit_and_the_delivery_is_free_again() {
    let two = Two::new();
    let (bus, other) = two.buses();
    let workflow = workflow("w");
    let name = &workflow.correlation_id;
    let cause = event(name, "step-0", 1);
    assert!(bus.start(&workflow, &cause, 0).await.unwrap());
    let claimed = claim(&bus, &key(&cause, "step-0")).await.unwrap();

    let emitted = || vec![next_event(&cause, "step-1")];
    let unexpected = transition(name, WorkflowState::Signals, WorkflowState::Planned);
    let error = bus
        .commit(&claimed, done(emitted(), Some(unexpected)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(why) if why.contains("w is started")),
        "{error}"
    );
    assert_eq!(states(&two.first, name), ["step-0 pending"]);
    assert_eq!(bus.find(name).await.unwrap().unwrap(), workflow);

    let claimed = claim(&other, &key(&cause, "step-0")).await.unwrap();
    assert_eq!((claimed.attempt, claimed.failures), (2, 0));
    let expected = transition(name, WorkflowState::Started, WorkflowState::Signals);
    other
        .commit(&claimed, done(emitted(), Some(expected)))
        .await
        .unwrap();
    assert_eq!(states(&two.first, name), ["step-0 done", "step-1 pending"]);
    let state = bus.find(name).await.unwrap().unwrap().state;
    assert_eq!(state, WorkflowState::Signals);
}

#[tokio::test]
async fn a_final_failure_leaves_a_letter_and_ends_the_workflow() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let workflow = workflow("w");
    let name = &workflow.correlation_id;
    let cause = event(name, "step-0", 1);
    bus.start(&workflow, &cause, 0).await.unwrap();
    let claimed = claim(&bus, &key(&cause, "step-0")).await.unwrap();
    two.clock.advance(SECOND);
    let commit = dead(
        &claimed,
        vec![next_event(&cause, "step-4")],
        Some(transition(
            name,
            WorkflowState::Started,
            WorkflowState::Failed,
        )),
    );
    bus.commit(&claimed, commit).await.unwrap();

    assert!(matches!(
        bus.claim(&claimed.key, LEASE).await.unwrap(),
        Claim::Finished
    ));
    assert_eq!(states(&two.first, name), ["step-0 dead", "step-4 pending"]);
    let queries = two.first.queries().unwrap();
    let letters = queries.dead_letters(&letters_of(name)).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].letter.key, claimed.key);
    assert_eq!(letters[0].letter.error, error_detail());
    assert_eq!(letters[0].letter.attempts, 1);
    assert_eq!(
        letters[0].died_at,
        letters[0].first_attempt_at.after(SECOND)
    );
    let record = queries.workflow(name).unwrap().unwrap();
    assert_eq!(record.workflow.state, WorkflowState::Failed);
    assert_eq!(record.changed_at, record.created_at.after(SECOND));
    let counts = queries.counts().unwrap();
    assert_eq!(
        (counts.events, counts.pending, counts.dead_letters),
        (2, 1, 1)
    );
    assert_eq!(counts.workflows[&WorkflowState::Failed], 1);
}

#[tokio::test]
async fn a_workflow_starts_once() {
    let two = Two::new();
    let (first, second) = two.buses();
    let workflow = workflow("w");
    let cause = event(&workflow.correlation_id, "step-0", 1);
    let (one, other) = tokio::join!(
        first.start(&workflow, &cause, 0),
        second.start(&workflow, &cause, 0)
    );
    assert_ne!(one.unwrap(), other.unwrap());
    assert_eq!(subjects(&two.first, &workflow.correlation_id), ["step-0"]);

    // A first event that is refused leaves no workflow behind.
    let later = support_workflow_with_contradiction(&two).await;
    assert!(first.find(&later).await.unwrap().is_none());
    assert_eq!(first.of_account("w").await.unwrap(), [workflow]);
    assert!(first.of_account("other").await.unwrap().is_empty());
}

/// Of one account there are never two workflows that have not ended, and none
/// is started on a past that has changed.
#[tokio::test]
async fn an_account_has_one_workflow_at_a_time() {
    let two = Two::new();
    let (bus, other) = two.buses();
    let of_account = |name: &str, state| Workflow {
        account: AccountName::paper(),
        state,
        ..workflow(name)
    };
    let start = async |bus: &Bus, workflow: &Workflow, seen| {
        let first = event(&workflow.correlation_id, "step-0", 1);
        bus.start(workflow, &first, seen).await.unwrap()
    };
    let completed = of_account("monday", WorkflowState::Completed);
    let active = of_account("tuesday", WorkflowState::Started);
    let next = of_account("wednesday", WorkflowState::Started);

    assert!(start(&bus, &completed, 0).await);
    assert!(!start(&other, &active, 0).await, "one is there by now");
    let (one, another) = tokio::join!(start(&bus, &active, 1), start(&other, &next, 1));
    assert_ne!(one, another);
    let (begun, refused) = if one {
        (&active, &next)
    } else {
        (&next, &active)
    };
    assert!(!start(&bus, refused, 2).await, "one has not ended");

    let workflows = bus.of_account("paper").await.unwrap();
    assert_eq!(workflows, [completed, begun.clone()]);
    assert!(subjects(&two.first, &refused.correlation_id).is_empty());
}

async fn support_workflow_with_contradiction(two: &Two) -> CorrelationId {
    let (bus, _) = two.buses();
    let later = workflow("later");
    let name = later.correlation_id.clone();
    bus.publish(&[event(&name, "step-0", 1)]).await.unwrap();
    let other = event_saying(&name, &command(&name), "step-0", 1, "other text");
    let error = bus.start(&later, &other, 0).await.unwrap_err();
    assert!(matches!(error, StoreError::Contradiction(_)));
    name
}

#[tokio::test]
async fn orders_may_be_sent_from_a_planned_workflow_only() {
    let two = Two::new();
    let (bus, other) = two.buses();
    for state in WorkflowState::ALL {
        let mut workflow = workflow(state.name());
        workflow.state = state;
        let name = workflow.correlation_id.clone();
        bus.start(&workflow, &event(&name, "nobody", 1), 0)
            .await
            .unwrap();
        let may = state == WorkflowState::Planned;
        // The second time, as after a crash, the answer is the same.
        assert_eq!(bus.begin_orders(&name).await.unwrap(), may, "{state}");
        assert_eq!(other.begin_orders(&name).await.unwrap(), may, "{state}");
        let found = bus.find(&name).await.unwrap().unwrap();
        assert_eq!(found.orders_sent, may);
        let expected = if may { WorkflowState::Executing } else { state };
        assert_eq!(found.state, expected);
    }
    assert!(!bus.begin_orders(&correlation("unknown")).await.unwrap());
}

#[tokio::test]
async fn a_delivery_that_nobody_made_cannot_be_claimed() {
    let two = Two::new();
    let (bus, _) = two.buses();
    let unknown = key(&event(&correlation("w"), "step-0", 1), "step-0");
    let error = bus.claim(&unknown, LEASE).await.unwrap_err();
    assert!(error.to_string().contains("there is no delivery"));
}

#[tokio::test]
async fn lists_have_one_order_and_a_limit_keeps_what_came_last() {
    let two = Two::new();
    let (bus, _) = two.buses();
    for name in ["w2", "w1"] {
        let workflow = correlation(name);
        let events: Vec<_> = [3, 1, 2, 2]
            .iter()
            .zip(["a", "b", "c", "d"])
            .map(|(&sequence, subject)| event(&workflow, subject, sequence))
            .collect();
        bus.publish(&events).await.unwrap();
    }
    let queries = two.second.queries().unwrap();
    let all = queries.events(&EventFilter::default()).unwrap();
    let order: Vec<_> = all
        .iter()
        .map(|record| {
            let header = record.event.header();
            (
                header.correlation_id.clone(),
                header.sequence,
                header.event_id.clone(),
            )
        })
        .collect();
    assert_eq!(order.len(), 8);
    assert!(order.is_sorted());

    let last = EventFilter {
        workflow: Some(correlation("w1")),
        event_type: Some(alchemiser_events::EventType::SystemNotificationRequested),
        limit: Some(2),
        ..EventFilter::default()
    };
    let last: Vec<_> = queries
        .events(&last)
        .unwrap()
        .into_iter()
        .map(|record| record.json)
        .collect();
    // `c` and `d`, which are neither first nor last in the list.
    let expected: Vec<_> = all[1..3].iter().map(|record| record.json.clone()).collect();
    assert_eq!(last, expected);
    let none = EventFilter {
        event_type: Some(alchemiser_events::EventType::TradeExecuted),
        ..EventFilter::default()
    };
    assert!(queries.events(&none).unwrap().is_empty());
    assert!(
        queries
            .event(&all[0].event.header().event_id)
            .unwrap()
            .is_some()
    );
}
