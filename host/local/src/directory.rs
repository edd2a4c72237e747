//! The state directory: where it is, who uses it, and the ports on it.

use crate::blobs::LocalBlobs;
use crate::bus::Bus;
use crate::clock::{Clock, SystemClock};
use crate::database::{self, Database};
use crate::error::OpenError;
use crate::ledger::LocalLedger;
use crate::owners::{Entrance, Owners};
use crate::paper::LocalPaperStore;
use crate::queries::Queries;
use alchemiser_events::{AccountName, Money};
use alchemiser_rules::Routes;
use std::fs::{self, DirBuilder};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

const DATABASE: &str = "alchemiser.db";
const BLOBS: &str = "blobs";
const LOCKS: &str = "locks";

/// A state directory that this process works on.
///
/// While it, or a port from it, is there, the process counts as alive to
/// others on the same directory; when the last one is dropped, what the process
/// had claimed and not ended is free.
#[derive(Clone)]
pub struct StateDirectory {
    state: Arc<State>,
}

/// What the ports share.
pub(crate) struct State {
    pub(crate) path: PathBuf,
    pub(crate) database: Database,
    pub(crate) blobs: LocalBlobs,
    // After the database, so that a claim is not free while its end is being
    // written. Shared with jobs, which must not hold on to the database: it
    // waits for them when it is dropped.
    pub(crate) owners: Arc<Owners>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Says that this process made a delivery due.
    pub(crate) due: watch::Sender<()>,
}

impl StateDirectory {
    /// Opens the directory; makes it, readable by its owner only, where there
    /// is none, and brings it up to date where it is old.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// Opens the directory with another clock than the system's.
    pub fn open_with_clock(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        refuse_foreign(path)?;
        refuse_lost(path)?;
        let locks = path.join(LOCKS);
        for directory in [path, &path.join(BLOBS), &locks] {
            create(directory)?;
        }
        let entrance = Entrance::pass(&locks).map_err(OpenError::io(&locks))?;
        let owners = Owners::register(&locks, &entrance).map_err(OpenError::io(&locks))?;
        let others = owners.clear_up(&entrance).map_err(OpenError::io(&locks))?;
        let database = Database::open(&path.join(DATABASE), &others)?;
        Ok(Self {
            state: Arc::new(State {
                path: path.to_owned(),
                database,
                blobs: LocalBlobs::new(path.join(BLOBS)),
                owners: Arc::new(owners),
                clock,
                due: watch::Sender::new(()),
            }),
        })
    }

    /// Opens a directory that is there, to look only.
    pub fn open_existing(path: &Path) -> Result<Queries, OpenError> {
        refuse_foreign(path)?;
        refuse_lost(path)?;
        let database = path.join(DATABASE);
        match fs::metadata(&database) {
            Ok(file) if file.len() > 0 => {}
            _ => return Err(OpenError::Missing(path.to_owned())),
        }
        let connection = database::open_for_queries(&database)?;
        Ok(Queries::new(connection, database, path.join(BLOBS)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.state.path
    }

    /// The event bus and the workflows on it; `routes` say where events go that
    /// are published through it.
    pub fn bus(&self, routes: Arc<Routes>) -> Bus {
        Bus::new(Arc::clone(&self.state), routes)
    }

    /// Content by digest.
    pub fn blobs(&self) -> LocalBlobs {
        self.state.blobs.clone()
    }

    /// The record of what was traded.
    pub fn ledger(&self) -> LocalLedger {
        LocalLedger::new(Arc::clone(&self.state))
    }

    /// A simulated account; it is opened with `starting_cash` when it is first
    /// traded on.
    pub fn paper_store(&self, account: &AccountName, starting_cash: Money) -> LocalPaperStore {
        LocalPaperStore::new(Arc::clone(&self.state), account.clone(), starting_cash)
    }

    /// To look things up.
    pub fn queries(&self) -> Result<Queries, OpenError> {
        Self::open_existing(&self.state.path)
    }
}

/// Refuses a path that is no directory, or one with content that is not ours.
fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let Ok(metadata) = fs::metadata(path) else {
        // Not there, or not to be seen: making or opening it will tell.
        return Ok(());
    };
    if !metadata.is_dir() {
        return Err(OpenError::NotADirectory(path.to_owned()));
    }
    if path.join(DATABASE).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(OpenError::io(path))? {
        let name = entry.map_err(OpenError::io(path))?.file_name();
        // Another process may be making the database right now.
        let is_database = name.to_string_lossy().starts_with(DATABASE);
        if name != BLOBS && name != LOCKS && !is_database {
            return Err(OpenError::Foreign(path.to_owned()));
        }
    }
    Ok(())
}

/// Refuses to begin anew where there was something: nothing is kept as content
/// before the database knows of a workflow.
fn refuse_lost(path: &Path) -> Result<(), OpenError> {
    let has_database = fs::metadata(path.join(DATABASE)).is_ok_and(|file| file.len() > 0);
    let has_content =
        || fs::read_dir(path.join(BLOBS)).is_ok_and(|mut directories| directories.next().is_some());
    if !has_database && has_content() {
        return Err(OpenError::Lost(path.to_owned()));
    }
    Ok(())
}

fn create(directory: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    // Holdings and trades are nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(OpenError::io(directory))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rusqlite::Connection;

    fn refusal(path: &Path) -> String {
        let error = StateDirectory::open(path).err().unwrap().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    }

    #[test]
    fn a_new_directory_is_made_for_its_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/.alchemiser");
        let directory = StateDirectory::open(&path).unwrap();
        assert!(path.join(DATABASE).exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        drop(directory);
        // Nothing but the entrance is left of the locks.
        assert_eq!(fs::read_dir(path.join(LOCKS)).unwrap().count(), 1);
        StateDirectory::open(&path).unwrap();
    }

    #[test]
    fn queries_make_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("absent");
        let error = StateDirectory::open_existing(&path).err().unwrap();
        assert!(error.to_string().contains("`alchemiser run` creates it"));
        assert!(!path.exists());

        fs::create_dir(&path).unwrap();
        fs::write(path.join(DATABASE), "").unwrap();
        let error = StateDirectory::open_existing(&path).err().unwrap();
        assert!(matches!(error, OpenError::Missing(_)), "{error}");
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();

        let file = parent.path().join("file");
        fs::write(&file, "text").unwrap();
        assert!(refusal(&file).contains("is not a directory"));
        let below = file.join("state");
        refusal(&below);

        let photos = parent.path().join("photos");
        fs::create_dir(&photos).unwrap();
        fs::write(photos.join("one.jpg"), "").unwrap();
        assert!(refusal(&photos).contains("holds other files"));
        assert_eq!(fs::read_dir(&photos).unwrap().count(), 1);

        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        let database = other.join(DATABASE);
        let connection = Connection::open(&database).unwrap();
        connection
            .execute_batch("CREATE TABLE songs (title TEXT)")
            .unwrap();
        drop(connection);
        let before = fs::read(&database).unwrap();
        assert!(refusal(&other).contains("not a database of this program"));
        assert_eq!(fs::read(&database).unwrap(), before);

        fs::write(
            &database,
            "no database at all, but long enough to have a header ".repeat(40),
        )
        .unwrap();
        assert!(refusal(&other).contains("not a database of this program"));
    }

    #[test]
    fn a_later_version_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        drop(StateDirectory::open(&path).unwrap());
        let connection = Connection::open(path.join(DATABASE)).unwrap();
        connection
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        drop(connection);
        assert!(refusal(&path).contains("version 99"));
        let error = StateDirectory::open_existing(&path).err().unwrap();
        assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    }

    #[test]
    fn a_database_that_is_gone_is_not_made_anew() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        drop(StateDirectory::open(&path).unwrap());
        // Nothing was kept yet, so that nothing is lost.
        fs::remove_file(path.join(DATABASE)).unwrap();
        drop(StateDirectory::open(&path).unwrap());

        fs::create_dir(path.join(BLOBS).join("ab")).unwrap();
        drop(StateDirectory::open(&path).unwrap());
        fs::write(path.join(DATABASE), "").unwrap();
        assert!(refusal(&path).contains("from a copy"));
        fs::remove_file(path.join(DATABASE)).unwrap();
        assert!(refusal(&path).contains("from a copy"));
        let error = StateDirectory::open_existing(&path).err().unwrap();
        assert!(matches!(error, OpenError::Lost(_)), "{error}");
        assert!(!path.join(DATABASE).exists());
    }

    #[test]
    fn damage_is_told_and_nothing_is_made_anew() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        drop(StateDirectory::open(&path).unwrap());
        let database = path.join(DATABASE);
        let mut bytes = fs::read(&database).unwrap();
        // The header stays, the table of tables goes.
        bytes[100..4096].fill(0xff);
        fs::write(&database, &bytes).unwrap();
        assert!(refusal(&path).contains("is damaged"));
        assert_eq!(fs::read(&database).unwrap(), bytes);
    }

    #[test]
    fn many_may_open_a_new_directory_at_once() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let opened: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| StateDirectory::open(&path).unwrap()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let mut names: Vec<_> = opened.iter().map(|one| one.state.owners.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 8);
    }
}
