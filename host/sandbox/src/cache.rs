//! Compiled plugins on disk, so that each is compiled once on a machine.
//!
//! An artefact is native code and runs outside the sandbox. So the folder must
//! belong to the user and be closed to everybody else, and each file carries a
//! checksum; what does not fit is not used, and compiled again.

use crate::settings::CacheLocation;
use alchemiser_events::Sha256Digest;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled plugins of one engine.
pub(crate) struct Cache {
    /// `None` where nothing is kept.
    folder: Option<PathBuf>,
}

/// Why an artefact is not used or not kept. It costs time, never a result.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} {problem}; compiled plugins are native code and are not kept there", .path.display())]
    Unsafe {
        path: PathBuf,
        problem: &'static str,
    },
    #[error("{} is damaged", .path.display())]
    Damaged { path: PathBuf },
    #[error("{} does not fit this engine: {message}", .path.display())]
    Foreign { path: PathBuf, message: String },
}

impl Cache {
    /// The cache of an engine: artefacts of another version of wasmtime, other
    /// settings or another processor lie in another folder.
    pub(crate) fn open(location: &CacheLocation, engine: &Engine) -> Self {
        let root = match location {
            CacheLocation::User => {
                dirs::cache_dir().map(|cache| cache.join("alchemiser").join("aot"))
            }
            CacheLocation::Directory(folder) => Some(folder.clone()),
            CacheLocation::Disabled => None,
        };
        let folder = root.and_then(|root| {
            let folder = root.join(compatibility(engine));
            match closed_folder(&root).and_then(|()| closed_folder(&folder)) {
                Ok(()) => Some(folder),
                Err(error) => {
                    tracing::warn!(%error, "compiled plugins are not cached");
                    None
                }
            }
        });
        Self { folder }
    }

    /// The artefact of a component, if there is one that can be trusted.
    pub(crate) fn load(&self, engine: &Engine, digest: Sha256Digest) -> Option<Component> {
        let path = self.path(digest)?;
        match read(engine, &path) {
            Ok(component) => component,
            Err(error) => {
                tracing::warn!(%error, "a compiled plugin cannot be used and is made again");
                None
            }
        }
    }

    /// Keeps the artefact of a component.
    pub(crate) fn store(&self, digest: Sha256Digest, component: &Component) {
        let Some(path) = self.path(digest) else {
            return;
        };
        let stored = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|artefact| write(&path, &artefact));
        match stored {
            Ok(()) => self.prune(),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a compiled plugin could not be kept");
            }
        }
    }

    /// Removes the oldest artefacts: every build of a plugin leaves one.
    fn prune(&self) {
        const KEPT: usize = 100;
        const KEPT_BYTES: u64 = 512 << 20;
        let files = self
            .folder
            .iter()
            .flat_map(fs::read_dir)
            .flatten()
            .flatten();
        let mut files: Vec<_> = files
            .filter_map(|file| {
                let metadata = file.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), file.path()))
            })
            .collect();
        files.sort();
        let mut bytes = 0;
        for (newer, (_, size, path)) in files.into_iter().rev().enumerate() {
            bytes += size;
            // The newest is the one that was just written, however large it is.
            if newer >= KEPT || (newer > 0 && bytes > KEPT_BYTES) {
                // Another process may have been faster.
                let _ = fs::remove_file(path);
            }
        }
    }

    fn path(&self, digest: Sha256Digest) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{digest}.cwasm")))
    }
}

/// A name for everything that an artefact depends on.
fn compatibility(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Reads an artefact; `None` if there is none.
fn read(engine: &Engine, path: &Path) -> Result<Option<Component>, CacheError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(CacheError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let intact = bytes
        .split_last_chunk()
        .is_some_and(|(artefact, sum)| *sum == checksum(artefact));
    if !intact {
        return Err(CacheError::Damaged {
            path: path.to_owned(),
        });
    }
    let component = map(engine, path).map_err(|error| CacheError::Foreign {
        path: path.to_owned(),
        message: format!("{error:#}"),
    })?;
    Ok(Some(component))
}

/// Maps an artefact into memory as a component.
///
/// The file must hold what [`Component::serialize`] answered, and must not
/// change while the component lives: wasmtime checks that an artefact was made
/// for this engine, and cannot check that its machine code is what it compiled.
///
/// Both hold because of how the file came here. [`closed_folder`] has made sure
/// that nobody but this user can write, rename or remove anything in the folder,
/// and whoever can act as this user needs no plugin to run code as this user.
/// This program writes nothing there but `serialize`'s answer, and never into a
/// file that is there: a new one takes its name, and the old one stays mapped
/// where it is. Whether the disk gave back what was written, [`read`] has just
/// checked.
#[allow(unsafe_code)]
fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file is an unchanging answer of `serialize`, as argued above.
    unsafe { Component::deserialize_file(engine, path) }
}

/// What follows an artefact in its file. It guards against accidents; attackers
/// are kept out by the folder.
fn checksum(artefact: &[u8]) -> [u8; 4] {
    crc32fast::hash(artefact).to_le_bytes()
}

/// Writes a file that is there whole or not at all. After a loss of power it may
/// be damaged, which its checksum tells; waiting for the disk would cost as much
/// as compiling a small plugin.
fn write(path: &Path, artefact: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // Readable by this user only, as temporary files are.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(artefact)?;
    file.write_all(&checksum(artefact))?;
    file.persist(path)?;
    Ok(())
}

/// Makes a folder that belongs to this user and is closed to all others, or
/// checks that one is.
fn closed_folder(path: &Path) -> Result<(), CacheError> {
    let io = |source| CacheError::Io {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    match closed_folder_builder().create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        Ok(()) | Err(_) => {}
    }
    // Not following a link: it could be turned to elsewhere later.
    let metadata = fs::symlink_metadata(path).map_err(io)?;
    let problem = if metadata.is_dir() {
        openness(&metadata)
    } else {
        Some("is not a folder")
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(CacheError::Unsafe {
            path: path.to_owned(),
            problem,
        }),
    }
}

#[cfg(unix)]
fn closed_folder_builder() -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(unix)]
fn openness(metadata: &fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        Some("belongs to another user")
    } else if metadata.mode() & 0o077 != 0 {
        Some("is open to other users (it needs mode 0700)")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn closed_folder_builder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// A user's profile is closed to other users by the system itself.
#[cfg(not(unix))]
fn openness(_metadata: &fs::Metadata) -> Option<&'static str> {
    None
}
