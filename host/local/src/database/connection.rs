//! How connections are set up.

use crate::error::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

use super::schema::refused;

/// How long to wait for another process that is writing. Its transactions take
/// milliseconds; one that holds on this long is stuck.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Statements kept prepared: more than there are in this crate.
const STATEMENTS: usize = 128;

/// For every connection.
const COMMON: &str = "
    -- Deliveries without their event are refused.
    PRAGMA foreign_keys = ON;
    -- The file is data: no function in it is run.
    PRAGMA trusted_schema = OFF;
    -- Damage is noticed where it is met, not where it leads to.
    PRAGMA cell_size_check = ON;
    PRAGMA temp_store = MEMORY;
";

/// For the connection that writes.
const WRITER: &str = "
    -- Readers do not wait for the writer nor it for them, and a commit is one
    -- flush of one file.
    PRAGMA journal_mode = WAL;
    -- What is committed survives a power failure.
    PRAGMA synchronous = FULL;
    -- On macOS a flush otherwise stops at the drive's cache.
    PRAGMA fullfsync = ON;
    -- 64 MiB, so that the upper levels of all indexes stay in memory.
    PRAGMA cache_size = -65536;
    -- The log is copied back every 32 MiB: rarely enough that a page changed
    -- by many commits is copied once.
    PRAGMA wal_autocheckpoint = 8192;
    -- A log that grew beyond that, since a reader was in the way, is cut.
    PRAGMA journal_size_limit = 67108864;
";

/// The one connection of a process that writes; creates the file. It has to be
/// [made ready](prepare_to_write) once the file is known to be ours.
pub(super) fn writer(path: &Path) -> Result<Connection, OpenError> {
    open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )
}

/// Sets what is for the writer only. Some of it changes the file.
pub(super) fn prepare_to_write(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    connection
        .execute_batch(WRITER)
        .map_err(|error| refused(path, &error))
}

/// A connection that cannot write, to a file that is there.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    // A connection is used by one thread at a time, which the types hold.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Absolute, since SQLite takes a name that begins with `file:` for a URI.
    let absolute = std::path::absolute(path).map_err(OpenError::io(path))?;
    let open = || {
        let connection = Connection::open_with_flags(absolute, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A query is answered in one way, whatever values it is asked with;
        // otherwise SQLite would plan some anew with every value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.execute_batch(COMMON)?;
        Ok(connection)
    };
    open().map_err(|error| refused(path, &error))
}
