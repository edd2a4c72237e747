//! Where things lie.

use crate::arguments::{Arguments, Data, State};
use crate::failure::{CommandFailure, CommandResult};
use crate::input::{read_file, utf8};
use crate::refusal::Refusal;
use crate::settings::Settings;
use alchemiser_rules::{ReadFile, Routes, Surroundings};
use alchemiser_worker::Book;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// A project: a folder with `routes.toml`, a book of strategies, settings.
pub struct Project {
    root: PathBuf,
    /// The effective settings.
    pub settings: Settings,
}

impl Project {
    /// What makes a folder a project.
    pub const MARK: &'static str = "routes.toml";

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
        let settings = Settings::load(&root.join("alchemiser.toml"))?;
        Ok(Some(Self { root, settings }))
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The routes.
    pub fn routes(&self) -> CommandResult<Routes> {
        self.read_routes(None)
    }

    /// The routes, when the files that their tests name are there and are
    /// events.
    pub fn routes_and_events(&self) -> CommandResult<Routes> {
        let read = |path: &Path| {
            let file = read_file(&self.root.join(path));
            file.map_err(|error| error.to_string())
        };
        self.read_routes(Some(&read))
    }

    fn read_routes(&self, event_file: Option<ReadFile<'_>>) -> CommandResult<Routes> {
        let refused = |message: String| CommandFailure::usage("RoutesError", message);
        let path = self.root.join(Self::MARK);
        let name = path.display().to_string();
        let bytes = read_file(&path).map_err(|error| refused(format!("{name}: {error}")))?;
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
        Book::load(&self.resolve(&self.settings.strategy.book))
            .map_err(|error| CommandFailure::usage("BookError", error))
    }

    /// Where a plugin's component lies.
    pub fn plugin(&self, name: &str) -> PathBuf {
        self.plugins().join(format!("{name}.wasm"))
    }

    /// Where the components of plugins lie.
    pub fn plugins(&self) -> PathBuf {
        self.resolve(&self.settings.plugins.directory)
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
