//! Opening the state to look at it.

use crate::arguments::State;
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_local::{Queries, StateDirectory};
use alchemiser_worker::StoreError;

/// The state, which must be there.
pub fn open(project: &Project, state: &State) -> CommandResult<Queries> {
    StateDirectory::open_existing(&project.state(state))
        .map_err(|error| CommandFailure::failed("StateError", error))
}

/// A store that could not be read.
pub fn store(error: StoreError) -> CommandFailure {
    CommandFailure::failed("StoreError", error)
}
