//! Why a job on the database failed.

use alchemiser_worker::StoreError;
use rusqlite::ErrorCode;
use std::path::Path;

/// Why a job failed: what a port answers, or what the database said.
#[derive(Debug)]
pub(crate) enum Failure {
    Port(StoreError),
    Database(rusqlite::Error),
}

impl Failure {
    /// As the port's caller is told.
    pub(crate) fn into_port(self, path: &Path) -> StoreError {
        match self {
            Self::Port(error) => error,
            Self::Database(error) => StoreError::Unavailable(explain(&error, path)),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Port(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// What happened, and what to do about it.
fn explain(error: &rusqlite::Error, path: &Path) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("the disk of `{path}` is full; free some space, nothing committed is lost")
        }
        Some(ErrorCode::ReadOnly) => format!("`{path}` cannot be written ({error})"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another process has been writing to `{path}` for too long; stop it or wait")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("`{path}` is damaged ({error}); restore it from a copy")
        }
        _ => format!("`{path}`: {error}"),
    }
}
