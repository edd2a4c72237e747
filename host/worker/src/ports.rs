//! What the worker needs from the machine it runs on. Each port has one
//! adapter for each kind of machine.

use crate::handler::PluginCall;
use crate::workflow::{Workflow, WorkflowState};
use alchemiser_events::{
    BlobReference, CorrelationId, ErrorDetail, Event, EventId, PayloadTooLarge,
};
use alchemiser_rules::TargetName;
use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

/// One event on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryKey {
    /// What is delivered.
    pub event_id: EventId,
    /// To whom.
    pub target: TargetName,
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} → {}", self.event_id, self.target)
    }
}

/// Who may work on a delivery, and how it ends.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Takes the delivery for this worker until `lease` has passed. A claim
    /// whose owner is gone is taken over at once.
    async fn claim(&self, key: &DeliveryKey, lease: Duration) -> Result<Claim, StoreError>;

    /// Keeps the delivery for this worker until `lease` has passed from now,
    /// and answers whether the claim is still ours.
    async fn renew(&self, claimed: &Claimed, lease: Duration) -> Result<bool, StoreError>;

    /// Ends a claim. Everything in `commit` happens, or nothing does:
    /// [`StoreError::Conflict`] when the claim was lost or the workflow is not
    /// in the expected state, and then the delivery is as before.
    async fn commit(&self, claimed: &Claimed, commit: Commit) -> Result<(), StoreError>;
}

/// The answer to a wish to work on a delivery.
#[derive(Clone, Debug)]
pub enum Claim {
    /// It is ours.
    Acquired(Claimed),
    /// It ended before; its events are out.
    Finished,
    /// Somebody else works on it, or it waits for its next attempt.
    NotNow,
}

/// A delivery that is ours until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Which delivery.
    pub key: DeliveryKey,
    /// Proves the claim: changes with every claim of the delivery.
    pub token: u64,
    /// How often it was claimed, this time included.
    pub attempt: u32,
    /// How many attempts ended in an error. One that was cut short by a crash
    /// is not among them: it says nothing about the delivery.
    pub failures: u32,
    /// How often it was redriven after its final failure.
    pub generation: u32,
    /// Time since the event was sent to the target: when it was published,
    /// redriven or replayed.
    pub age: Duration,
}

/// How a claim ends.
#[derive(Clone, Debug)]
pub enum Commit {
    /// The step was taken: publish what it emitted, move the workflow on.
    Done {
        /// To publish.
        events: Vec<Event>,
        /// The workflow's move.
        transition: Option<Transition>,
        /// Why nothing was done, if nothing was.
        remark: Option<String>,
        /// The plugins that were asked.
        calls: Vec<PluginCall>,
    },
    /// The attempt failed; there will be another after `delay`.
    Retry {
        /// Why it failed.
        error: ErrorDetail,
        /// How long to wait.
        delay: Duration,
    },
    /// There will be no further attempt: keep the letter, publish that the
    /// workflow failed, and say so in its state.
    Dead {
        /// What could not be delivered, and why.
        letter: DeadLetter,
        /// To publish.
        events: Vec<Event>,
        /// The workflow's move.
        transition: Option<Transition>,
    },
}

/// A workflow's move from one state to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Whose.
    pub workflow: CorrelationId,
    /// Where it must be.
    pub from: Vec<WorkflowState>,
    /// Where it goes.
    pub to: WorkflowState,
}

/// A delivery that failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which delivery.
    pub key: DeliveryKey,
    /// The rule that gave its retry policy.
    pub rule: String,
    /// Why it failed the last time.
    pub error: ErrorDetail,
    /// How often it was tried.
    pub attempts: u32,
}

/// The workflows.
#[async_trait]
pub trait Workflows: Send + Sync {
    /// A workflow by its name.
    async fn find(&self, workflow: &CorrelationId) -> Result<Option<Workflow>, StoreError>;

    /// All workflows of an account, the oldest first.
    async fn of_account(&self, account: &str) -> Result<Vec<Workflow>, StoreError>;

    /// Stores a new workflow and publishes its first event, both or neither.
    ///
    /// Answers false, and does neither, when the account has other workflows
    /// than the `seen` ones by now, or one that has not ended: then whoever
    /// asks has decided on a past that changed meanwhile.
    async fn start(
        &self,
        workflow: &Workflow,
        event: &Event,
        seen: usize,
    ) -> Result<bool, StoreError>;

    /// Moves a workflow on ahead of the commit, and notes that orders may be
    /// sent from here on. Answers whether it was, or already had been, moved.
    async fn begin_orders(&self, workflow: &CorrelationId) -> Result<bool, StoreError>;
}

/// Content too large for an event, or needed to explain one, named by its
/// digest.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps some content. Keeping it twice is the same as once.
    async fn put(&self, content: &[u8]) -> Result<BlobReference, StoreError>;

    /// The content, checked against its digest: [`StoreError::Damaged`] if it
    /// is not there or not what was kept.
    async fn get(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError>;
}

/// Tells the owner.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Delivers a message. The message's identifier is derived, so that a
    /// second delivery can be recognised.
    async fn deliver(&self, message: &Message) -> Result<(), StoreError>;
}

/// Something to tell the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event that asked for it.
    pub id: EventId,
    /// One line.
    pub subject: String,
    /// The whole, as plain text.
    pub text: String,
}

/// A port could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was first; nothing was changed.
    #[error("somebody else changed it first: {0}")]
    Conflict(String),
    /// An event of that identifier with other content is there already. The
    /// handler that made it is not deterministic.
    #[error("event `{0}` is stored with other content: its handler gave two different answers")]
    Contradiction(EventId),
    /// An event to publish does not fit into the transport, packed or not.
    #[error(transparent)]
    TooLarge(#[from] PayloadTooLarge),
    /// The content is missing or not what its digest says.
    #[error("{0}")]
    Damaged(String),
    /// The store could not be read or written.
    #[error("{0}")]
    Unavailable(String),
    /// The store cannot be used until somebody puts its machine right: the
    /// disk is full, read-only or damaged. Says what to do.
    #[error("{0}")]
    Unusable(String),
}
