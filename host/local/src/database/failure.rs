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
            Self::Database(error) => {
                let explanation = explain(&error, path);
                if needs_somebody(&error) {
                    StoreError::Unusable(explanation)
                } else {
                    StoreError::Unavailable(explanation)
                }
            }
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
pub(super) fn explain(error: &rusqlite::Error, path: &Path) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!(
            "the disk of `{path}` is full; free some space and run it again, nothing committed is \
             lost"
        ),
        Some(ErrorCode::SystemIoFailure) => format!(
            "`{path}` could not be read or written ({error}); look after its disk (space, quota, \
             health) and run it again, nothing committed is lost"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => format!(
            "`{path}` cannot be written ({error}); make it and its directory writable for this \
             user, or choose another with `--state`"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another process has been writing to `{path}` for too long; stop it or wait")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("`{path}` is damaged ({error}); restore the state directory from a copy")
        }
        None if is_unreadable(error) => format!(
            "`{path}` is damaged, something in it cannot be read ({error}); restore the state \
             directory from a copy"
        ),
        _ => format!("`{path}`: {error}"),
    }
}

/// Whether it stays so until somebody puts the machine right.
fn needs_somebody(error: &rusqlite::Error) -> bool {
    let machine = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
        )
    );
    machine || is_unreadable(error)
}

/// Whether a value is none that this program writes: it was written here, and
/// is not what it was.
fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}
