//! Opening the state to look at it.

use crate::arguments::State;
use crate::failure::{CommandFailure, CommandResult};
use crate::project::Project;
use alchemiser_events::{CorrelationId, Timestamp};
use alchemiser_local::{Bus, OpenError, Queries, StateDirectory, WorkflowRecord};
use alchemiser_worker::StoreError;
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
pub async fn prune(bus: &Bus, retention: Duration) -> Result<usize, StoreError> {
    let before = SystemTime::now() - retention;
    let instant = jiff::Timestamp::try_from(before).unwrap_or(jiff::Timestamp::MIN);
    bus.prune(Timestamp::new(instant)).await
}

/// A workflow, which must be there.
pub fn workflow_named(queries: &Queries, name: &str) -> CommandResult<WorkflowRecord> {
    CorrelationId::parse(name)
        .map(|workflow| queries.workflow(&workflow))
        .transpose()
        .map_err(store)?
        .flatten()
        .ok_or_else(|| {
            let message =
                format!("there is no workflow `{name}`; `alchemiser workflow list` lists them");
            CommandFailure::failed("NotFound", message)
        })
}

/// How long a list may become.
#[derive(Clone, Copy)]
pub struct Limit(Option<u32>);

impl Limit {
    /// What people are shown at most, unless they ask for more.
    const FOR_PEOPLE: u32 = 1000;

    /// The limit asked for, where 0 is none; scripts get everything unless they
    /// ask for less.
    pub fn of(asked: Option<u32>, json: bool) -> Self {
        Self(match (asked, json) {
            (Some(0), _) | (None, true) => None,
            (Some(limit), _) => Some(limit),
            (None, false) => Some(Self::FOR_PEOPLE),
        })
    }

    /// For a query.
    pub fn rows(self) -> Option<u32> {
        self.0
    }

    /// Says that there may be more than what was listed.
    pub fn tell(self, listed: usize) {
        if self.0.is_some_and(|limit| listed == limit as usize) {
            println!("These are the last {listed}; `--limit 0` lists all.");
        }
    }
}
