//! The envelope of every event, and its form on the wire.

use crate::digest::{BlobReference, Sha256Digest};
use crate::identifiers::{CausationId, CorrelationId, EventId};
use crate::payload::Payload;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// An event: who it is and why it exists, and what it says. Two events are the
/// same when their identifiers are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Identity and causality.
    #[serde(flatten)]
    pub header: Header,
    /// What happened.
    #[serde(flatten)]
    pub payload: Payload,
}

/// Identity and causality of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The workflow run.
    pub correlation_id: CorrelationId,
    /// The event or command that directly led here.
    pub causation_id: CausationId,
    /// Derived from the cause; what duplicates are recognised by.
    pub event_id: EventId,
    /// The workflow's clock.
    pub timestamp: Timestamp,
    /// Who emitted it.
    pub source_module: Source,
    /// Finer origin, for people.
    pub source_component: Option<String>,
    /// Version of the event's form.
    #[serde(default)]
    pub schema_version: SchemaVersion,
    /// One more than the cause's, plus the position among its siblings.
    /// Informative: order is decided by the workflow's state.
    pub sequence: u32,
    /// The plugin whose answer this is, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_by: Option<ProducedBy>,
    /// The exact question that the plugin was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_ref: Option<BlobReference>,
}

/// The build of the plugin that gave an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducedBy {
    /// The plugin's name.
    pub plugin: String,
    /// Version of the plugin interface that it was built for.
    pub version: String,
    /// Digest of its component: its identity.
    pub sha256: Sha256Digest,
}

/// Who publishes events. On the wire the name is prefixed with `alchemiser.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Starts workflows and closes them.
    Orchestration,
    /// Turns prices into weights.
    Strategy,
    /// Turns weights into a plan.
    Portfolio,
    /// Turns a plan into orders.
    Execution,
    /// Tells the owner.
    Notifications,
}

/// The types of event, by their names on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// A workflow began.
    WorkflowStarted,
    /// Strategies gave target weights.
    SignalGenerated,
    /// The portfolio made a plan.
    RebalancePlanned,
    /// Orders were sent, or none were needed.
    TradeExecuted,
    /// The workflow reached its goal.
    WorkflowCompleted,
    /// The workflow cannot go on.
    WorkflowFailed,
    /// The owner is to be told how a workflow ended.
    TradingNotificationRequested,
    /// The owner is to be told of an error outside a workflow.
    ErrorNotificationRequested,
    /// The owner is to be told something else.
    SystemNotificationRequested,
}

/// Not one of the nine types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an event type")]
pub struct UnknownEventType(String);

/// `major.minor`. A newer minor version may add fields, which are ignored; an
/// unknown major version is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemaVersion {
    minor: u32,
}

/// A message from the bus that is not one of our events.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// `detail` is missing or is no event.
    #[error("the event does not have the form of its type: {0}")]
    Form(#[from] serde_json::Error),
    /// `detail-type` and the event disagree.
    #[error("detail-type is `{detail_type}` and the event says `{event_type}`")]
    Type {
        /// What the envelope says.
        detail_type: String,
        /// What the event says.
        event_type: EventType,
    },
    /// `source` and the event disagree.
    #[error("source is `{source_name}` and the event says `{expected}`")]
    Source {
        /// What the envelope says.
        source_name: String,
        /// What the event says.
        expected: String,
    },
    /// Nobody but the type's own producers may emit it.
    #[error("{event_type} may not come from `{source_name}`")]
    Producer {
        /// The type.
        event_type: EventType,
        /// Who sent it.
        source_name: String,
    },
}

impl Event {
    /// Its type.
    pub fn event_type(&self) -> EventType {
        self.payload.event_type()
    }

    /// The event as JSON text. Equal events give equal bytes: fields come in
    /// the order of their declaration, maps in the order of their keys.
    pub fn to_json(&self) -> String {
        // Maps have text keys and no value fails to serialise, which are the
        // only errors that serde_json can meet here; the property test over
        // all types holds this.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The event in the form in which EventBridge delivers it and rules match
    /// it.
    pub fn envelope(&self) -> Value {
        envelope(&self.header, self.event_type(), json!(self))
    }

    /// Reads an event out of an envelope, and refuses one whose envelope and
    /// content disagree or whose producer may not emit it.
    pub fn from_envelope(envelope: &Value) -> Result<Self, EnvelopeError> {
        let event = Self::deserialize(&envelope["detail"])?;
        let text = |field: &str| envelope[field].as_str().unwrap_or_default().to_owned();

        let event_type = event.event_type();
        if text("detail-type") != event_type.name() {
            return Err(EnvelopeError::Type {
                detail_type: text("detail-type"),
                event_type,
            });
        }
        let source = event.header.source_module;
        if text("source") != source.wire_name() {
            return Err(EnvelopeError::Source {
                source_name: text("source"),
                expected: source.wire_name(),
            });
        }
        event.check_producer()?;
        Ok(event)
    }

    /// Refuses an event that its source may not emit.
    pub fn check_producer(&self) -> Result<(), EnvelopeError> {
        check_producer(self.event_type(), self.header.source_module)
    }
}

impl Header {
    /// What EventBridge shows of an event besides what it says.
    pub(crate) fn resources(&self) -> [String; 2] {
        [
            format!("correlation:{}", self.correlation_id),
            format!("causation:{}", self.causation_id),
        ]
    }
}

/// An event in the form in which EventBridge delivers it.
pub(crate) fn envelope(header: &Header, event_type: EventType, detail: Value) -> Value {
    json!({
        "version": "0",
        "id": header.event_id,
        "detail-type": event_type,
        "source": header.source_module.wire_name(),
        "account": "local",
        "time": header.timestamp,
        "region": "local",
        "resources": header.resources(),
        "detail": detail,
    })
}

pub(crate) fn check_producer(event_type: EventType, source: Source) -> Result<(), EnvelopeError> {
    if event_type.producers().contains(&source) {
        Ok(())
    } else {
        Err(EnvelopeError::Producer {
            event_type,
            source_name: source.wire_name(),
        })
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.header.event_id == other.header.event_id
    }
}

impl Eq for Event {}

impl Source {
    /// All sources.
    pub const ALL: [Self; 5] = [
        Self::Orchestration,
        Self::Strategy,
        Self::Portfolio,
        Self::Execution,
        Self::Notifications,
    ];

    /// The short name, as in `source_module`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestration => "orchestration",
            Self::Strategy => "strategy",
            Self::Portfolio => "portfolio",
            Self::Execution => "execution",
            Self::Notifications => "notifications",
        }
    }

    /// The name on the wire, which rules match.
    pub fn wire_name(self) -> String {
        format!("alchemiser.{}", self.name())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl EventType {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::WorkflowStarted,
        Self::SignalGenerated,
        Self::RebalancePlanned,
        Self::TradeExecuted,
        Self::WorkflowCompleted,
        Self::WorkflowFailed,
        Self::TradingNotificationRequested,
        Self::ErrorNotificationRequested,
        Self::SystemNotificationRequested,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkflowStarted => "WorkflowStarted",
            Self::SignalGenerated => "SignalGenerated",
            Self::RebalancePlanned => "RebalancePlanned",
            Self::TradeExecuted => "TradeExecuted",
            Self::WorkflowCompleted => "WorkflowCompleted",
            Self::WorkflowFailed => "WorkflowFailed",
            Self::TradingNotificationRequested => "TradingNotificationRequested",
            Self::ErrorNotificationRequested => "ErrorNotificationRequested",
            Self::SystemNotificationRequested => "SystemNotificationRequested",
        }
    }

    /// What the type's identifiers begin with.
    pub fn kebab_case(self) -> &'static str {
        match self {
            Self::WorkflowStarted => "workflow-started",
            Self::SignalGenerated => "signal-generated",
            Self::RebalancePlanned => "rebalance-planned",
            Self::TradeExecuted => "trade-executed",
            Self::WorkflowCompleted => "workflow-completed",
            Self::WorkflowFailed => "workflow-failed",
            Self::TradingNotificationRequested => "trading-notification",
            Self::ErrorNotificationRequested => "error-notification",
            Self::SystemNotificationRequested => "system-notification",
        }
    }

    /// Who may emit it.
    pub fn producers(self) -> &'static [Source] {
        match self {
            Self::WorkflowStarted
            | Self::WorkflowCompleted
            | Self::TradingNotificationRequested => &[Source::Orchestration],
            Self::SignalGenerated => &[Source::Strategy],
            Self::RebalancePlanned => &[Source::Portfolio],
            Self::TradeExecuted => &[Source::Execution],
            Self::WorkflowFailed => &[
                Source::Strategy,
                Source::Portfolio,
                Source::Execution,
                Source::Orchestration,
            ],
            Self::ErrorNotificationRequested | Self::SystemNotificationRequested => &Source::ALL,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;

    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        Self::ALL
            .into_iter()
            .find(|event_type| event_type.name() == text)
            .ok_or_else(|| UnknownEventType(text.to_owned()))
    }
}

impl SchemaVersion {
    /// The major version that this worker speaks.
    const MAJOR: u32 = 1;
}

impl TryFrom<String> for SchemaVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        match parts {
            Some((Self::MAJOR, minor)) => Ok(Self { minor }),
            Some((major, _)) => Err(format!(
                "schema version {text}: major version {major} is not known here, only {}",
                Self::MAJOR
            )),
            None => Err(format!("`{text}` is not a schema version such as `1.0`")),
        }
    }
}

impl From<SchemaVersion> for String {
    fn from(version: SchemaVersion) -> Self {
        format!("{}.{}", SchemaVersion::MAJOR, version.minor)
    }
}
