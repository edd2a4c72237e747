//! Where things lie.

use crate::arguments::{Arguments, Data, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::input::{read_file, utf8};
use crate::refusal::Refusal;
use crate::settings::Settings;
use alchemiser_rules::{ReadFile, Routes, Surroundings};
use alchemiser_worker::Book;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A project: a folder with `routes.toml`, a book of strategies, settings.
#[derive(Clone)]
pub struct Project {
    root: PathBuf,
    /// The effective settings.
    pub settings: Settings,
}

impl Project {
    /// What makes a folder a project.
    pub const MARK: &'static str = "routes.toml";

    /// Where settings lie within it.
    pub const SETTINGS: &'static str = "alchemiser.toml";

    /// Finds the project and reads its settings.
    pub fn open(arguments: &Arguments) -> CommandResult<Self> {
        Self::find(arguments)?.ok_or_else(|| {
            CommandFailure::usage(
                "NoProject",
                format!(
                    "there is no `{}` in this folder nor above it; go to the project's folder \
                     or name it with `--project`",
                    Self::MARK
                ),
            )
        })
    }

    /// The same; none if no project is named and there is none here.
    pub fn find(arguments: &Arguments) -> CommandResult<Option<Self>> {
        let root = match &arguments.project {
            Some(root) if root.join(Self::MARK).is_file() => root.clone(),
            Some(root) => {
                let message = format!("there is no `{}` in {}", Self::MARK, root.display());
                return Err(CommandFailure::usage("NoProject", message));
            }
            None => match nearest(Self::MARK) {
                Some(root) => root,
                None => return Ok(None),
            },
        };
        let settings = Settings::load(&root.join(Self::SETTINGS))?;
        Ok(Some(Self { root, settings }))
    }

    /// The project; where there is none, this folder with settings of its own or
    /// the usual ones. For what needs limits and no book.
    pub fn open_or_here(arguments: &Arguments) -> CommandResult<Self> {
        if arguments.project.is_some() || nearest(Self::MARK).is_some() {
            return Self::open(arguments);
        }
        let settings = Settings::load(Path::new("alchemiser.toml"))?;
        let root = PathBuf::new();
        Ok(Self { root, settings })
    }

    /// Whether there is one.
    pub fn is_one(&self) -> bool {
        self.root.join(Self::MARK).is_file()
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the routes lie.
    pub fn routes_file(&self) -> PathBuf {
        self.root.join(Self::MARK)
    }

    /// Where the book lies.
    pub fn book_file(&self) -> PathBuf {
        self.resolve(&self.settings.strategy.book)
    }

    /// The routes.
    pub fn routes(&self) -> CommandResult<Routes> {
        self.routes_of(read_file(&self.routes_file()))
    }

    /// The routes, when the files that their tests name are there and are
    /// events.
    pub fn routes_and_events(&self) -> CommandResult<Routes> {
        let event_file = |path: &Path| {
            let file = read_file(&self.root.join(path));
            file.map_err(|error| error.to_string())
        };
        self.parse_routes(read_file(&self.routes_file()), Some(&event_file))
    }

    /// The routes in what was read of their file at some moment.
    pub fn routes_of(&self, read: io::Result<Vec<u8>>) -> CommandResult<Routes> {
        self.parse_routes(read, None)
    }

    fn parse_routes(
        &self,
        read: io::Result<Vec<u8>>,
        event_file: Option<ReadFile<'_>>,
    ) -> CommandResult<Routes> {
        let refused = |message: String| CommandFailure::usage("RoutesError", message);
        let name = self.routes_file().display().to_string();
        let bytes = read.map_err(|error| refused(format!("{name}: {error}")))?;
        let text = utf8(&bytes, &name).map_err(refused)?;
        let surroundings = Surroundings {
            environment: &|name| std::env::var(name).ok(),
            event_file,
        };
        Routes::parse_in(text, Self::MARK, surroundings).map_err(|error| {
            CommandFailure::Refused(Box::new(Refusal::of_routes(text.to_owned(), error)))
        })
    }

    /// The book of strategies.
    pub fn book(&self) -> CommandResult<Book> {
        self.book_of(read_file(&self.book_file()))
    }

    /// The book in what was read of its file at some moment.
    pub fn book_of(&self, read: io::Result<Vec<u8>>) -> CommandResult<Book> {
        let refused = |message: String| CommandFailure::usage("BookError", message);
        let path = self.book_file();
        let name = path.display().to_string();
        let bytes = read.map_err(|error| refused(format!("{name}: {error}")))?;
        let text = utf8(&bytes, &name).map_err(refused)?;
        Book::parse(text, &path).map_err(|error| CommandFailure::usage("BookError", error))
    }

    /// Where a plugin's component lies.
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.wasm"))
    }

    /// Where the components of plugins lie.
    pub fn plugins(&self) -> PathBuf {
        self.resolve(&self.settings.plugins.directory)
    }

    /// Whether plugins can be built here.
    pub fn is_workspace(&self) -> bool {
        self.root.join("Cargo.toml").is_file()
    }

    /// The plugins whose sources lie in the project, each with its folder.
    pub fn plugin_crates(&self) -> BTreeMap<String, PathBuf> {
        let crates = self.crates().into_iter();
        crates
            .filter(|(_, (_, makes_a_module))| *makes_a_module)
            .map(|(name, (folder, _))| (name, folder))
            .collect()
    }

    /// The folder in which a plugin's sources lie, or would.
    pub fn plugin_crate(&self, name: &str) -> PathBuf {
        let found = self.crates().remove(name);
        found.map_or_else(
            || self.root.join("plugins").join(name),
            |(folder, _)| folder,
        )
    }

    /// A crate that has a plugin's name and makes none.
    pub fn crate_without_a_module(&self, name: &str) -> Option<PathBuf> {
        let (folder, makes_a_module) = self.crates().remove(name)?;
        (!makes_a_module).then_some(folder)
    }

    /// The crates where plugins lie, with their folders, and whether they make a
    /// module: others are libraries for them.
    fn crates(&self) -> BTreeMap<String, (PathBuf, bool)> {
        let folders = std::fs::read_dir(self.root.join("plugins"));
        let folders = folders.into_iter().flatten().flatten();
        folders
            .filter_map(|folder| {
                let folder = folder.path();
                let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
                let own_name = folder.file_name()?.to_str()?;
                // One that is being edited is a plugin's still.
                let (name, makes_a_module) = match manifest.parse::<toml::Table>() {
                    Ok(manifest) => package(&manifest),
                    Err(_) => (None, true),
                };
                let name = name.unwrap_or_else(|| own_name.to_owned());
                Some((name, (folder, makes_a_module)))
            })
            .collect()
    }

    /// Where prices come from: the flag, else the settings.
    pub fn data(&self, data: &Data) -> PathBuf {
        data.data
            .clone()
            .unwrap_or_else(|| self.resolve(&self.settings.data.path))
    }

    /// Where the state is kept: the flag, else the settings.
    pub fn state(&self, state: &State) -> PathBuf {
        state
            .state
            .clone()
            .unwrap_or_else(|| self.resolve(&self.settings.app.state))
    }

    /// Paths in settings are relative to the project.
    fn resolve(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

/// The nearest folder, from here upwards, that holds a file.
fn nearest(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let found = here
        .ancestors()
        .find(|folder| folder.join(file).is_file())?;
    // Paths are printed; short ones read better.
    Some(if found == here {
        PathBuf::new()
    } else {
        found.to_owned()
    })
}

/// The name of a package, and whether it makes a module.
fn package(manifest: &toml::Table) -> (Option<String>, bool) {
    let name = manifest.get("package").and_then(|it| it.get("name"));
    let library = manifest.get("lib");
    let kinds = library.and_then(|it| it.get("crate-type")?.as_array());
    let is_module = |kind: &toml::Value| kind.as_str() == Some("cdylib");
    (
        name.and_then(|name| Some(name.as_str()?.to_owned())),
        kinds.is_some_and(|kinds| kinds.iter().any(is_module)),
    )
}

/// The names of the components in a folder, which need not exist yet.
pub fn components(folder: &Path) -> io::Result<BTreeSet<String>> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            let message = format!("{}: {error}", folder.display());
            return Err(io::Error::new(error.kind(), message));
        }
    };
    let mut names = BTreeSet::new();
    for file in files {
        let path = file?.path();
        // A name that is no text cannot be named in a book either.
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}
