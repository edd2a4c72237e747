//! Puts the parts together: plugins, strategies, prices.

use crate::failure::{CommandFailure, CommandResult};
use crate::project::{Project, components};
use crate::settings::SandboxSettings;
use crate::sources::Stamp;
use alchemiser_events::{StrategyName, Weight};
use alchemiser_market::{CsvSource, Market};
use alchemiser_sandbox::{Plugin, Sandbox, StrategyFile, StrategyRequest};
use alchemiser_suggest::{instead_of, nearest};
use alchemiser_worker::{BookEntry, BookStrategy, StrategySource};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Loads each plugin once, and again when its file has changed.
pub struct Plugins<'a> {
    project: &'a Project,
    sandbox: Sandbox,
    loaded: BTreeMap<String, (Option<Stamp>, Plugin)>,
}

impl<'a> Plugins<'a> {
    /// Sets up the sandbox; no plugin is loaded.
    pub fn new(project: &'a Project) -> CommandResult<Self> {
        Self::within(project, project.settings.sandbox.sandbox())
    }

    /// The same, for plugins that change a little from one time to the next.
    pub fn changing(project: &'a Project) -> CommandResult<Self> {
        let settings = alchemiser_sandbox::Settings {
            keep_functions: true,
            ..project.settings.sandbox.sandbox()
        };
        Self::within(project, settings)
    }

    /// The same, in a sandbox that counts instructions.
    pub fn counting_fuel(project: &'a Project) -> CommandResult<Self> {
        let settings = alchemiser_sandbox::Settings {
            count_fuel: true,
            ..project.settings.sandbox.sandbox()
        };
        Self::within(project, settings)
    }

    fn within(project: &'a Project, settings: alchemiser_sandbox::Settings) -> CommandResult<Self> {
        limited_plugins_are_there(project)?;
        let sandbox = Sandbox::new(settings)
            .map_err(|error| CommandFailure::failed("SandboxError", error))?;
        Ok(Self {
            project,
            sandbox,
            loaded: BTreeMap::new(),
        })
    }

    /// The project's plugin of a name.
    pub fn named(&mut self, name: &str) -> CommandResult<Plugin> {
        let path = self.project.plugin(name);
        if !path.is_file() {
            return Err(not_there(self.project, name));
        }
        self.file(name, &path)
    }

    /// The plugin in a file.
    pub fn file(&mut self, name: &str, path: &Path) -> CommandResult<Plugin> {
        // Before it is read: what is written meanwhile is read once more.
        let stamp = Stamp::of(path);
        if let Some((loaded, plugin)) = self.loaded.get(name)
            && *loaded == stamp
        {
            return Ok(plugin.clone());
        }
        let plugin = self
            .sandbox
            .load_file(name, path)
            .map_err(|error| CommandFailure::usage("PluginError", error))?;
        self.loaded.insert(name.to_owned(), (stamp, plugin.clone()));
        Ok(plugin)
    }

    /// A strategy of the book, its file read.
    pub fn strategy(&mut self, entry: &BookEntry, folder: &Path) -> CommandResult<BookStrategy> {
        self.strategy_reading(entry, folder, |path| std::fs::read(path))
    }

    /// The same, with another way to read its file.
    pub fn strategy_reading(
        &mut self,
        entry: &BookEntry,
        folder: &Path,
        read: impl FnOnce(&Path) -> io::Result<Vec<u8>>,
    ) -> CommandResult<BookStrategy> {
        let plugin = self.named(&entry.source.plugin)?;
        let files = match &entry.source.file {
            Some(name) => {
                let path = folder.join(name);
                let content = read(&path).map_err(|error| {
                    let message = format!("strategy `{}`: {}: {error}", entry.name, path.display());
                    CommandFailure::usage("StrategyFileError", message)
                })?;
                let name = name.clone();
                vec![StrategyFile { name, content }]
            }
            None => Vec::new(),
        };
        Ok(BookStrategy {
            entry: entry.clone(),
            plugin,
            request: StrategyRequest {
                parameters: entry.parameters.to_string(),
                files,
            },
        })
    }

    /// A strategy file that need not be in the book.
    pub fn strategy_file(&mut self, file: &str) -> CommandResult<BookStrategy> {
        let name = target_name(file)?;
        let entry = alone(name, StrategySource::FILE_PLUGIN, Some(file));
        self.strategy(&entry, Path::new(""))
    }

    /// A plugin of the project, without parameters, as a strategy that stands in
    /// no book.
    pub fn plugin_alone(&mut self, name: &str) -> CommandResult<BookStrategy> {
        let plugin = self.named(name)?;
        Ok(without_parameters(target_name(name)?, plugin))
    }

    /// The same of the plugin in a file.
    pub fn component_alone(&mut self, name: &str, file: &Path) -> CommandResult<BookStrategy> {
        let plugin = self.file(name, file)?;
        Ok(without_parameters(target_name(name)?, plugin))
    }

    /// What a user names on the command line: a strategy of the book, a
    /// strategy file, or a plugin's component.
    pub fn target(&mut self, target: &str) -> CommandResult<BookStrategy> {
        let path = Path::new(target);
        let extension = path.extension().and_then(|extension| extension.to_str());
        let name = target_name(target)?;
        match extension {
            Some("clj") => self.strategy_file(target),
            Some("wasm") => {
                if !path.is_file() {
                    let message = format!("there is no file {target}");
                    return Err(CommandFailure::usage("PluginMissing", message));
                }
                let stem = path
                    .file_stem()
                    .map_or(target.into(), |stem| stem.to_string_lossy());
                Ok(without_parameters(name, self.file(&stem, path)?))
            }
            _ => {
                let book = self.project.book()?;
                match book.entry(target) {
                    Some(entry) => self.strategy(entry, book.directory()),
                    None => Err(unknown_strategy(target, &book.entries)),
                }
            }
        }
    }
}

fn target_name(target: &str) -> CommandResult<StrategyName> {
    StrategyName::parse(target)
        .ok_or_else(|| CommandFailure::usage("UnknownStrategy", "the target is empty"))
}

/// A plugin as a strategy that stands in no book.
fn without_parameters(name: StrategyName, plugin: Plugin) -> BookStrategy {
    BookStrategy {
        entry: alone(name, plugin.name(), None),
        request: StrategyRequest {
            parameters: "{}".to_owned(),
            files: Vec::new(),
        },
        plugin,
    }
}

/// A book's entry for what stands in no book.
fn alone(name: StrategyName, plugin: &str, file: Option<&str>) -> BookEntry {
    BookEntry {
        name,
        weight: Weight::ONE,
        source: StrategySource {
            plugin: plugin.to_owned(),
            file: file.map(str::to_owned),
        },
        parameters: serde_json::json!({}),
    }
}

/// Limits of a plugin that is not there do not hold for the one that was meant.
fn limited_plugins_are_there(project: &Project) -> CommandResult {
    let wrong = |message| CommandFailure::usage("ConfigurationError", message);
    let mut known = components(&project.plugins()).map_err(|error| wrong(error.to_string()))?;
    known.extend(SandboxSettings::default().plugin.into_keys());
    let mut limited = project.settings.sandbox.plugin.keys();
    let Some(unknown) = limited.find(|name| !known.contains(*name)) else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(wrong(format!(
        "setting `sandbox.plugin.{unknown}`: there is no such plugin; {}",
        instead_of(unknown, &known)
    )))
}

/// A crate of the project that does not make the plugin that it is named after.
pub fn makes_no_plugin(folder: &Path) -> String {
    format!(
        "{} makes no plugin; its library needs `crate-type = [\"cdylib\", \"rlib\"]`",
        folder.join("Cargo.toml").display()
    )
}

/// A plugin that is not built, or that there is not.
pub fn not_there(project: &Project, name: &str) -> CommandFailure {
    let crates = project.plugin_crates();
    let advice = if crates.contains_key(name) && project.is_workspace() {
        format!("`alchemiser plugin build {name}` builds it")
    } else {
        let mut known = components(&project.plugins()).unwrap_or_default();
        known.extend(crates.into_keys());
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match known.is_empty() {
            true => "`alchemiser plugin new` begins one".to_owned(),
            false => instead_of(name, &known),
        }
    };
    let path = project.plugin(name);
    CommandFailure::usage(
        "PluginMissing",
        format!("plugin `{name}`: there is no {}; {advice}", path.display()),
    )
}

fn unknown_strategy(target: &str, entries: &[BookEntry]) -> CommandFailure {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let hint = match nearest(target, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!(
            "the book has {}; a file ends in `.clj`, a plugin in `.wasm`",
            names.join(", ")
        ),
    };
    CommandFailure::usage(
        "UnknownStrategy",
        format!("there is no strategy `{target}`: {hint}"),
    )
}

/// Reads the prices.
pub fn market(path: &Path) -> CommandResult<Arc<Market>> {
    CsvSource::new(path)
        .read()
        .map(Arc::new)
        .map_err(|error| CommandFailure::usage("PriceError", error))
}

/// The runtime that everything asynchronous runs on.
pub fn runtime() -> CommandResult<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().map_err(|error| CommandFailure::failed("RuntimeError", error))
}
