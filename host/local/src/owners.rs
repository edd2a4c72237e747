//! Which processes are alive: each holds a lock on a file of its own.
//!
//! The operating system drops the lock when the process ends, however it ends.
//! So an owner whose lock can be taken is gone, and what it had claimed is free.
//! Process identifiers prove nothing: they are used again.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Held while the directory is being opened, so that openings happen one after
/// the other: nobody clears up a lock file between its making and its locking,
/// and nobody reads a schema that is half migrated.
pub(crate) struct Entrance {
    _lock: File,
}

impl Entrance {
    const FILE: &str = "entrance";

    /// Waits for its turn.
    pub(crate) fn pass(locks: &Path) -> io::Result<Self> {
        let path = locks.join(Self::FILE);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            let path = path.display();
            tracing::info!("waiting for a process that is opening the state directory (`{path}`)");
            lock.lock()?;
        }
        Ok(Self { _lock: lock })
    }
}

/// This process among the owners of claims. Each opening of the directory is
/// an owner of its own, also within one process.
pub(crate) struct Owners {
    locks: PathBuf,
    own: NamedTempFile,
    name: String,
}

impl Owners {
    const PREFIX: &str = "owner-";

    /// Makes a new owner.
    pub(crate) fn register(locks: &Path, _entrance: &Entrance) -> io::Result<Self> {
        let own = tempfile::Builder::new()
            .prefix(Self::PREFIX)
            .rand_bytes(12)
            .tempfile_in(locks)?;
        own.as_file().lock()?;
        // For people; where it cannot be written, the lock says enough.
        let _ = own.as_file().write_all(this_process().as_bytes());
        let name = own
            .path()
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Self {
            locks: locks.to_owned(),
            own,
            name,
        })
    }

    /// What this owner's claims are signed with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether an owner's process has ended. An owner of which that cannot be
    /// told counts as alive: then its lease decides.
    pub(crate) fn is_gone(&self, owner: &str) -> bool {
        owner != self.name && is_free(&self.locks.join(owner), File::try_lock_shared)
    }

    /// Removes the files of owners that are gone, and answers which others are
    /// left, as they said of themselves.
    pub(crate) fn clear_up(&self, _entrance: &Entrance) -> io::Result<Vec<String>> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.locks)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with(Self::PREFIX) || name == self.name {
                continue;
            }
            if is_free(&entry.path(), File::try_lock) {
                // Its absence says the same as its being free. If it cannot be
                // removed it does no harm.
                let _ = fs::remove_file(entry.path());
            } else {
                let says = fs::read_to_string(entry.path()).unwrap_or_default();
                others.push(match says.trim() {
                    "" => format!("the process that holds `{}`", entry.path().display()),
                    says => says.to_owned(),
                });
            }
        }
        Ok(others)
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        // Explicit, although closing the file does it too: a child process that
        // is just being started may hold a copy of the handle for a moment.
        let _ = self.own.as_file().unlock();
    }
}

/// This process, for people who want to know who is in their way.
fn this_process() -> String {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    format!(
        "process {} (alchemiser {})",
        std::process::id(),
        arguments.join(" ")
    )
}

/// Whether nobody holds the lock. Those who only ask take a shared one, so that
/// they do not take each other for the owner.
fn is_free(path: &Path, try_lock: fn(&File) -> Result<(), TryLockError>) -> bool {
    match File::open(path) {
        Ok(file) => try_lock(&file).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn register(locks: &Path) -> Owners {
        Owners::register(locks, &Entrance::pass(locks).unwrap()).unwrap()
    }

    #[test]
    fn an_owner_is_there_until_it_goes() {
        let locks = tempfile::tempdir().unwrap();
        let first = register(locks.path());
        let second = register(locks.path());
        let name = second.name().to_owned();
        assert_ne!(first.name(), name);
        assert!(!first.is_gone(&name));
        assert!(!first.is_gone(first.name()));
        assert!(!second.is_gone(first.name()));

        drop(second);
        assert!(first.is_gone(&name));
        assert!(first.is_gone("owner-never-was"));
    }

    #[test]
    fn what_a_killed_process_leaves_behind_is_cleared_up() {
        let locks = tempfile::tempdir().unwrap();
        let left_behind = locks.path().join("owner-killed");
        fs::write(&left_behind, "").unwrap();
        let first = register(locks.path());
        assert!(first.is_gone("owner-killed"));

        let entrance = Entrance::pass(locks.path()).unwrap();
        assert!(first.clear_up(&entrance).unwrap().is_empty());
        assert!(!left_behind.exists());
        assert!(first.is_gone("owner-killed"));

        let second = Owners::register(locks.path(), &entrance).unwrap();
        let others = first.clear_up(&entrance).unwrap();
        let this = format!("process {} ", std::process::id());
        assert!(
            others.len() == 1 && others[0].starts_with(&this),
            "{others:?}"
        );
        assert!(!first.is_gone(second.name()));
    }
}
