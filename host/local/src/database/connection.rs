//! How connections are set up, and why so.

use crate::error::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::schema::refused;

/// How long to wait for another process that is writing. Its transactions take
/// milliseconds; one that holds on this long is stuck.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Statements kept prepared: more than there are in this crate.
const STATEMENTS: usize = 128;

/// For every connection.
///
/// Left as they are: `mmap_size` (0), since an error of the disk is then an
/// error and not a signal; `auto_vacuum` (off), since room that was freed is
/// soon used again, and moving pages about costs more than it saves.
const COMMON: &str = "
    -- Deliveries without their event are refused.
    PRAGMA foreign_keys = ON;
    -- The file is data: no function in it is run.
    PRAGMA trusted_schema = OFF;
    -- Damage is noticed where it is met, not where it leads to.
    PRAGMA cell_size_check = ON;
    -- A sort needs no room on the disk, which may be full or read-only.
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

/// A connection that cannot write, also where nothing can be written.
///
/// Whoever reads a database with a log takes part in an index of the log, a
/// file of shared memory beside it. Where another process has it open, or a
/// crash left it, it is there to be read. Else it would have to be made; where
/// that cannot be done nobody is writing, and the file can be read as one that
/// never changes, provided that nothing is in the log.
pub(super) fn observer(path: &Path) -> Result<Connection, OpenError> {
    let connection = reader(path)?;
    let look = |connection: &Connection| connection.execute_batch("SELECT * FROM sqlite_schema");
    let Err(error) = look(&connection) else {
        return Ok(connection);
    };
    let has_to_write = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
    );
    if !has_to_write {
        return Err(refused(path, &error));
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Err(OpenError::NotClosed {
            path: path.to_owned(),
            reason: error.to_string(),
        });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    open_name(&unchanging(path)?, path, flags)
}

/// The file as a URI that says that nobody changes it.
fn unchanging(path: &Path) -> Result<PathBuf, OpenError> {
    let absolute = std::path::absolute(path).map_err(OpenError::io(path))?;
    let mut uri = String::from("file:");
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok((uri + "?immutable=1").into())
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    // Absolute, since SQLite takes a name that begins with `file:` for a URI.
    let absolute = std::path::absolute(path).map_err(OpenError::io(path))?;
    open_name(&absolute, path, flags)
}

fn open_name(name: &Path, path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    // A connection is used by one thread at a time, which the types hold.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(name, flags)?;
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
