//! What is tested, and where its scenarios are.

use crate::arguments::{Arguments, PluginTest};
use crate::commands::plugin::build::crate_here;
use crate::failure::{CommandFailure, CommandResult};
use crate::machine::makes_no_plugin;
use crate::project::Project;
use alchemiser_suggest::instead_of;
use alchemiser_worker::Book;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Something to test, and the files with its scenarios.
pub(super) struct Target {
    pub(super) subject: Subject,
    pub(super) files: Vec<PathBuf>,
}

/// What is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A plugin of the project.
    Plugin(String),
    /// A plugin crate that is none of the project's.
    Crate {
        /// Its folder.
        folder: PathBuf,
        /// Its name.
        name: String,
        /// Where its component lies.
        component: PathBuf,
    },
    /// A component.
    Component(PathBuf),
    /// A strategy file.
    Strategy(PathBuf),
}

impl Subject {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Plugin(name) | Self::Crate { name, .. } => format!("plugin {name}"),
            Self::Component(file) => format!("component {}", file.display()),
            Self::Strategy(file) => format!("strategy {}", file.display()),
        }
    }
}

/// The folder that scenarios lie in, beside the source of what they test.
const FOLDER: &str = "tests";

/// What a first scenario of a portfolio plugin looks like.
const FIRST_OF_PORTFOLIO: &str = "[[scenario]]\n\
                                  name = \"buys what is targeted\"\n\
                                  [scenario.request]\n\
                                  cash = 10000\n\
                                  targets = { SPY = 0.6 }\n\
                                  instruments = { SPY = { price = 500 } }\n\
                                  [[scenario.expect]]\n\
                                  symbol = \"SPY\"\n\
                                  action = \"buy\"";

/// What a first scenario of a strategy looks like.
const FIRST: &str = "[[scenario]]\n\
                     name = \"holds what rises\"\n\
                     prices = { UP = [100, 105, 110], DOWN = [10, 9, 8] }\n\
                     [[scenario.expect]]\n\
                     weights = { UP = 1.0 }";

/// The project, which a component and a crate of its own do without.
pub(super) fn project(names: &[String], arguments: &Arguments) -> CommandResult<Project> {
    let is_alone = |name: &String| name.ends_with(".wasm") || is_crate(Path::new(name));
    let needs_none = match names {
        [] => crate_here().is_some(),
        names => names.iter().all(is_alone),
    };
    if needs_none {
        Project::open_or_here(arguments)
    } else {
        Project::open(arguments)
    }
}

/// What the command asks for; without a name the crate of its own that this
/// folder is in, or else all that has scenarios.
pub(super) fn targets(command: &PluginTest, project: &Project) -> CommandResult<Vec<Target>> {
    let subjects = match (&command.names[..], crate_here()) {
        ([], Some(folder)) => vec![crate_in(&short(folder), project)?],
        ([], None) => return everything(project),
        (names, _) => names
            .iter()
            .map(|name| subject(name, project))
            .collect::<CommandResult<_>>()?,
    };
    subjects
        .into_iter()
        .map(|subject| {
            let files = match &command.scenarios {
                Some(path) => given(path)?,
                None => own(&subject, project)?,
            };
            if files.is_empty() {
                return Err(without_scenarios(&subject, project));
            }
            Ok(Target { subject, files })
        })
        .collect()
}

/// What is named on the command line.
fn subject(name: &str, project: &Project) -> CommandResult<Subject> {
    let path = Path::new(name);
    let there = |subject| match path.is_file() {
        true => Ok(subject),
        false => Err(CommandFailure::usage(
            "UnknownPlugin",
            format!("there is no file {name}"),
        )),
    };
    match path.extension().and_then(OsStr::to_str) {
        Some("wasm") => return there(Subject::Component(path.to_owned())),
        Some("clj") => return there(Subject::Strategy(path.to_owned())),
        Some(_) | None if is_crate(path) => return crate_in(path, project),
        Some(_) | None => {}
    }
    let plugins = project.plugin_crates();
    let book = project.book().ok();
    if let Some((book, entry)) = book
        .as_ref()
        .and_then(|book| Some((book, book.entry(name)?)))
    {
        return match &entry.source.file {
            Some(file) => Ok(Subject::Strategy(book.directory().join(file))),
            None => plugin(&entry.source.plugin, project),
        };
    }
    let is_there = plugins.contains_key(name) || project.plugin(name).is_file();
    if is_there || project.crate_without_a_module(name).is_some() {
        return plugin(name, project);
    }
    let mut known: Vec<&str> = plugins.keys().map(String::as_str).collect();
    if let Some(book) = &book {
        known.extend(book.entries.iter().map(|entry| entry.name.as_str()));
    }
    known.sort_unstable();
    known.dedup();
    Err(CommandFailure::usage(
        "UnknownPlugin",
        format!(
            "there is no plugin or strategy `{name}`; {}",
            instead_of(name, &known)
        ),
    ))
}

/// A plugin, unless its crate makes none any more: what lies there was built
/// from something else.
fn plugin(name: &str, project: &Project) -> CommandResult<Subject> {
    match project.crate_without_a_module(name) {
        Some(folder) => {
            let message = makes_no_plugin(&folder);
            Err(CommandFailure::usage("UnknownPlugin", message))
        }
        None => Ok(Subject::Plugin(name.to_owned())),
    }
}

/// A folder as it is named from here. Paths are printed; short ones read better.
fn short(folder: PathBuf) -> PathBuf {
    match std::env::current_dir() {
        Ok(here) if here == folder => PathBuf::new(),
        Ok(_) | Err(_) => folder,
    }
}

fn is_crate(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
}

/// The plugin whose crate a folder is.
fn crate_in(folder: &Path, project: &Project) -> CommandResult<Subject> {
    let manifest = folder.join("Cargo.toml");
    let name = std::fs::read_to_string(&manifest)
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .and_then(|table| Some(table.get("package")?.get("name")?.as_str()?.to_owned()))
        .ok_or_else(|| {
            let message = format!("{}: there is no `name` of a package", manifest.display());
            CommandFailure::usage("UnknownPlugin", message)
        })?;
    let is_own = |own: &Path| own.canonicalize().ok() == folder.canonicalize().ok();
    if project.is_one() && is_own(&project.plugin_crate(&name)) {
        return Ok(Subject::Plugin(name));
    }
    Ok(Subject::Crate {
        component: component_of(folder, &name, project),
        folder: folder.to_owned(),
        name,
    })
}

/// Where `plugin build` puts the component of a crate of its own.
fn component_of(folder: &Path, name: &str, project: &Project) -> PathBuf {
    if project.is_one() {
        project.plugin(name)
    } else {
        folder.join("target/plugins").join(format!("{name}.wasm"))
    }
}

/// Everything that has scenarios.
fn everything(project: &Project) -> CommandResult<Vec<Target>> {
    let mut targets = Vec::new();
    for plugin in project.plugin_crates().into_keys() {
        let subject = Subject::Plugin(plugin);
        let files = own(&subject, project)?;
        if !files.is_empty() {
            targets.push(Target { subject, files });
        }
    }
    let strategies = strategies_folder(project)?;
    for file in listed(&strategies.join(FOLDER), is_scenario_file)? {
        let subject = Subject::Strategy(strategy_of(&file, &strategies)?);
        match targets.iter_mut().find(|target| target.subject == subject) {
            Some(target) => target.files.push(file),
            None => targets.push(Target {
                subject,
                files: vec![file],
            }),
        }
    }
    if targets.is_empty() {
        let message = format!(
            "nothing here has scenarios; write some in plugins/NAME/{FOLDER}/NAME.toml, or in \
             {}/NAME.toml for NAME.clj:\n\n{FIRST}",
            strategies.join(FOLDER).display()
        );
        return Err(CommandFailure::usage("NoScenarios", message));
    }
    Ok(targets)
}

fn strategies_folder(project: &Project) -> CommandResult<PathBuf> {
    let book: CommandResult<Book> = project.book();
    Ok(book?.directory().to_owned())
}

/// The scenario files of a subject, beside its source.
fn own(subject: &Subject, project: &Project) -> CommandResult<Vec<PathBuf>> {
    match subject {
        Subject::Plugin(name) => listed(&project.plugin_crate(name).join(FOLDER), is_scenario_file),
        Subject::Crate { folder, .. } => listed(&folder.join(FOLDER), is_scenario_file),
        Subject::Component(_) => Ok(Vec::new()),
        Subject::Strategy(strategy) => {
            let folder = strategy.parent().unwrap_or(Path::new(""));
            let files = listed(&folder.join(FOLDER), is_scenario_file)?;
            let mut own = Vec::new();
            for file in files {
                if strategy_of(&file, folder)? == *strategy {
                    own.push(file);
                }
            }
            Ok(own)
        }
    }
}

/// The strategy file that a scenario file is about: the one that it names, or
/// else the one whose name its own begins with. `trend-crash.toml` is about
/// `trend.clj` unless there is a `trend-crash.clj`.
fn strategy_of(file: &Path, folder: &Path) -> CommandResult<PathBuf> {
    if let Some(name) = named_strategy(file) {
        let strategy = folder.join(&name);
        if strategy.is_file() {
            return Ok(strategy);
        }
        let message = format!(
            "{}: `strategy = {name:?}`, and there is no {}",
            file.display(),
            strategy.display()
        );
        return Err(CommandFailure::usage("ScenarioError", message));
    }
    let stem = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let mut candidate = Some(stem);
    while let Some(name) = candidate {
        let strategy = folder.join(format!("{name}.clj"));
        if strategy.is_file() {
            return Ok(strategy);
        }
        candidate = name.rsplit_once('-').map(|(shorter, _)| shorter);
    }
    let message = format!(
        "{}: there is no {}; name the strategy that it is about at the top: \
         `strategy = \"NAME.clj\"`",
        file.display(),
        folder.join(format!("{stem}.clj")).display()
    );
    Err(CommandFailure::usage("ScenarioError", message))
}

/// The strategy that a file names at its top. What else is wrong with the file
/// is said when it is read for good.
fn named_strategy(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let table = toml::de::DeTable::parse(&text).ok()?;
    let name = table.get_ref().get("strategy")?.get_ref().as_str()?;
    Some(name.to_owned())
}

/// What `--scenarios` names.
fn given(path: &Path) -> CommandResult<Vec<PathBuf>> {
    if path.is_dir() {
        return listed(path, is_scenario_file);
    }
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let message = format!("there is no {}", path.display());
    Err(CommandFailure::usage("ScenarioError", message))
}

fn is_scenario_file(path: &Path) -> bool {
    path.is_file() && path.extension() == Some(OsStr::new("toml"))
}

/// The entries of a folder that are meant, sorted; none if there is no folder.
fn listed(folder: &Path, is_meant: impl Fn(&Path) -> bool) -> CommandResult<Vec<PathBuf>> {
    let wrong = |error: io::Error| {
        CommandFailure::usage("ScenarioError", format!("{}: {error}", folder.display()))
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(wrong)?.path();
        if is_meant(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn without_scenarios(subject: &Subject, project: &Project) -> CommandFailure {
    let place = match subject {
        Subject::Plugin(name) => project
            .plugin_crate(name)
            .join(FOLDER)
            .join(format!("{name}.toml")),
        Subject::Crate { folder, name, .. } => folder.join(FOLDER).join(format!("{name}.toml")),
        Subject::Component(_) => {
            let message = format!(
                "{} comes without scenarios; name some with `--scenarios`",
                subject.name()
            );
            return CommandFailure::usage("NoScenarios", message);
        }
        Subject::Strategy(file) => {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let folder = file.parent().unwrap_or(Path::new(""));
            folder.join(FOLDER).join(format!("{stem}.toml"))
        }
    };
    let portfolio = &project.settings.plugins.portfolio;
    let first = match subject {
        Subject::Plugin(name) if name == portfolio => FIRST_OF_PORTFOLIO,
        _ => FIRST,
    };
    let message = format!(
        "{} has no scenarios; write some in {}, or name some with `--scenarios`:\n\n{first}",
        subject.name(),
        place.display()
    );
    CommandFailure::usage("NoScenarios", message)
}
