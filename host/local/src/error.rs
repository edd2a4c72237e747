//! Why a state directory cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

/// A state directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Queries need a state that is there already.
    #[error("there is no state in `{}` yet; `alchemiser run` creates it", .0.display())]
    Missing(PathBuf),
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
    #[error("`{}` has to be brought up to date and another process is using it; stop that one first", .0.display())]
    InUse(PathBuf),
    /// The database is not what was written.
    #[error("`{}` is damaged ({reason}); restore the directory from a copy, or move it away to begin anew", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        reason: String,
    },
    /// The file system refused something.
    #[error("`{}` cannot be used: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The database refused something.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

impl OpenError {
    /// For `map_err`: the file system refused something at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
