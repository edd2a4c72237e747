//! What a handler is, and what it may say.

use crate::failure::Failure;
use crate::ports::Claimed;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{
    BlobReference, CausationId, Event, EventId, EventType, Header, Payload, ProducedBy,
    SchemaVersion, Sha256Digest, Source, Timestamp, WorkflowStep,
};
use alchemiser_rules::{EventKind, Flow, TargetName};
use alchemiser_sandbox::Plugin;
use async_trait::async_trait;
use std::time::{Duration, Instant};

/// Takes the steps of one target.
#[async_trait]
pub trait Handler: Send + Sync {
    /// What it takes and may emit.
    fn declaration(&self) -> &'static Declaration;

    /// Takes a step. Called again for the same event after a crash or a
    /// transient failure, so outside effects must bear derived names.
    async fn handle(&self, event: &Event, context: &Context<'_>) -> Result<Outcome, Failure>;
}

/// What a handler takes and may emit, known before it is made.
#[derive(Debug)]
pub struct Declaration {
    /// The name that routes use.
    pub target: &'static str,
    /// Who the emitted events come from.
    pub source: Source,
    /// Where in a workflow a failure here happened.
    pub workflow_step: WorkflowStep,
    /// Whether it acts outside the worker: sends orders, tells people. A
    /// replay passes it by unless it is told not to.
    pub acts: bool,
    /// One for each type of event that it takes.
    pub steps: &'static [Step],
}

impl Declaration {
    /// The step for a type of event, if the handler takes it.
    pub fn step(&self, event_type: EventType) -> Option<&Step> {
        self.steps.iter().find(|step| step.takes == event_type)
    }
}

/// A step that a handler takes.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// For which type of event.
    pub takes: EventType,
    /// In which states the workflow must be; empty means that it does not
    /// matter.
    pub expects: &'static [WorkflowState],
    /// What may be emitted, `WorkflowFailed` of a final failure included.
    pub emits: &'static [EventType],
}

/// What a handler may know besides the event.
pub struct Context<'a> {
    /// The event's workflow, if it belongs to one.
    pub workflow: Option<&'a Workflow>,
    /// The delivery being handled.
    pub claimed: &'a Claimed,
}

impl Context<'_> {
    /// The workflow, which events of a workflow always have.
    pub fn workflow(&self) -> Result<&Workflow, Failure> {
        self.workflow.ok_or_else(|| {
            Failure::permanent(
                "UnknownWorkflow",
                "the event belongs to no workflow known here",
            )
        })
    }
}

/// What a step leads to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// To publish, in this order.
    pub emissions: Vec<Emission>,
    /// The workflow's next state.
    pub next: Option<WorkflowState>,
    /// Why nothing was done, if nothing was.
    pub remark: Option<String>,
    /// The plugins that were asked, in the order of the book.
    pub calls: Vec<PluginCall>,
}

/// A plugin was asked, and how long that took by the system clock. It is kept
/// beside the delivery and enters no event: two equal runs take different times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginCall {
    /// Its name.
    pub plugin: String,
    /// Which build of it.
    pub sha256: Sha256Digest,
    /// From the reading of its parameters to its answer, without the time that
    /// prices took to come.
    pub duration: Duration,
}

impl PluginCall {
    /// A call of this plugin.
    pub fn of(plugin: &Plugin, duration: Duration) -> Self {
        Self {
            plugin: plugin.name().to_owned(),
            sha256: plugin.digest(),
            duration,
        }
    }
}

/// Does something, and says how long it took.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

/// One event to publish; the dispatcher adds identity and causality.
#[derive(Clone, Debug)]
pub struct Emission {
    /// What it says.
    pub payload: Payload,
    /// The plugin whose answer it is.
    pub produced_by: Option<ProducedBy>,
    /// The question that the plugin was asked.
    pub inputs_ref: Option<BlobReference>,
}

impl From<Payload> for Emission {
    fn from(payload: Payload) -> Self {
        Self {
            payload,
            produced_by: None,
            inputs_ref: None,
        }
    }
}

impl Outcome {
    /// One event, and the workflow's next state.
    pub fn emit(emission: impl Into<Emission>, next: Option<WorkflowState>) -> Self {
        Self {
            emissions: vec![emission.into()],
            next,
            ..Self::default()
        }
    }

    /// Nothing to do, and why.
    pub fn nothing(remark: impl Into<String>) -> Self {
        Self {
            remark: Some(remark.into()),
            ..Self::default()
        }
    }
}

/// Gives emissions their identity: derived from the cause, so that handling
/// the cause a second time gives the same events to the byte.
pub(crate) fn publishable(
    emissions: Vec<Emission>,
    cause: &Header,
    timestamp: Timestamp,
    handler: &Declaration,
    generation: u32,
) -> Vec<Event> {
    let causation_id = CausationId::from(&cause.event_id);
    (0_u32..)
        .zip(emissions)
        .map(|(ordinal, emission)| Event {
            header: Header {
                correlation_id: cause.correlation_id.clone(),
                event_id: EventId::derive(
                    &causation_id,
                    handler.target,
                    emission.payload.event_type(),
                    ordinal,
                    generation,
                ),
                causation_id: causation_id.clone(),
                timestamp,
                source_module: handler.source,
                source_component: Some(handler.target.to_owned()),
                schema_version: SchemaVersion::default(),
                sequence: cause.sequence + 1 + ordinal,
                produced_by: emission.produced_by,
                inputs_ref: emission.inputs_ref,
            },
            payload: emission.payload,
        })
        .collect()
}

/// What handlers declare, in the form in which routes are checked against it.
pub fn flow(handlers: &[&Declaration]) -> Flow {
    let kind = |source: Source, event_type: EventType| {
        EventKind::new(source.wire_name(), event_type.name())
    };
    let mut steps = Vec::new();
    for handler in handlers {
        let Ok(target) = TargetName::new(handler.target) else {
            continue;
        };
        for step in handler.steps {
            let emits: Vec<EventKind> = step
                .emits
                .iter()
                .map(|emitted| kind(handler.source, *emitted))
                .collect();
            steps.extend(
                step.takes
                    .producers()
                    .iter()
                    .map(|source| alchemiser_rules::Step {
                        input: kind(*source, step.takes),
                        target: target.clone(),
                        emits: emits.clone(),
                    }),
            );
        }
    }
    Flow {
        steps,
        commands: vec![
            kind(Source::Orchestration, EventType::WorkflowStarted),
            kind(Source::Orchestration, EventType::ErrorNotificationRequested),
            kind(
                Source::Orchestration,
                EventType::SystemNotificationRequested,
            ),
        ],
        terminal: vec![kind(Source::Orchestration, EventType::WorkflowCompleted)],
    }
}
