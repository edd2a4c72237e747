//! Projects to try things in.

use crate::program::{Alchemiser, built, plugins, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A project of a test's own: the shipped one, copied, with the prices and
/// plugins of the workspace.
#[derive(Debug)]
pub struct Project {
    path: PathBuf,
    /// It is removed with this value.
    _folder: Option<TempDir>,
}

impl Project {
    /// A copy of the shipped project.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::at(folder.path().to_owned(), Some(folder))
    }

    /// The same in a folder beside what is built of these tests, which stays. No
    /// two tests at work may have one of the same name.
    #[must_use]
    pub fn beside_the_tests(name: &str) -> Self {
        let path = built().join("../projects").join(name);
        // There may have been none.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder can be made beside the tests");
        Self::at(path, None)
    }

    fn at(path: PathBuf, folder: Option<TempDir>) -> Self {
        let project = Self {
            path,
            _folder: folder,
        };
        project.copy(&workspace().join("routes.toml"), "routes.toml");
        for strategy in files(&workspace().join("strategies")) {
            project.copy(&strategy, &format!("strategies/{}", name(&strategy)));
        }
        project.settings("")
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The program in it.
    #[must_use]
    pub fn alchemiser(&self) -> Alchemiser {
        Alchemiser::within(self.path())
    }

    /// The same with these settings besides where prices and plugins lie.
    #[must_use]
    pub fn settings(self, settings: &str) -> Self {
        let own = self.path().join("plugins");
        let plugins = if own.is_dir() { &own } else { plugins() };
        let data = workspace().join("data");
        let text = format!("data.path = {data:?}\nplugins.directory = {plugins:?}\n{settings}\n");
        self.file("alchemiser.toml", text)
    }

    /// The same with a file, which replaces one that is there.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(name, content);
        self
    }

    /// The same with another book.
    #[must_use]
    pub fn book(self, book: &str) -> Self {
        self.file("strategies/book.toml", book)
    }

    /// The same with a plugin folder of its own, which holds this component
    /// besides the shipped ones. Settings made before are gone.
    #[must_use]
    pub fn plugin(self, plugin: &str, component: &[u8]) -> Self {
        if !self.path().join("plugins").is_dir() {
            for shipped in files(plugins()) {
                self.copy(&shipped, &format!("plugins/{}", name(&shipped)));
            }
        }
        self.file(&format!("plugins/{plugin}.wasm"), component)
            .settings("")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made in a temporary folder");
        fs::write(path, content).expect("a file can be written in a temporary folder");
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).expect("the file is there");
    }

    fn copy(&self, from: &Path, to: &str) {
        let content = fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        self.write(to, content);
    }
}

impl Default for Project {
    fn default() -> Self {
        Self::new()
    }
}

/// The manifest of a plugin crate that is built elsewhere.
pub const MANIFEST: &str = "[lib]\ncrate-type = [\"cdylib\"]\n";

/// A component that does the same and is another build, one for each mark.
#[must_use]
pub fn another_build(component: &[u8], mark: u32) -> Vec<u8> {
    // A custom section: its number, its length, the length of its name, the
    // name, and what is in it.
    let head = [0, 9, 4, b'm', b'a', b'r', b'k'];
    [component, &head, &mark.to_le_bytes()].concat()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("files have names");
    name.to_string_lossy().into_owned()
}
