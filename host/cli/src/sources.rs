//! The files that a worker is made of, as they lay on disk at one moment.

use crate::input::read_file;
use crate::project::Project;
use alchemiser_worker::Book;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The routes, the book, the strategy files and components that the book names.
///
/// Two that are equal make the same worker. What is made from one is in force
/// only if it still equals what lies on disk afterwards; a file that was being
/// written while it was read does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    root: PathBuf,
    routes: PathBuf,
    book: PathBuf,
    files: BTreeMap<PathBuf, Read>,
    components: BTreeMap<PathBuf, Option<Stamp>>,
}

/// What came of reading a file.
type Read = Result<Vec<u8>, Unreadable>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unreadable {
    kind: io::ErrorKind,
    message: String,
}

/// Tells versions of a file apart without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// Device and number of the file, and when anything about it changed, its
    /// name included.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    /// The stamp of a file, or of a link as the file that it leads to.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path)
            .ok()
            .map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: (
                metadata.dev(),
                metadata.ino(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ),
        }
    }
}

impl Sources {
    /// Reads what is there. What cannot be read is noted, and is an error where
    /// it is needed.
    pub fn read(project: &Project) -> Self {
        let routes = project.routes_file();
        let book = project.book_file();
        let mut sources = Self {
            root: project.root().to_owned(),
            files: BTreeMap::from([
                (routes.clone(), noted(read_regular(&routes))),
                (book.clone(), noted(read_regular(&book))),
            ]),
            components: BTreeMap::new(),
            routes,
            book,
        };
        let portfolio = &project.settings.plugins.portfolio;
        let mut plugins = BTreeSet::from([portfolio.clone()]);
        if let Some(book) = sources.parsed_book() {
            for entry in &book.entries {
                plugins.insert(entry.source.plugin.clone());
                if let Some(file) = &entry.source.file {
                    let path = book.directory().join(file);
                    let content = noted(read_regular(&path));
                    sources.files.insert(path, content);
                }
            }
        }
        for plugin in plugins {
            let path = project.plugin(&plugin);
            let stamp = Stamp::of(&path);
            sources.components.insert(path, stamp);
        }
        sources
    }

    /// The routes.
    pub fn routes(&self) -> io::Result<Vec<u8>> {
        self.file(&self.routes)
    }

    /// The book.
    pub fn book(&self) -> io::Result<Vec<u8>> {
        self.file(&self.book)
    }

    /// A strategy file of the book.
    pub fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(error)) => Err(io::Error::new(error.kind, error.message.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether a plugin that is needed has not been built.
    pub fn lack_a_component(&self) -> bool {
        self.components.values().any(Option::is_none)
    }

    /// Whether a plugin of this name is among them.
    pub fn uses(&self, plugin: &str) -> bool {
        let is_it = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == plugin);
        self.components.keys().any(is_it)
    }

    /// The folders that they lie in.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let paths = self.files.keys().chain(self.components.keys());
        paths
            .filter_map(|path| path.parent().map(Path::to_owned))
            .collect()
    }

    /// What they are called within their folders.
    pub fn names(&self) -> BTreeSet<OsString> {
        let paths = self.files.keys().chain(self.components.keys());
        paths
            .filter_map(|path| path.file_name().map(OsStr::to_owned))
            .collect()
    }

    /// Which files differ between two moments, as the project names them.
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let files = differing(&self.files, &earlier.files);
        let components = differing(&self.components, &earlier.components);
        let paths: BTreeSet<&PathBuf> = files.chain(components).collect();
        paths.into_iter().map(|path| self.named(path)).collect()
    }

    fn named(&self, path: &Path) -> String {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or(path.to_owned());
        // An empty path is this folder.
        let root = absolute(&Path::new(".").join(&self.root));
        let path = absolute(path);
        let within = path.strip_prefix(&root).unwrap_or(&path);
        within.display().to_string()
    }

    fn parsed_book(&self) -> Option<Book> {
        let text = String::from_utf8(self.book().ok()?).ok()?;
        Book::parse(&text, &self.book).ok()
    }
}

/// Reads a file. What else may have its name, such as a pipe, could keep its
/// reader waiting for good.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    read_file(path)
}

fn noted(read: io::Result<Vec<u8>>) -> Read {
    read.map_err(|error| Unreadable {
        kind: error.kind(),
        message: error.to_string(),
    })
}

/// The keys whose values differ. What only one of the two has is not changed: the
/// book has begun to name it, or does no longer.
fn differing<'a, K: Ord, V: PartialEq>(
    left: &'a BTreeMap<K, V>,
    right: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = &'a K> {
    left.iter()
        .filter(|(key, value)| right.get(key).is_some_and(|other| other != *value))
        .map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stamp_tells_a_file_that_was_written_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("momentum.wasm");
        assert_eq!(Stamp::of(&path), None);
        fs::write(&path, "one").unwrap();
        let first = Stamp::of(&path);
        assert_eq!(Stamp::of(&path), first);

        let other = folder.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_ne!(Stamp::of(&path), first);
    }

    #[test]
    fn what_differs_is_named_and_what_only_one_has_is_not() {
        let left = BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
        let right = BTreeMap::from([("b", 2), ("c", 4), ("d", 5)]);
        let names: Vec<_> = differing(&left, &right).copied().collect();
        assert_eq!(names, ["c"]);
    }
}
