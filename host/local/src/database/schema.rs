//! The versions of the database.

use super::failure::explain;
use crate::error::OpenError;
use rusqlite::Connection;
use std::path::Path;

/// One script for each version; a later version changes what the ones before
/// have made, and none that was released is ever edited.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("calls.sql")];

/// Marks our databases among all of SQLite's: the letters `ALCH`.
const APPLICATION: i64 = 0x414c_4348;

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Nothing yet.
    Fresh,
    /// Ours, and known here.
    Known(usize),
}

/// Reads the version, and refuses what is not ours or later than we know.
pub(super) fn version(
    connection: &Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<Version, OpenError> {
    let number = |sql: &str| -> Result<i64, OpenError> {
        connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| refused(path, &error))
    };
    let application = number("PRAGMA application_id")?;
    let found = usize::try_from(number("PRAGMA user_version")?).unwrap_or(usize::MAX);
    let objects = number("SELECT COUNT(*) FROM sqlite_schema")?;
    match (application, found) {
        (0, 0) if objects == 0 => Ok(Version::Fresh),
        (APPLICATION, found) if found <= migrations.len() => Ok(Version::Known(found)),
        (APPLICATION, found) => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: migrations.len(),
        }),
        _ => Err(OpenError::ForeignDatabase(path.to_owned())),
    }
}

/// Brings the database to the latest version: all of it, or nothing of it.
pub(super) fn migrate(
    connection: &Connection,
    path: &Path,
    from: Version,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let done = match from {
        Version::Fresh => 0,
        Version::Known(version) => version,
    };
    if from == Version::Known(migrations.len()) {
        return Ok(());
    }
    let mut script = String::from("BEGIN IMMEDIATE;\n");
    for migration in migrations.iter().skip(done) {
        script.push_str(migration);
    }
    script.push_str(&format!(
        "PRAGMA application_id = {APPLICATION};\nPRAGMA user_version = {};\nCOMMIT;",
        migrations.len()
    ));
    connection.execute_batch(&script).map_err(|error| {
        // Only reports what could not be undone either; closing the connection
        // undoes it.
        let _ = connection.execute_batch("ROLLBACK");
        refused(path, &error)
    })
}

/// SQLite's refusal in terms of the directory.
pub(super) fn refused(path: &Path, error: &rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::ForeignDatabase(path.to_owned()),
        _ => OpenError::Database(explain(error, path)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STEPS: [&str; 2] = [
        "CREATE TABLE one (a INTEGER) STRICT; INSERT INTO one VALUES (1);",
        "ALTER TABLE one ADD COLUMN b INTEGER; UPDATE one SET b = a + 1;",
    ];

    fn open(connection: &Connection, migrations: &[&str]) -> Result<Version, OpenError> {
        let path = Path::new("alchemiser.db");
        let found = version(connection, path, migrations)?;
        migrate(connection, path, found, migrations)?;
        Ok(found)
    }

    #[test]
    fn versions_follow_each_other_and_keep_what_is_there() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(open(&connection, &STEPS[..1]).unwrap(), Version::Fresh);
        assert_eq!(open(&connection, &STEPS).unwrap(), Version::Known(1));
        assert_eq!(open(&connection, &STEPS).unwrap(), Version::Known(2));
        let b: i64 = connection
            .query_row("SELECT b FROM one", [], |row| row.get(0))
            .unwrap();
        assert_eq!(b, 2);
    }

    #[test]
    fn a_later_version_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        open(&connection, &STEPS).unwrap();
        let error = open(&connection, &STEPS[..1]).unwrap_err();
        assert!(matches!(
            error,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ));
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        open(&connection, &STEPS[..1]).unwrap();
        let broken = [STEPS[0], "DROP TABLE one; DROP TABLE absent;"];
        assert!(open(&connection, &broken).is_err());
        assert_eq!(open(&connection, &STEPS[..1]).unwrap(), Version::Known(1));
        assert!(connection.execute_batch("SELECT a FROM one").is_ok());
    }

    #[test]
    fn a_database_of_something_else_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .unwrap();
        let error = open(&connection, &STEPS).unwrap_err();
        assert!(matches!(error, OpenError::ForeignDatabase(_)));
    }
}
