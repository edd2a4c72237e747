//! The database: one file, one thread that writes, a few connections that read.

mod connection;
mod failure;
mod readers;
mod schema;
mod values;
mod writer;

pub(crate) use failure::Failure;
pub(crate) use values::{
    instant, json, micros, micros_after, optional_instant, optional_json, text, to_json,
    transported,
};
pub(crate) use writer::Durability;

use crate::error::OpenError;
use alchemiser_worker::StoreError;
use readers::Readers;
use rusqlite::Connection;
use schema::{MIGRATIONS, Version};
use std::path::Path;
use std::sync::Arc;
use writer::Writer;

/// The database of a state directory.
pub(crate) struct Database {
    readers: Arc<Readers>,
    writer: Writer,
}

impl Database {
    /// Opens the file, and makes or migrates it where needed. Nobody else may
    /// be opening it meanwhile; a migration is refused if `others` are at work.
    pub(crate) fn open(path: &Path, others: &[String]) -> Result<Self, OpenError> {
        Self::open_as(path, others, MIGRATIONS)
    }

    fn open_as(path: &Path, others: &[String], migrations: &[&str]) -> Result<Self, OpenError> {
        let connection = connection::writer(path)?;
        let version = schema::version(&connection, path, migrations)?;
        let is_old = matches!(version, Version::Known(version) if version < migrations.len());
        if is_old && !others.is_empty() {
            return Err(OpenError::InUse {
                path: path.to_owned(),
                by: others.to_vec(),
            });
        }
        connection::prepare_to_write(&connection, path)?;
        schema::migrate(&connection, path, version, migrations)?;
        Ok(Self {
            readers: Readers::new(path),
            writer: Writer::start(connection, path).map_err(OpenError::io(path))?,
        })
    }

    /// Runs a job that changes something, in a transaction shared with others
    /// that wait. If the job fails, nothing of it stays.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(durability, job).await
    }

    /// Runs a job that looks something up in what is committed by now.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(job).await
    }
}

/// A connection for queries, to a database that is there and up to date.
pub(crate) fn open_for_queries(path: &Path) -> Result<Connection, OpenError> {
    let connection = connection::observer(path)?;
    match schema::version(&connection, path, MIGRATIONS)? {
        Version::Fresh => Err(OpenError::Missing(path.to_owned())),
        Version::Known(found) if found < MIGRATIONS.len() => Err(OpenError::Older {
            path: path.to_owned(),
            found,
        }),
        Version::Known(_) => Ok(connection),
    }
}

/// A job's answer for several rows.
pub(crate) fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, rusqlite::Error> {
    connection
        .prepare_cached(sql)?
        .query_map(parameters, read)?
        .collect()
}

/// A job's answer for at most one row.
pub(crate) fn find<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, rusqlite::Error> {
    use rusqlite::OptionalExtension as _;
    connection
        .prepare_cached(sql)?
        .query_row(parameters, read)
        .optional()
}

/// Changes rows, and answers how many.
pub(crate) fn execute(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached(sql)?.execute(parameters)
}

/// Whether a query may sort its answer: more than rows that tie in the order
/// of an index.
#[cfg(test)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sorting {
    Allowed,
    Refused,
}

/// Fails if SQLite would answer a query by reading a whole table, or by
/// sorting where that is refused.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_uses_indexes(sql: &str, sorting: Sorting) {
    #![allow(clippy::unwrap_used)]
    let connection = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let steps: Vec<String> = statement
        .raw_query()
        .mapped(|row| row.get("detail"))
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(!steps.is_empty());
    for step in &steps {
        let reads_all = step.starts_with("SCAN") && !step.contains("INDEX");
        let sorts_all = step == "USE TEMP B-TREE FOR ORDER BY" && sorting == Sorting::Refused;
        assert!(!reads_all && !sorts_all, "{sql}\n{steps:#?}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_is_migrated_under_the_feet_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alchemiser.db");
        let others = ["process 1 (init)".to_owned()];
        drop(Database::open(&path, &others).unwrap());
        let later = [MIGRATIONS, &["CREATE TABLE more (a INTEGER) STRICT;"]].concat();
        let error = Database::open_as(&path, &others, &later).err().unwrap();
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains(&others[0]), "{error}");
        drop(Database::open(&path, &others).unwrap());

        drop(Database::open_as(&path, &[], &later).unwrap());
        drop(Database::open_as(&path, &others, &later).unwrap());
        let error = Database::open(&path, &[]).err().unwrap();
        assert!(
            matches!(error, OpenError::Newer { found, .. } if found == later.len()),
            "{error}"
        );
    }

    #[test]
    fn a_database_of_the_first_version_is_brought_up_to_date() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alchemiser.db");
        drop(Database::open_as(&path, &[], &MIGRATIONS[..1]).unwrap());
        let error = open_for_queries(&path).err().unwrap();
        assert!(matches!(error, OpenError::Older { found: 1, .. }));
        drop(Database::open(&path, &[]).unwrap());
        let connection = open_for_queries(&path).unwrap();
        let sql = "SELECT COUNT(*) FROM plugin_calls";
        let calls: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(calls, 0);
    }
}
