//! Puts changes to work while deliveries go on: build, validate, swap.
//!
//! What is on disk is compared with what is in force; how the difference came
//! about, in how many steps and under what names, does not matter. A change is
//! taken over whole or not at all.

use super::crates::{Change, Crates};
use super::teller::Teller;
use super::watch::{Message, Wake, Watch};
use crate::commands::rules::run_tests;
use crate::failure::{CommandFailure, CommandResult, error_json};
use crate::machine::{Plugins, makes_no_plugin};
use crate::preview::Preview;
use crate::project::Project;
use crate::sources::{Sources, Stamp};
use crate::worker::{Setup, Worker};
use alchemiser_builder::Builder;
use alchemiser_events::SessionDate;
use notify::RecursiveMode;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// So long a file that was read has to stay as it is before what it says counts.
/// Who writes one in several steps takes less from one to the next.
const STABLE: Duration = Duration::from_millis(5);

/// So long nothing may change before something is refused: what was half a file
/// is a whole one soon, and nobody waits for a refusal.
const STABLE_FOR_REFUSAL: Duration = Duration::from_millis(100);

/// Brings a project's changes to a worker.
pub(super) struct Reloader<'a> {
    project: &'a Project,
    plugins: Plugins<'a>,
    crates: Crates<'a>,
    teller: Teller,
    watch: Watch,
    wake: Sender<Message>,
    worker: Arc<Worker>,
    /// What the worker is made of.
    applied: Sources,
    preview: Preview,
    /// What was looked at and cannot be put to work.
    refused: Option<Sources>,
    settings: Option<Stamp>,
    /// Whether all builds have gone well, until it was told that none is left.
    all_built: Option<bool>,
    /// A build under way tells what came of it here.
    building: Option<Receiver<BuiltPlugin>>,
}

/// A plugin, and what came of building it.
struct BuiltPlugin {
    name: String,
    /// What was seen to change before.
    change: Change,
    /// Whether that made another component.
    result: CommandResult<bool>,
}

/// What a reloader starts from.
pub(super) struct Start<'a> {
    pub project: &'a Project,
    pub plugins: Plugins<'a>,
    pub crates: Crates<'a>,
    pub worker: Arc<Worker>,
    pub sources: Sources,
    pub preview: Preview,
    pub teller: Teller,
}

impl<'a> Reloader<'a> {
    /// Watches from now on. Whoever has the other end can stop it.
    pub(super) fn new(mut start: Start<'a>) -> (Self, Sender<Message>) {
        let (watch, wake) = Watch::new();
        if let Err(failure) = start.crates.look() {
            let error = failure.detail();
            let text = format!("plugin sources are not watched: {}", error.message);
            let object = json!({"happened": "not-watched", "error": error_json(&error)});
            start.teller.tell(&text, object);
        }
        let mut reloader = Self {
            settings: Stamp::of(&settings_file(start.project)),
            project: start.project,
            plugins: start.plugins,
            crates: start.crates,
            teller: start.teller,
            watch,
            wake: wake.clone(),
            worker: start.worker,
            applied: start.sources,
            preview: start.preview,
            refused: None,
            all_built: Some(true),
            building: None,
        };
        reloader.follow();
        (reloader, wake)
    }

    /// Looks at changes until stopped; `swap` puts a worker in the place of the
    /// one before.
    pub(super) fn run(mut self, mut swap: impl FnMut(&Arc<Worker>)) {
        loop {
            self.look_at_crates();
            match self.watch.wait() {
                Wake::Stop => return,
                Wake::Look(begin) => {
                    self.take_built();
                    self.look(begin, &mut swap);
                    self.look_at_settings();
                    self.follow();
                }
            }
        }
    }

    /// Builds what has changed, beside: strategy files and the book need not
    /// wait for it.
    fn look_at_crates(&mut self) {
        if self.building.is_some() || !self.watch.is_quiet() {
            return;
        }
        let next = self.crates.next_to_build();
        for name in self.crates.take_gone() {
            self.tell_gone(&name);
        }
        let next = match next {
            Ok(Some(next)) => next,
            Ok(None) => return self.tell_built(),
            Err(failure) => return self.tell_kept(self.crates.changed_manifests(), &failure),
        };
        let plugin = &next.plugin;
        let what = match next.change {
            Change::None => None,
            Change::OfSources => Some("the sources"),
            Change::OfVersions => Some("the dependencies"),
        };
        if let Some(what) = what {
            let text = format!("{what} of plugin {plugin} changed; building");
            let object = json!({"happened": "building", "plugin": plugin});
            self.teller.tell(&text, object);
        }
        let (told, built) = mpsc::channel();
        let wake = self.wake.clone();
        // Nobody waits for it in the end: a build that is cut short is made again.
        thread::spawn(move || {
            let built = BuiltPlugin {
                result: next.build(),
                change: next.change,
                name: next.plugin,
            };
            // Nobody listens any more when all is over.
            let _ = told.send(built);
            let _ = wake.send(Message::Done);
        });
        self.building = Some(built);
    }

    /// Whether a plugin is in use, or would be if the book were in force.
    fn is_used(&self, name: &str) -> bool {
        self.applied.uses(name) || self.refused.as_ref().is_some_and(|it| it.uses(name))
    }

    /// Tells that a plugin has no sources any more, if that matters.
    fn tell_gone(&self, name: &str) {
        if !self.is_used(name) {
            return;
        }
        let why = match self.project.crate_without_a_module(name) {
            Some(folder) => makes_no_plugin(&folder),
            None => format!("the sources of plugin {name} are gone"),
        };
        let text = format!("{why}; the build that is there stays in force");
        let object = json!({"happened": "gone", "plugin": name});
        self.teller.tell(&text, object);
    }

    /// Tells once that what was there at the start is built.
    fn tell_built(&mut self) {
        if self.all_built.take() == Some(true) && self.crates.are_there() {
            let text = "every plugin of plugins/ is built from its sources as they are";
            self.teller.tell(text, json!({"happened": "built"}));
        }
    }

    /// Tells what came of a build. The component that it made is found like one
    /// that somebody else puts there.
    fn take_built(&mut self) {
        let Some(built) = self
            .building
            .as_ref()
            .and_then(|built| built.try_recv().ok())
        else {
            return;
        };
        self.building = None;
        let BuiltPlugin {
            name,
            change,
            result,
        } = built;
        match result {
            Ok(false) if change != Change::None => {
                let text = format!("plugin {name} is built; its component stays as it is");
                let object = json!({"happened": "unchanged", "plugin": name});
                self.teller.tell(&text, object);
            }
            Ok(_) if change != Change::None && !self.is_used(&name) => {
                let text = format!("plugin {name} is built; no strategy of the book uses it");
                let object = json!({"happened": "unused", "plugin": name});
                self.teller.tell(&text, object);
            }
            Ok(_) => {}
            Err(failure) => {
                self.all_built = self.all_built.and(Some(false));
                self.tell_kept(&[format!("plugin {name}")], &failure);
            }
        }
    }

    /// Takes over what has changed, if anything has.
    fn look(&mut self, begin: Option<Instant>, swap: &mut impl FnMut(&Arc<Worker>)) {
        let begin = begin.unwrap_or_else(Instant::now);
        loop {
            let read = Instant::now();
            let sources = Sources::read(self.project);
            if sources == self.applied {
                if let Some(refused) = self.refused.take() {
                    self.tell_back(&refused);
                }
                return;
            }
            if self.refused.as_ref() == Some(&sources) {
                return;
            }
            let candidate = self.candidate(&sources);
            thread::sleep(STABLE.saturating_sub(read.elapsed()));
            if !self.watch.is_quiet() {
                // Comes back when the writer is done.
                return;
            }
            if Sources::read(self.project) != sources {
                continue;
            }
            let files = sources.changes_since(&self.applied);
            match candidate {
                Ok((setup, preview)) => {
                    self.worker = Arc::new(self.worker.with(Arc::new(setup)));
                    swap(&self.worker);
                    self.tell_live(&files, &preview, begin.elapsed());
                    self.preview = preview;
                    self.applied = sources;
                    self.refused = None;
                }
                Err(failure) => {
                    if !self.watch.is_quiet_for(STABLE_FOR_REFUSAL) {
                        return;
                    }
                    if Sources::read(self.project) != sources {
                        continue;
                    }
                    self.tell_kept(&files, &failure);
                    self.refused = Some(sources);
                }
            }
            return;
        }
    }

    /// What the sources make, when it is fit to be put to work.
    fn candidate(&mut self, sources: &Sources) -> CommandResult<(Setup, Preview)> {
        let setup = Setup::gather(self.project, sources, &mut self.plugins)?;
        let now = &self.worker.setup;
        if sources.routes().ok() != self.applied.routes().ok() {
            run_tests(self.project)?;
        }
        let market = self.worker.market.latest();
        // What is compared with has seen the same prices.
        if !self.preview.is_of(&market) {
            self.preview = Preview::of(now, &market, None);
        }
        let preview = Preview::of(&setup, &market, Some(&self.preview));
        if let Some(error) = preview.failed_since(&self.preview) {
            return Err(CommandFailure::Failed(error));
        }
        if setup.portfolio.digest() != now.portfolio.digest() {
            preview.try_plan(&setup).map_err(CommandFailure::Failed)?;
        }
        Ok((setup, preview))
    }

    /// Settings are read once: limits and folders cannot change under a worker.
    fn look_at_settings(&mut self) {
        let stamp = Stamp::of(&settings_file(self.project));
        if stamp != self.settings {
            self.settings = stamp;
            let file = Project::SETTINGS;
            let text = format!("{file} has changed; stop and start again to put it to work");
            let object = json!({"happened": "settings-changed", "file": file});
            self.teller.tell(&text, object);
        }
    }

    /// Watches every folder in which something concerns this worker.
    fn follow(&mut self) {
        let mut folders = BTreeMap::new();
        let flat = [
            self.project.root().to_owned(),
            self.project.root().join(Builder::PLUGINS),
            self.project.plugins(),
        ];
        let of_refused = self.refused.iter().flat_map(Sources::folders);
        let folders_of_files = self.applied.folders().into_iter().chain(of_refused);
        for folder in flat.into_iter().chain(folders_of_files) {
            folders.insert(here(folder), RecursiveMode::NonRecursive);
        }
        for folder in self.crates.folders() {
            folders.insert(here(folder), RecursiveMode::Recursive);
        }
        let mut names = self.applied.names();
        names.extend(self.refused.iter().flat_map(Sources::names));
        self.watch.follow(folders, names);
    }

    fn tell_live(&self, files: &[String], preview: &Preview, took: Duration) {
        let milliseconds = took.as_millis();
        let what = files.join(", ");
        let as_of = as_of(preview.session());
        let change = preview.change_text(Some(&self.preview));
        let weights = if change.is_empty() {
            format!("the weights{as_of} stay as they are")
        } else {
            format!("weights{as_of}:{change}")
        };
        let text = format!("{what} changed, in force after {milliseconds} ms; {weights}");
        let mut object = preview.json(Some(&self.preview));
        object["happened"] = json!("reloaded");
        object["files"] = json!(files);
        object["milliseconds"] = json!(u64::try_from(milliseconds).unwrap_or(u64::MAX));
        self.teller.tell(&text, object);
    }

    /// What was refused has been undone.
    fn tell_back(&self, refused: &Sources) {
        let files = refused.changes_since(&self.applied);
        let text = format!("back to what is in force: {}", files.join(", "));
        self.teller
            .tell(&text, json!({"happened": "back", "files": files}));
    }

    fn tell_kept(&self, files: &[String], failure: &CommandFailure) {
        tell_kept(self.teller, files, failure);
    }
}

/// ` as of 2022-12-28`, if there is a session.
pub(super) fn as_of(session: Option<SessionDate>) -> String {
    session.map_or_else(String::new, |session| format!(" as of {session}"))
}

/// Says that something is not put to work, and why.
fn tell_kept(teller: Teller, files: &[String], failure: &CommandFailure) {
    let error = failure.detail();
    let what = files.join(", ");
    let text = format!(
        "{what} changed and is not put to work; what was in force before stays so: {}",
        error.message
    );
    let object = json!({"happened": "kept", "files": files, "error": error_json(&error)});
    teller.tell(&text, object);
}

fn settings_file(project: &Project) -> PathBuf {
    project.root().join(Project::SETTINGS)
}

/// The folder that a project is found in may be this one, which has no name.
fn here(folder: PathBuf) -> PathBuf {
    if folder.as_os_str().is_empty() {
        Path::new(".").to_owned()
    } else {
        folder
    }
}
