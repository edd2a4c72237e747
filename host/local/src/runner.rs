//! Works deliveries off: finds those that are due and hands them to the
//! dispatcher, several at a time.

use crate::bus::{Bus, Due, Look, Scope};
use alchemiser_events::{CorrelationId, Transported};
use alchemiser_rules::TargetName;
use alchemiser_worker::{DeliveryKey, Dispatched, Dispatcher, StoreError};
use async_trait::async_trait;
use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// How often to look for what other processes did. What this process does is
/// seen at once.
const POLL: Duration = Duration::from_millis(100);

/// Deliveries read ahead, for each that is worked on at a time.
const READ_AHEAD: usize = 4;

/// Works on a delivery, once: claims it, runs its handler, commits.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// An error means that the stores could not be used.
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError>;
}

#[async_trait]
impl Dispatch for Dispatcher {
    async fn dispatch(
        &self,
        event: &Transported,
        target: &TargetName,
    ) -> Result<Dispatched, StoreError> {
        Dispatcher::dispatch(self, event, target).await
    }
}

/// Hands due deliveries to the dispatcher.
pub struct Runner {
    bus: Bus,
    dispatch: Arc<dyn Dispatch>,
    concurrency: usize,
}

impl Runner {
    /// A runner that works on `concurrency` deliveries at a time, at least one.
    pub fn new(bus: Bus, dispatch: Arc<dyn Dispatch>, concurrency: usize) -> Self {
        Self {
            bus,
            dispatch,
            concurrency: concurrency.max(1),
        }
    }

    /// Works on a workflow until none of its deliveries is open, whoever ends
    /// the last one. Waits for those that are to be tried again.
    ///
    /// # Errors
    ///
    /// When the stores cannot be used. What was begun by then has ended.
    pub async fn run_workflow(&self, workflow: &CorrelationId) -> Result<(), StoreError> {
        let scope = Scope::Workflow(workflow.clone());
        self.run(scope, std::future::pending()).await
    }

    /// Works on whatever is due, until `shutdown` is ready and what was begun
    /// by then has ended.
    ///
    /// # Errors
    ///
    /// As for [`Runner::run_workflow`].
    pub async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Result<(), StoreError> {
        self.run(Scope::All, shutdown).await
    }

    async fn run(
        &self,
        scope: Scope,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), StoreError> {
        let mut shift = Shift {
            changes: self.bus.watch_due(),
            runner: self,
            ready: VecDeque::new(),
            running: JoinSet::new(),
            known: HashSet::new(),
        };
        let result = shift.work(&scope, shutdown).await;
        // Also after an error: what was begun is to end in its own way.
        let rest = shift.finish().await;
        result.and(rest)
    }
}

type Ended = (DeliveryKey, Result<Dispatched, StoreError>);

/// One run of a runner.
struct Shift<'a> {
    runner: &'a Runner,
    changes: watch::Receiver<()>,
    /// Found and not begun.
    ready: VecDeque<Due>,
    running: JoinSet<Ended>,
    /// Those of `ready` and `running`, not to be found a second time.
    known: HashSet<DeliveryKey>,
}

impl Shift<'_> {
    async fn work(
        &mut self,
        scope: &Scope,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), StoreError> {
        tokio::pin!(shutdown);
        let mut look_again = true;
        let mut next_due = None;
        loop {
            if self.ready.is_empty() && look_again {
                let look = self.look(scope).await?;
                if look.is_finished {
                    return Ok(());
                }
                next_due = look.next_due;
                // There may be more where these come from.
                look_again = !self.ready.is_empty();
            }
            self.begin();

            let pause = next_due.unwrap_or(POLL).min(POLL);
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(ended) = self.running.join_next() => {
                    self.end(ended)?;
                    look_again |= self.running.is_empty();
                }
                // The sender lives in the bus, which is borrowed here.
                _ = self.changes.changed() => look_again = true,
                () = tokio::time::sleep(pause) => look_again = true,
            }
        }
    }

    /// Finds what is due and not known yet.
    async fn look(&mut self, scope: &Scope) -> Result<Look, StoreError> {
        self.changes.mark_unchanged();
        let wanted = self.known.len() + self.runner.concurrency * READ_AHEAD;
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX);
        let mut look = self.runner.bus.look(scope, limit).await?;
        for due in look.due.drain(..) {
            if self.known.insert(key(&due)) {
                self.ready.push_back(due);
            }
        }
        Ok(look)
    }

    /// Begins as many as may be worked on at a time.
    fn begin(&mut self) {
        while self.running.len() < self.runner.concurrency
            && let Some(due) = self.ready.pop_front()
        {
            let dispatch = Arc::clone(&self.runner.dispatch);
            self.running.spawn(async move {
                let result = dispatch.dispatch(&due.event, &due.target).await;
                (key(&due), result)
            });
        }
    }

    fn end(&mut self, ended: Result<Ended, JoinError>) -> Result<(), StoreError> {
        match ended {
            Ok((key, result)) => {
                self.known.remove(&key);
                result.map(|_| ())
            }
            // A panic is a mistake in the program; it goes on as if there were
            // no task in between.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => Err(StoreError::Unavailable(cancelled.to_string())),
            },
        }
    }

    async fn finish(&mut self) -> Result<(), StoreError> {
        let mut result = Ok(());
        while let Some(ended) = self.running.join_next().await {
            result = result.and(self.end(ended));
        }
        result
    }
}

fn key(due: &Due) -> DeliveryKey {
    DeliveryKey {
        event_id: due.event.header().event_id.clone(),
        target: due.target.clone(),
    }
}
