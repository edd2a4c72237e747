//! The durable event bus: events in, deliveries out.
//!
//! Publishing an event stores it and its deliveries in one transaction. A
//! delivery is *pending* until it is due and somebody claims it, *claimed*
//! while somebody works on it, and ends *done* or *dead*.

mod claim;
mod commit;
mod letters;
mod look;
mod prune;
mod publish;
mod replay;
mod schedules;
mod workflows;

pub use letters::Redrive;
pub(crate) use look::{Due, Look, Scope};
pub use replay::{Fate, Replay, Replayed};
pub(crate) use schedules::{ALL as ALL_SCHEDULES, Known, Settlement, read_schedule};
pub use schedules::{LastTime, Outcome, ScheduleRecord};
pub(crate) use workflows::{FIND as FIND_WORKFLOW, read_workflow, workflow_columns};

use crate::database::{Database, Durability, collect, execute, micros, transported};
use crate::directory::State;
use alchemiser_events::{
    AccountName, CorrelationId, DEFAULT_LARGEST_ENTRY, Event, Timestamp, Transported,
};
use alchemiser_rules::Routes;
use alchemiser_worker::{Blobs as _, Claim, Claimed, Commit, Deliveries, DeliveryKey, StoreError};
use async_trait::async_trait;
use publish::{Publication, Routed};
use rusqlite::Row;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The event bus of a state directory, with the workflows that are on it.
#[derive(Clone)]
pub struct Bus {
    state: Arc<State>,
    routes: Arc<Routes>,
    largest_entry: usize,
}

impl Bus {
    pub(crate) fn new(state: Arc<State>, routes: Arc<Routes>) -> Self {
        Self {
            state,
            routes,
            largest_entry: DEFAULT_LARGEST_ENTRY,
        }
    }

    /// The same bus, packing what it publishes to fit into entries of so many
    /// bytes, which is one of [`alchemiser_events::LARGEST_ENTRY`].
    #[must_use]
    pub fn with_largest_entry(self, bytes: usize) -> Self {
        Self {
            largest_entry: bytes,
            ..self
        }
    }

    /// Publishes events that no delivery led to: all of them, or none. An event
    /// that is there already is not published again.
    pub async fn publish(&self, events: &[Event]) -> Result<(), StoreError> {
        let publications = self.prepare(events).await?;
        let now = self.now();
        self.database()
            .write(Durability::Flushed, move |connection| {
                publish::store(connection, &publications, now)
            })
            .await?;
        self.tell_due();
        Ok(())
    }

    /// Routes the events of a workflow once more, and answers how many
    /// deliveries that adds. They are those that the routes of the time left
    /// out; a delivery that is there already stays as it is.
    pub async fn route_again(&self, workflow: &CorrelationId) -> Result<usize, StoreError> {
        let workflow = workflow.clone();
        let events: Vec<Transported> = self
            .database()
            .read(move |connection| {
                let of_workflow = [workflow.as_str()];
                let body = |row: &Row<'_>| transported(row, "body");
                Ok(collect(
                    connection,
                    publish::BODIES_OF_WORKFLOW,
                    of_workflow,
                    body,
                )?)
            })
            .await?;
        let routed: Vec<Routed> = events
            .iter()
            .map(|event| Routed::of(event.header(), &event.envelope(), &self.routes))
            .collect();
        let now = self.now();
        let made = self
            .database()
            .write(Durability::Flushed, move |connection| {
                publish::deliver_again(connection, &routed, None, now)
            })
            .await?;
        self.tell_due();
        Ok(made)
    }

    /// The workflows of an account that have ended and have deliveries that
    /// have not, the oldest first: a crash between the end of a workflow and the
    /// last word about it leaves such.
    pub async fn untold(&self, account: &AccountName) -> Result<Vec<CorrelationId>, StoreError> {
        let account = account.clone();
        self.database()
            .read(move |connection| look::untold(connection, &account))
            .await
    }

    /// What can be worked on now.
    pub(crate) async fn look(&self, scope: &Scope, limit: u32) -> Result<Look, StoreError> {
        let scope = scope.clone();
        let owners = Arc::clone(&self.state.owners);
        let now = self.now();
        let look = self
            .database()
            .read(move |connection| look::look(connection, &scope, limit, now, &owners))
            .await?;
        if look.is_ahead {
            // An owner that is alive renews its claim by the clock as it is
            // now. One that hangs must not keep it until the time of before
            // has come once more.
            let now = micros(self.now());
            self.database()
                .write(Durability::Later, move |connection| {
                    Ok(execute(connection, claim::BRING_BACK, [now])?)
                })
                .await?;
        }
        Ok(look)
    }

    /// Tells when this process has made a delivery due.
    pub(crate) fn watch_due(&self) -> watch::Receiver<()> {
        self.state.due.subscribe()
    }

    /// Packs what is too large. What left an event is on disk when this
    /// returns, so that no event is ever stored without it.
    async fn prepare(&self, events: &[Event]) -> Result<Vec<Publication>, StoreError> {
        let mut publications = Vec::with_capacity(events.len());
        for event in events {
            let (publication, blob) = Publication::of(event, &self.routes, self.largest_entry)?;
            if let Some(blob) = blob {
                self.state.blobs.put(&blob).await?;
            }
            publications.push(publication);
        }
        Ok(publications)
    }

    fn tell_due(&self) {
        self.state.due.send_replace(());
    }

    /// Now, by the system clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    fn database(&self) -> &Database {
        &self.state.database
    }
}

#[async_trait]
impl Deliveries for Bus {
    async fn claim(&self, key: &DeliveryKey, lease: Duration) -> Result<Claim, StoreError> {
        let key = key.clone();
        let owners = Arc::clone(&self.state.owners);
        let now = self.now();
        // A power failure ends all owners, and with them all claims. So a claim
        // need not outlast one, and nobody has to wait for the disk.
        self.database()
            .write(Durability::Later, move |connection| {
                claim::claim(connection, &key, lease, now, &owners)
            })
            .await
    }

    async fn renew(&self, claimed: &Claimed, lease: Duration) -> Result<bool, StoreError> {
        let claimed = claimed.clone();
        let now = self.now();
        self.database()
            .write(Durability::Later, move |connection| {
                claim::renew(connection, &claimed, lease, now)
            })
            .await
    }

    async fn commit(&self, claimed: &Claimed, commit: Commit) -> Result<(), StoreError> {
        let result = match commit {
            Commit::Done {
                events,
                transition,
                remark,
                calls,
            } => {
                let step = self.step(claimed, &events, transition).await?;
                self.end(Durability::Flushed, move |connection| {
                    commit::done(connection, &step, remark.as_deref(), &calls)
                })
                .await
            }
            Commit::Dead {
                letter,
                events,
                transition,
            } => {
                let step = self.step(claimed, &events, transition).await?;
                self.end(Durability::Flushed, move |connection| {
                    commit::dead(connection, &step, &letter)
                })
                .await
            }
            Commit::Retry { error, delay } => {
                let step = self.bare_step(claimed);
                // Forgotten in a power failure, it is tried again all the same.
                self.end(Durability::Later, move |connection| {
                    commit::retry(connection, &step, &error, delay)
                })
                .await
            }
        };
        if let Err(StoreError::Conflict(_)) = result {
            let step = self.bare_step(claimed);
            self.end(Durability::Later, move |connection| {
                commit::release(connection, &step)
            })
            .await?;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::{claim, commit, letters, look, prune, publish, replay, schedules, workflows};
    use crate::database::{Sorting, assert_uses_indexes};

    #[test]
    fn however_long_the_archive_it_is_never_read_whole() {
        for sql in [
            publish::STORED_BODY,
            claim::FIND,
            claim::CLAIM,
            claim::RENEW,
            claim::BRING_BACK,
            commit::DONE,
            commit::CALL,
            commit::RETRY,
            commit::DEAD,
            commit::RELEASE,
            commit::LETTER,
            commit::WORKFLOW_STATE,
            commit::MOVE_WORKFLOW,
            letters::FIND,
            letters::REVIVE,
            letters::SETTLE,
            letters::OF_WORKFLOW_AND_TYPE,
            prune::OLD,
            prune::KEPT,
            prune::FORGET[0],
            prune::FORGET[1],
            prune::FORGET[2],
            prune::FORGET[3],
            replay::OF_WINDOW,
            replay::IS_THERE,
            look::DUE,
            look::SET_IN_THE_FUTURE,
            look::CLAIMED,
            look::NEXT_DUE,
            look::OPEN_OF_WORKFLOW,
            look::UNTOLD,
            look::EVENT,
            publish::POSITION,
            publish::BODIES_OF_WORKFLOW,
            schedules::FIND,
            schedules::SETTLE,
            schedules::SET_BACK,
            workflows::FIND,
            workflows::OF_ACCOUNT,
            workflows::HAVE_CHANGED,
            workflows::BEGIN_ORDERS,
            workflows::IS_EXECUTING,
        ] {
            assert_uses_indexes(sql, Sorting::Refused);
        }
    }
}
