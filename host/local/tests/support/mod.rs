//! What the tests and the benchmark of this crate share: routes, events and
//! workflows of no particular meaning, and a clock that is set by hand.

#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each user needs a part of it; what fails here is the test"
)]

use alchemiser_events::{
    AccountName, CausationId, CorrelationId, ErrorDetail, Event, EventId, EventType, Header,
    NotificationKind, Payload, SchemaVersion, SessionDate, Source, SystemNotificationRequested,
    Timestamp, TradingMode, Transported, WorkflowConfiguration, WorkflowStarted, WorkflowType,
};
use alchemiser_local::{Bus, Clock, LetterFilter, StateDirectory};
use alchemiser_rules::{Routes, TargetName};
use alchemiser_worker::{
    Claim, Claimed, Commit, DeadLetter, Deliveries as _, DeliveryKey, Transition, Workflow,
    WorkflowState,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// `step-0` … `step-4` go to the targets of those names, `both` goes to two
/// targets, `nobody` to none.
pub(crate) fn routes() -> Arc<Routes> {
    let mut text = String::from("[targets]\naudit.kind = \"log\"\n");
    for step in 0..5 {
        text.push_str(&format!("step-{step}.kind = \"handler\"\n"));
    }
    let mut rule = |name: &str, subjects: &str, target: &str, more: &str| {
        text.push_str(&format!(
            "[[rule]]\nname = \"{name}\"\npattern = {{ detail = {{ subject = [{subjects}] }} }}\n\
             target = \"{target}\"\nretry_attempts = 3\nmax_age_seconds = 3600\n{more}\n"
        ));
    };
    for step in 0..5 {
        let name = format!("step-{step}");
        rule(&name, &format!("\"{name}\""), &name, "");
    }
    rule("both-one", "\"both\"", "step-1", "");
    rule("both-again", "\"both\"", "step-1", "");
    rule("both-two", "\"both\"", "step-2", "");
    rule("off", "\"nobody\"", "step-3", "enabled = false");
    rule("all", "{ prefix = \"\" }", "audit", "");
    text.push_str(
        "[[rule]]\nname = \"started\"\npattern = { detail-type = [\"WorkflowStarted\"] }\n\
         target = \"step-0\"\n",
    );
    Arc::new(Routes::parse(&text, "routes.toml").unwrap())
}

pub(crate) fn correlation(name: &str) -> CorrelationId {
    CorrelationId::parse(name).unwrap()
}

pub(crate) fn command(workflow: &CorrelationId) -> CausationId {
    CausationId::command(workflow)
}

pub(crate) fn step(number: usize) -> String {
    format!("step-{number}")
}

pub(crate) fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

/// An event whose identifier follows from all of the arguments but `text`.
pub(crate) fn event_saying(
    workflow: &CorrelationId,
    cause: &CausationId,
    subject: &str,
    sequence: u32,
    text: &str,
) -> Event {
    let event_type = EventType::SystemNotificationRequested;
    Event {
        header: Header {
            correlation_id: workflow.clone(),
            causation_id: cause.clone(),
            event_id: EventId::derive(cause, subject, event_type, sequence, 0),
            timestamp: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
            source_module: Source::Orchestration,
            source_component: None,
            schema_version: SchemaVersion::default(),
            sequence,
            produced_by: None,
            inputs_ref: None,
        },
        payload: Payload::SystemNotificationRequested(SystemNotificationRequested {
            notification_type: NotificationKind::Info,
            subject: subject.to_owned(),
            text_content: text.to_owned(),
            recipient_override: None,
        }),
    }
}

pub(crate) fn event(workflow: &CorrelationId, subject: &str, sequence: u32) -> Event {
    event_saying(workflow, &command(workflow), subject, sequence, "text")
}

/// What handling an event leads to.
pub(crate) fn next_event(cause: &Event, subject: &str) -> Event {
    let header = &cause.header;
    let causation = CausationId::from(&header.event_id);
    event_saying(
        &header.correlation_id,
        &causation,
        subject,
        header.sequence + 1,
        "text",
    )
}

/// An event that nothing left.
pub(crate) fn whole(event: &Transported) -> &Event {
    match event {
        Transported::Whole(event) => event,
        Transported::Packed(_) => panic!("something left the event"),
    }
}

pub(crate) fn subject(event: &Event) -> &str {
    match &event.payload {
        Payload::SystemNotificationRequested(notification) => &notification.subject,
        _ => "",
    }
}

pub(crate) fn key(event: &Event, target_name: &str) -> DeliveryKey {
    DeliveryKey {
        event_id: event.header.event_id.clone(),
        target: target(target_name),
    }
}

/// A workflow of this name, of an account of its own.
pub(crate) fn workflow(name: &str) -> Workflow {
    Workflow {
        correlation_id: correlation(name),
        account: AccountName::parse(&name.replace('_', "-")).unwrap(),
        slot: "1600".to_owned(),
        rerun: 0,
        clock: Timestamp::parse("2022-12-28T21:00:00Z").unwrap(),
        configuration: WorkflowConfiguration {
            trading_mode: TradingMode::Paper,
            stage: "dev".to_owned(),
            strategy_profile: "book".to_owned(),
            session: SessionDate::parse("2022-12-28").unwrap(),
            dry_run: false,
        },
        state: WorkflowState::Started,
        orders_sent: false,
    }
}

pub(crate) fn transition(
    workflow: &CorrelationId,
    from: WorkflowState,
    to: WorkflowState,
) -> Transition {
    Transition {
        workflow: workflow.clone(),
        from: vec![from],
        to,
    }
}

pub(crate) fn done(events: Vec<Event>, transition: Option<Transition>) -> Commit {
    Commit::Done {
        events,
        transition,
        remark: None,
        calls: Vec::new(),
    }
}

pub(crate) fn error_detail() -> ErrorDetail {
    ErrorDetail {
        class: "Broken".to_owned(),
        message: "it broke".to_owned(),
        retryable: true,
        context: BTreeMap::new(),
    }
}

pub(crate) fn retry(delay: Duration) -> Commit {
    Commit::Retry {
        error: error_detail(),
        delay,
    }
}

pub(crate) fn dead(
    claimed: &Claimed,
    events: Vec<Event>,
    transition: Option<Transition>,
) -> Commit {
    Commit::Dead {
        letter: DeadLetter {
            key: claimed.key.clone(),
            rule: claimed.key.target.to_string(),
            error: error_detail(),
            attempts: claimed.attempt,
        },
        events,
        transition,
    }
}

pub(crate) fn letters_of(workflow: &CorrelationId) -> LetterFilter {
    LetterFilter {
        workflow: Some(workflow.clone()),
        ..LetterFilter::default()
    }
}

/// The first event of a workflow, for `step-0`.
pub(crate) fn started(workflow: &Workflow) -> Event {
    let payload = Payload::WorkflowStarted(WorkflowStarted {
        workflow_type: WorkflowType::Trading,
        requested_by: "test".to_owned(),
        configuration: workflow.configuration.clone(),
    });
    let event_type = payload.event_type();
    let mut event = event(&workflow.correlation_id, "step-0", 1);
    event.header.event_id = EventId::derive(&event.header.causation_id, "test", event_type, 0, 0);
    event.payload = payload;
    event
}

/// The claim, if it was to be had.
pub(crate) async fn claim(bus: &Bus, key: &DeliveryKey) -> Option<Claimed> {
    match bus.claim(key, LEASE).await.unwrap() {
        Claim::Acquired(claimed) => Some(claimed),
        Claim::Finished | Claim::NotNow => None,
    }
}

/// A clock that stands still until it is set.
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn new() -> Arc<Self> {
        let start = Timestamp::parse("2026-01-02T03:04:05Z").unwrap();
        Arc::new(Self(Mutex::new(start)))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.after(duration);
    }

    pub(crate) fn set(&self, now: &str) {
        *self.0.lock().unwrap() = Timestamp::parse(now).unwrap();
    }

    /// Goes so many seconds on, or back.
    pub(crate) fn shift(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        let shift = jiff::SignedDuration::from_secs(seconds);
        *now = Timestamp::new(now.instant().saturating_add(shift).unwrap());
    }

    pub(crate) fn go_back(&self, duration: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = Timestamp::new(now.instant().saturating_sub(duration).unwrap());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn open(path: &Path, clock: &Arc<ManualClock>) -> StateDirectory {
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    StateDirectory::open_with_clock(path, clock).unwrap()
}

/// In memory where there is such a place: most tests are not about the disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
