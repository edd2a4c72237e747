//! Connections that read, each for one job at a time.

use super::connection;
use super::failure::Failure;
use crate::error::OpenError;
use alchemiser_worker::StoreError;
use rusqlite::Connection;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Jobs that may read at the same time.
const READERS: usize = 4;

/// A few connections, opened when they are first needed.
pub(super) struct Readers {
    path: PathBuf,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Arc<Self> {
        Arc::new(Self {
            path: path.to_owned(),
            permits: Semaphore::new(READERS),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Runs a job on what is committed by now.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The semaphore is never closed; without a permit one more connection
        // would be opened, no harm done.
        let _permit = self.permits.acquire().await;
        let readers = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let connection = readers.take()?;
            let result = job(&connection).map_err(|failure| failure.into_port(&readers.path));
            readers.give_back(connection);
            result
        });
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(cancelled) => Err(StoreError::Unavailable(cancelled.to_string())),
            },
        }
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connection::reader(&self.path)
                .map_err(|error: OpenError| StoreError::Unavailable(error.to_string())),
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(connection);
    }
}
