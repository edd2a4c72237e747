//! Deliveries, workflows, the ledger and the owner's letter box, in memory.

use super::Power;
use alchemiser_events::{BlobReference, CorrelationId, ErrorDetail, Event, Sha256Digest};
use alchemiser_rules::Routes;
use alchemiser_worker::{
    Blobs, Claim, Claimed, Commit, DeadLetter, Deliveries, DeliveryKey, Ledger, LedgerEntry,
    Message, Notifier, PluginCall, StoreError, Transition, Workflow, WorkflowState, Workflows,
};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// All stores of one worker.
pub(crate) struct Memory {
    pub(crate) power: Arc<Power>,
    routes: Arc<Routes>,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    events: Vec<Event>,
    deliveries: HashMap<DeliveryKey, Record>,
    workflows: Vec<Workflow>,
    /// What another process starts just before this one does.
    faster_start: Option<Workflow>,
    letters: Vec<DeadLetter>,
    calls: Vec<PluginCall>,
    renewals: u32,
    blobs: HashMap<Sha256Digest, Vec<u8>>,
    ledger: Vec<LedgerEntry>,
    messages: Vec<Message>,
}

#[derive(Clone, Default)]
struct Record {
    token: u64,
    claimed: bool,
    attempts: u32,
    failures: u32,
    age: Duration,
    end: Option<DeliveryEnd>,
    error: Option<ErrorDetail>,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryEnd {
    Done { remark: Option<String> },
    Dead,
}

impl Memory {
    pub(crate) fn new(routes: Arc<Routes>) -> Arc<Self> {
        Arc::new(Self {
            power: Power::new(),
            routes,
            content: Mutex::default(),
        })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    pub(crate) fn add_workflow(&self, workflow: &Workflow) {
        self.content().workflows.push(workflow.clone());
    }

    pub(crate) fn end_workflow(&self, workflow: &Workflow, state: WorkflowState) {
        let mut content = self.content();
        for found in &mut content.workflows {
            if found.correlation_id == workflow.correlation_id {
                found.state = state;
            }
        }
    }

    /// Has another process start this one just before this process starts any.
    pub(crate) fn start_before_the_next(&self, workflow: &Workflow) {
        self.content().faster_start = Some(workflow.clone());
    }

    pub(crate) fn add_delivery(&self, key: &DeliveryKey) {
        let record = Record::default();
        self.content().deliveries.insert(key.clone(), record);
    }

    /// Lets time pass for a delivery.
    pub(crate) fn age(&self, key: &DeliveryKey, age: Duration) {
        self.content().deliveries.get_mut(key).unwrap().age = age;
    }

    /// Forgets that a delivery was worked on, as if its commit had been lost.
    pub(crate) fn lose_commit(&self, key: &DeliveryKey) -> Vec<Event> {
        let mut content = self.content();
        content.deliveries.get_mut(key).unwrap().end = None;
        std::mem::take(&mut content.events)
    }

    /// Gives a claim whose owner was killed to whoever asks next.
    pub(crate) fn owner_is_gone(&self, key: &DeliveryKey) {
        self.content().deliveries.get_mut(key).unwrap().claimed = false;
    }

    /// How often a claim was renewed.
    pub(crate) fn renewals(&self) -> u32 {
        self.content().renewals
    }

    /// Loses all content that was kept.
    pub(crate) fn lose_blobs(&self) {
        self.content().blobs.clear();
    }

    pub(crate) fn set_state(&self, state: WorkflowState) {
        self.content().workflows[0].state = state;
    }

    pub(crate) fn workflow(&self) -> Workflow {
        self.content().workflows[0].clone()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.content().events.clone()
    }

    /// All deliveries, in the order of their events.
    pub(crate) fn deliveries(&self) -> Vec<(Event, DeliveryKey)> {
        let content = self.content();
        let mut deliveries = Vec::new();
        for event in &content.events {
            let keys = content.deliveries.keys();
            let mut keys: Vec<_> = keys
                .filter(|key| key.event_id == event.header.event_id)
                .collect();
            keys.sort_by_key(|key| key.target.as_str());
            deliveries.extend(keys.into_iter().map(|key| (event.clone(), key.clone())));
        }
        deliveries
    }

    /// Publishes an event that no delivery led to.
    pub(crate) fn publish(&self, event: Event) {
        let mut content = self.content();
        content.publish(vec![event], &self.routes).unwrap();
    }

    pub(crate) fn workflows(&self) -> Vec<Workflow> {
        self.content().workflows.clone()
    }

    pub(crate) fn end(&self, key: &DeliveryKey) -> Option<DeliveryEnd> {
        self.content().deliveries[key].end.clone()
    }

    pub(crate) fn error(&self, key: &DeliveryKey) -> Option<ErrorDetail> {
        self.content().deliveries[key].error.clone()
    }

    pub(crate) fn calls(&self) -> Vec<PluginCall> {
        self.content().calls.clone()
    }

    pub(crate) fn letters(&self) -> Vec<DeadLetter> {
        self.content().letters.clone()
    }

    pub(crate) fn ledger(&self) -> Vec<LedgerEntry> {
        self.content().ledger.clone()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.content().messages.clone()
    }
}

impl Content {
    fn publish(&mut self, events: Vec<Event>, routes: &Routes) -> Result<(), StoreError> {
        for event in events {
            let stored = self.events.iter().find(|stored| **stored == event);
            if let Some(stored) = stored {
                if stored.to_json() != event.to_json() {
                    return Err(StoreError::Contradiction(event.header.event_id));
                }
                continue;
            }
            for delivery in routes.deliveries(&event.envelope()) {
                let key = DeliveryKey {
                    event_id: event.header.event_id.clone(),
                    target: delivery.target.clone(),
                };
                self.deliveries.insert(key, Record::default());
            }
            self.events.push(event);
        }
        Ok(())
    }

    fn step_on(&mut self, transition: Option<Transition>) -> Result<(), StoreError> {
        let Some(transition) = transition else {
            return Ok(());
        };
        let workflow = self
            .workflows
            .iter_mut()
            .find(|workflow| workflow.correlation_id == transition.workflow)
            .filter(|workflow| transition.from.contains(&workflow.state))
            .ok_or_else(|| StoreError::Conflict("the workflow is elsewhere".to_owned()))?;
        workflow.state = transition.to;
        Ok(())
    }

    fn commit(
        &mut self,
        claimed: &Claimed,
        commit: Commit,
        routes: &Routes,
    ) -> Result<(), StoreError> {
        let record = self.deliveries.get_mut(&claimed.key).unwrap();
        if record.token != claimed.token {
            return Err(StoreError::Conflict("the claim was lost".to_owned()));
        }
        record.claimed = false;
        match commit {
            Commit::Done {
                events,
                transition,
                remark,
                calls,
            } => {
                record.end = Some(DeliveryEnd::Done { remark });
                self.calls.extend(calls);
                self.publish(events, routes)?;
                self.step_on(transition)
            }
            Commit::Retry { error, .. } => {
                record.failures += 1;
                record.error = Some(error);
                Ok(())
            }
            Commit::Dead {
                letter,
                events,
                transition,
            } => {
                record.end = Some(DeliveryEnd::Dead);
                self.letters.push(letter);
                self.publish(events, routes)?;
                self.step_on(transition)
            }
        }
    }
}

#[async_trait]
impl Deliveries for Memory {
    async fn claim(&self, key: &DeliveryKey, _lease: Duration) -> Result<Claim, StoreError> {
        let mut content = self.content();
        let record = content
            .deliveries
            .get_mut(key)
            .ok_or_else(|| StoreError::Unavailable(format!("there is no delivery {key}")))?;
        if record.end.is_some() {
            return Ok(Claim::Finished);
        }
        if record.claimed {
            return Ok(Claim::NotNow);
        }
        record.claimed = true;
        record.token += 1;
        record.attempts += 1;
        Ok(Claim::Acquired(Claimed {
            key: key.clone(),
            token: record.token,
            attempt: record.attempts,
            failures: record.failures,
            generation: 0,
            age: record.age,
        }))
    }

    async fn renew(&self, claimed: &Claimed, _lease: Duration) -> Result<bool, StoreError> {
        let mut content = self.content();
        content.renewals += 1;
        let record = &content.deliveries[&claimed.key];
        Ok(record.claimed && record.token == claimed.token)
    }

    async fn commit(&self, claimed: &Claimed, commit: Commit) -> Result<(), StoreError> {
        self.power.point().await;
        let mut content = self.content();
        let mut next = content.clone();
        let result = next.commit(claimed, commit, &self.routes);
        match &result {
            Ok(()) => *content = next,
            Err(StoreError::Conflict(_)) => {
                let record = content.deliveries.get_mut(&claimed.key).unwrap();
                record.claimed &= record.token != claimed.token;
            }
            Err(_) => {}
        }
        result
    }
}

#[async_trait]
impl Workflows for Memory {
    async fn find(&self, workflow: &CorrelationId) -> Result<Option<Workflow>, StoreError> {
        let content = self.content();
        let mut workflows = content.workflows.iter();
        Ok(workflows
            .find(|found| found.correlation_id == *workflow)
            .cloned())
    }

    async fn of_account(&self, account: &str) -> Result<Vec<Workflow>, StoreError> {
        let content = self.content();
        let workflows = content.workflows.iter();
        Ok(workflows
            .filter(|workflow| workflow.account.as_str() == account)
            .cloned()
            .collect())
    }

    async fn start(
        &self,
        workflow: &Workflow,
        event: &Event,
        seen: usize,
    ) -> Result<bool, StoreError> {
        let faster = self.content().faster_start.take();
        if let Some(faster) = faster {
            self.add_workflow(&faster);
        }
        let existing = self.of_account(workflow.account.as_str()).await?;
        if existing.len() != seen || existing.iter().any(|found| !found.state.is_terminal()) {
            return Ok(false);
        }
        self.add_workflow(workflow);
        self.content().publish(vec![event.clone()], &self.routes)?;
        Ok(true)
    }

    async fn begin_orders(&self, workflow: &CorrelationId) -> Result<bool, StoreError> {
        self.power.point().await;
        let moved = self
            .content()
            .workflows
            .iter_mut()
            .filter(|found| found.correlation_id == *workflow)
            .find(|found| {
                found.state == WorkflowState::Planned
                    || (found.state == WorkflowState::Executing && found.orders_sent)
            })
            .map(|workflow| {
                workflow.state = WorkflowState::Executing;
                workflow.orders_sent = true;
            })
            .is_some();
        self.power.point().await;
        Ok(moved)
    }
}

#[async_trait]
impl Blobs for Memory {
    async fn put(&self, content: &[u8]) -> Result<BlobReference, StoreError> {
        let reference = BlobReference::to(content);
        let mut stored = self.content();
        stored.blobs.insert(reference.sha256, content.to_vec());
        Ok(reference)
    }

    async fn get(&self, reference: &BlobReference) -> Result<Vec<u8>, StoreError> {
        let stored = self.content();
        let content = stored.blobs.get(&reference.sha256).cloned();
        content.ok_or_else(|| StoreError::Damaged(format!("`{}` is missing", reference.sha256)))
    }
}

#[async_trait]
impl Ledger for Memory {
    async fn record(&self, entry: &LedgerEntry) -> Result<(), StoreError> {
        self.power.point().await;
        {
            let mut content = self.content();
            let name = &entry.order.client_order_id;
            let is_there = content
                .ledger
                .iter()
                .any(|there| there.order.client_order_id == *name);
            if !is_there {
                content.ledger.push(entry.clone());
            }
        }
        self.power.point().await;
        Ok(())
    }

    async fn of_workflow(&self, workflow: &CorrelationId) -> Result<Vec<LedgerEntry>, StoreError> {
        let content = self.content();
        let entries = content.ledger.iter();
        Ok(entries
            .filter(|entry| entry.correlation_id == *workflow)
            .cloned()
            .collect())
    }
}

#[async_trait]
impl Notifier for Memory {
    async fn deliver(&self, message: &Message) -> Result<(), StoreError> {
        self.content().messages.push(message.clone());
        Ok(())
    }
}
