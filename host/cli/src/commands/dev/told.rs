//! Hands deliveries to the dispatcher of the moment, and tells what became of
//! them.

use super::teller::Teller;
use alchemiser_events::{EventType, Transported};
use alchemiser_local::{Bus, Dispatch};
use alchemiser_rules::TargetName;
use alchemiser_worker::{Dispatched, Dispatcher, StoreError, WorkflowState, Workflows as _};
use async_trait::async_trait;
use serde_json::json;
use std::sync::{Arc, PoisonError, RwLock};

/// Tells what becomes of each delivery.
pub(super) struct Told {
    dispatcher: RwLock<Arc<Dispatcher>>,
    bus: Bus,
    teller: Teller,
}

impl Told {
    pub(super) fn new(dispatcher: Dispatcher, bus: Bus, teller: Teller) -> Self {
        Self {
            dispatcher: RwLock::new(Arc::new(dispatcher)),
            bus,
            teller,
        }
    }

    /// From here on another dispatcher works on deliveries. Those that have
    /// begun end with the one that they began with.
    pub(super) fn replace(&self, dispatcher: Dispatcher) {
        let dispatcher = Arc::new(dispatcher);
        *self
            .dispatcher
            .write()
            .unwrap_or_else(PoisonError::into_inner) = dispatcher;
    }

    fn dispatcher(&self) -> Arc<Dispatcher> {
        // Nobody panics while holding the lock, and an `Arc` is whole anyway.
        Arc::clone(
            &self
                .dispatcher
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

#[async_trait]
impl Dispatch for Told {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        let dispatched = self.dispatcher().dispatch(event, target).await?;
        let (how, outcome) = match dispatched {
            Dispatched::Done => ("", "done"),
            Dispatched::Retry => (": failed, will be tried again", "retry"),
            Dispatched::Dead => (": failed, `alchemiser dlq list` says why", "dead"),
            Dispatched::Finished | Dispatched::NotNow => return Ok(dispatched),
        };
        let workflow = &event.header().correlation_id;
        let event_type = event.event_type();
        self.teller.tell(
            &format!("{workflow}: {event_type} → {target}{how}"),
            json!({
                "happened": "handled",
                "workflow": workflow,
                "event_type": event_type,
                "event_id": event.header().event_id,
                "target": target,
                "outcome": outcome,
            }),
        );
        if dispatched == Dispatched::Done
            && let Some(state) = self.end(event).await?
        {
            let happened = json!({"happened": "ended", "workflow": workflow, "state": state});
            self.teller.tell(&format!("{workflow}: {state}"), happened);
        }
        Ok(dispatched)
    }
}

impl Told {
    /// The end of a workflow, if handling an event was it. Each ends with one
    /// of these two.
    async fn end(&self, event: &Transported) -> Result<Option<WorkflowState>, StoreError> {
        let ends = match event.event_type() {
            EventType::TradeExecuted => WorkflowState::Completed,
            EventType::WorkflowFailed => WorkflowState::Failed,
            _ => return Ok(None),
        };
        let workflow = self.bus.find(&event.header().correlation_id).await?;
        let state = workflow.map(|workflow| workflow.state);
        Ok(state.filter(|state| *state == ends))
    }
}
