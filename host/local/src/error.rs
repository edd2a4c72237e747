//! Why a state directory cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

/// A state directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Queries need a state that is there already.
    #[error("there is no state in `{}` yet; `alchemiser run` creates it", .0.display())]
    Missing(PathBuf),
    /// Content of earlier runs is there, and what it belongs to is not.
    #[error(
        "`{}` has content of earlier runs and no database; put `alchemiser.db` back from a copy, or \
         begin anew in another directory with `--state`",
        .0.display()
    )]
    Lost(PathBuf),
    /// The path names a file.
    #[error("`{}` is not a directory; choose another with `--state`", .0.display())]
    NotADirectory(PathBuf),
    /// The directory belongs to something else.
    #[error(
        "`{}` holds other files and no state of ours; choose an empty or a new directory with `--state`",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The database belongs to something else, or is none.
    #[error("`{}` is not a database of this program; choose another directory with `--state`", .0.display())]
    ForeignDatabase(PathBuf),
    /// A later version of this program wrote it.
    #[error(
        "`{}` has version {found} and this program knows versions up to {known}; use the version of the program that wrote it",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The latest version known here.
        known: usize,
    },
    /// It has to be migrated, which a query does not do.
    #[error("`{}` has the old version {found}; `alchemiser run` brings it up to date", path.display())]
    Older {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: usize,
    },
    /// It has to be migrated, which must not happen under somebody's feet.
    #[error(
        "`{}` has to be brought up to date, and is in use by {}; stop that first",
        path.display(),
        by.join(" and ")
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The processes at work on it, as they said of themselves.
        by: Vec<String>,
    },
    /// A process was killed while it wrote, and what it wrote last can be read
    /// only where the directory can be written.
    #[error(
        "`{}` was not closed properly and cannot be put right where nothing can be written \
         ({reason}); make its directory writable, or copy it to where it is",
        path.display()
    )]
    NotClosed {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The file system refused something.
    #[error("`{}` cannot be used: {source}{}", path.display(), advice(source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The database refused something: what, and what to do about it.
    #[error("{0}")]
    Database(String),
}

/// What to do about an error of the file system.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make it writable for this user, or choose another with `--state`"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space and run it again, nothing committed is lost"
        }
        _ => "",
    }
}

impl OpenError {
    /// For `map_err`: the file system refused something at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
