//! State directories, and what is in them.

use crate::program::{Alchemiser, Finished};
use rusqlite::{Connection, OpenFlags, Row};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A state directory, which the program has yet to make. It is removed with
/// this value.
#[derive(Debug)]
pub struct State {
    _folder: TempDir,
    path: PathBuf,
}

/// What an account holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// US dollars.
    pub cash: Decimal,
    /// Shares by symbol.
    pub positions: BTreeMap<String, Decimal>,
}

impl State {
    /// Room for a state directory.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            path: folder.path().join("state"),
            _folder: folder,
        }
    }

    /// A copy of it as it is, in which nobody is at work.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(&self.path, &copy.path);
        copy
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls the program on it.
    pub fn call<'a>(
        &'a self,
        alchemiser: &Alchemiser,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Finished {
        alchemiser.call(self.arguments(arguments))
    }

    /// Runs the workflow of a date, and prints JSON.
    pub fn run(&self, alchemiser: &Alchemiser, date: &str) -> Finished {
        self.call(alchemiser, ["run", "--date", date, "--json"])
    }

    /// The arguments, and where the state is.
    pub fn arguments<'a>(
        &'a self,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> impl Iterator<Item = &'a str> {
        let path = self
            .path
            .to_str()
            .expect("temporary folders have plain names");
        arguments.into_iter().chain(["--state", path])
    }

    /// Every event, as the program lists them for scripts.
    #[must_use]
    pub fn archive(&self, alchemiser: &Alchemiser) -> String {
        let listed = self.call(alchemiser, ["events", "list", "--json"]);
        listed.exits(0).stdout
    }

    /// The events of a workflow, in order.
    #[must_use]
    pub fn events(&self, alchemiser: &Alchemiser, workflow: &str) -> Vec<Value> {
        let arguments = ["events", "list", "--workflow", workflow, "--json"];
        self.call(alchemiser, arguments).exits(0).lines()
    }

    /// The simulated account, if it was ever traded on.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        let cash = self.rows("SELECT cash FROM paper_accounts", |row| decimal(row, 0));
        let positions = self.rows("SELECT symbol, quantity FROM paper_positions", |row| {
            Ok((row.get(0)?, decimal(row, 1)?))
        });
        assert!(cash.len() <= 1, "one account is traded");
        cash.first().map(|cash| Account {
            cash: *cash,
            positions: positions.into_iter().collect(),
        })
    }

    /// The ledger's entries in the order in which they were made.
    #[must_use]
    pub fn ledger(&self) -> Vec<Value> {
        self.documents("SELECT entry FROM ledger ORDER BY position")
    }

    /// The orders that the simulated broker knows, in the order in which they
    /// were placed.
    #[must_use]
    pub fn orders(&self) -> Vec<Value> {
        self.documents("SELECT body FROM paper_orders ORDER BY position")
    }

    /// The errors of the dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<Value> {
        self.documents("SELECT error FROM dead_letters ORDER BY letter")
    }

    /// Changes what the program has written, while it does not run.
    pub fn change(&self, statement: &str) {
        let connection = Connection::open(self.path.join("alchemiser.db"))
            .expect("the state directory has a database");
        let changed = connection
            .execute(statement, [])
            .expect("the statement is right");
        assert!(changed > 0, "{statement}");
    }

    /// The JSON documents that the database answers with.
    #[must_use]
    pub fn documents(&self, query: &str) -> Vec<Value> {
        self.rows(query, |row| row.get::<_, String>(0))
            .iter()
            .map(|text| serde_json::from_str(text).expect("documents are JSON"))
            .collect()
    }

    /// What the database answers.
    #[must_use]
    pub fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let database = self.path.join("alchemiser.db");
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .expect("the state directory has a database");
        let mut statement = connection.prepare(query).expect("the tables are there");
        let rows = statement.query_map([], read).expect("the query is right");
        rows.collect::<Result<_, _>>()
            .expect("the rows can be read")
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made in a temporary folder");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let from = entry.expect("the folder can be read").path();
        let to = to.join(from.file_name().expect("it has a name"));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::copy(from, to).expect("a file can be copied");
        }
    }
}

fn decimal(row: &Row<'_>, column: usize) -> rusqlite::Result<Decimal> {
    let text: String = row.get(column)?;
    Ok(text.parse().expect("amounts are decimals"))
}
