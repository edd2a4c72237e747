//! Opening the state to look at it.

use crate::arguments::State;
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_events::Timestamp;
use alchemiser_local::{Bus, OpenError, Queries, StateDirectory};
use alchemiser_worker::StoreError;
use std::panic::resume_unwind;
use std::time::{Duration, SystemTime};

/// The state, which must be there.
pub fn open(project: &Project, state: &State) -> CommandResult<Queries> {
    StateDirectory::open_existing(&project.state(state)).map_err(|error| opened(&error))
}

/// A state that could not be opened: the wrong place, or one that is broken.
pub fn opened(error: &OpenError) -> CommandFailure {
    match error {
        OpenError::NotADirectory(_) | OpenError::Foreign(_) | OpenError::ForeignDatabase(_) => {
            CommandFailure::usage("StateError", error)
        }
        _ => CommandFailure::failed("StateError", error),
    }
}

/// A store that could not be read.
pub fn store(error: StoreError) -> CommandFailure {
    CommandFailure::failed("StoreError", error)
}

/// Forgets what was kept for long enough, and answers how many events that
/// were.
pub async fn prune(
    bus: &Bus,
    state: &StateDirectory,
    retention: Duration,
) -> Result<usize, StoreError> {
    let before = SystemTime::now() - retention;
    let instant = jiff::Timestamp::try_from(before).unwrap_or(jiff::Timestamp::MIN);
    let forgotten = bus.prune(Timestamp::new(instant)).await?;
    // The questions and answers of an event are kept as long as the event.
    if forgotten > 0 {
        let blobs = state.blobs();
        let pruned = tokio::task::spawn_blocking(move || blobs.prune_now(before)).await;
        pruned.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
    }
    Ok(forgotten)
}
