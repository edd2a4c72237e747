//! The plugins whose sources lie in the project: which have changed, and
//! building them.

use crate::commands::plugin::{build_failure, build_into};
use crate::failure::CommandResult;
use crate::project::Project;
use crate::sources::Stamp;
use alchemiser_builder::{Builder, Lock};
use alchemiser_sandbox::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files by their stamps.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// What a plugin is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CrateSources {
    files: Stamps,
    /// The versions of all crates; empty until cargo has chosen them.
    versions: BTreeSet<String>,
}

impl CrateSources {
    fn change_since(&self, earlier: &Self) -> Change {
        if self.files != earlier.files {
            Change::OfSources
        } else if self.versions != earlier.versions && !earlier.versions.is_empty() {
            Change::OfVersions
        } else {
            Change::None
        }
    }
}

/// How a plugin's sources differ from those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    OfSources,
    /// Other crates are used, or other versions of them.
    OfVersions,
}

/// The plugin crates of a project, which may have none.
pub(super) struct Crates<'a> {
    project: &'a Project,
    /// What says which crates there are, when they were last listed.
    manifests: Stamps,
    /// Those that differed from the time before.
    changed_manifests: Vec<String>,
    builder: Option<Arc<Builder>>,
    /// The lock file when it was last read.
    locked: Option<Stamp>,
    lock: Lock,
    /// The sources of each plugin when they were last looked at.
    seen: BTreeMap<String, CrateSources>,
    /// What each plugin was last built from.
    built: BTreeMap<String, CrateSources>,
    /// Those that had sources and have none any more, until that is told.
    gone: Vec<String>,
}

impl<'a> Crates<'a> {
    /// Those of a project, none of them built yet.
    pub(super) fn of(project: &'a Project) -> Self {
        Self {
            project,
            manifests: Stamps::new(),
            changed_manifests: Vec::new(),
            builder: None,
            locked: None,
            lock: Lock::default(),
            seen: BTreeMap::new(),
            built: BTreeMap::new(),
            gone: Vec::new(),
        }
    }

    /// Looks at the sources as they are: what differs later was changed since.
    ///
    /// # Errors
    /// Cargo cannot read the crates.
    pub(super) fn look(&mut self) -> CommandResult {
        self.list_again()?;
        self.read_lock_again();
        if let Some(builder) = &self.builder {
            for plugin in builder.plugins() {
                let sources = self.sources(builder, plugin);
                self.seen.insert(plugin.to_owned(), sources);
            }
        }
        Ok(())
    }

    /// A plugin whose sources differ from those that it was last built from.
    /// Those that have changed come first: somebody works on them. Asking counts
    /// as building it.
    ///
    /// # Errors
    /// Crates may have been added or removed, and cargo cannot read them.
    pub(super) fn next_to_build(&mut self) -> CommandResult<Option<ToBuild>> {
        self.list_again()?;
        self.read_lock_again();
        let Some(builder) = &self.builder else {
            return Ok(None);
        };
        let is_gone = |name: &String| !builder.plugins().any(|plugin| plugin == name);
        let gone = self.built.extract_if(.., |name, _| is_gone(name));
        self.gone.extend(gone.map(|(name, _)| name));
        let mut candidates: Vec<(ToBuild, CrateSources)> = Vec::new();
        for plugin in builder.plugins() {
            let sources = self.sources(builder, plugin);
            if let Some(built) = self.built.get_mut(plugin)
                && sources.change_since(built) == Change::None
            {
                // Cargo chose the versions when it was built.
                *built = sources;
                continue;
            }
            let seen = self.seen.get(plugin);
            let to_build = ToBuild {
                file: self.project.plugin(plugin),
                plugin: plugin.to_owned(),
                builder: Arc::clone(builder),
                limits: self.project.settings.sandbox.limits_of(plugin),
                change: seen.map_or(Change::OfSources, |seen| sources.change_since(seen)),
            };
            candidates.push((to_build, sources));
        }
        if candidates.is_empty() {
            return Ok(None);
        }
        let mut changes = candidates.iter().map(|(to_build, _)| to_build.change);
        let first = changes.position(|change| change != Change::None);
        let (to_build, sources) = candidates.swap_remove(first.unwrap_or(0));
        self.seen.insert(to_build.plugin.clone(), sources.clone());
        self.built.insert(to_build.plugin.clone(), sources);
        Ok(Some(to_build))
    }

    /// Plugins whose sources are gone since this was asked last.
    pub(super) fn take_gone(&mut self) -> Vec<String> {
        std::mem::take(&mut self.gone)
    }

    /// Whether there are any.
    pub(super) fn are_there(&self) -> bool {
        !self.built.is_empty()
    }

    /// The manifests whose change made cargo list the crates again the last time.
    pub(super) fn changed_manifests(&self) -> &[String] {
        &self.changed_manifests
    }

    /// The folders in which a change concerns plugins.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let Some(builder) = &self.builder else {
            return Vec::new();
        };
        let of_plugins = builder
            .plugins()
            .flat_map(|plugin| builder.folders(plugin).unwrap_or_default())
            .cloned();
        of_plugins.chain([self.contract()]).collect()
    }

    /// Asks cargo again when it may give another answer.
    fn list_again(&mut self) -> CommandResult {
        let root = self.project.root();
        let mut manifests = Stamps::new();
        let own = root.join("Cargo.toml");
        let plugins = std::fs::read_dir(root.join(Builder::PLUGINS));
        let folders = plugins.into_iter().flatten().flatten();
        let of_plugins = folders.map(|folder| folder.path().join("Cargo.toml"));
        for manifest in [own.clone()].into_iter().chain(of_plugins) {
            if let Some(stamp) = Stamp::of(&manifest) {
                manifests.insert(manifest, stamp);
            }
        }
        if manifests == self.manifests {
            return Ok(());
        }
        let is_workspace = manifests.contains_key(&own);
        let all: BTreeSet<&PathBuf> = manifests.keys().chain(self.manifests.keys()).collect();
        self.changed_manifests = all
            .into_iter()
            .filter(|path| manifests.get(*path) != self.manifests.get(*path))
            .map(|path| {
                path.strip_prefix(root)
                    .unwrap_or(path)
                    .display()
                    .to_string()
            })
            .collect();
        // Also if it fails: it would fail again.
        self.manifests = manifests;
        self.builder = None;
        if is_workspace {
            let builder = Builder::open(root).map_err(build_failure)?;
            self.builder = Some(Arc::new(builder.quiet()));
        }
        Ok(())
    }

    fn read_lock_again(&mut self) {
        let locked = Stamp::of(&self.project.root().join(Lock::FILE));
        if locked != self.locked {
            self.locked = locked;
            self.lock = Lock::read(self.project.root());
        }
    }

    fn sources(&self, builder: &Builder, plugin: &str) -> CrateSources {
        let mut files = Stamps::new();
        for folder in builder.folders(plugin).unwrap_or_default() {
            note(folder, &mut files);
        }
        note(&self.contract(), &mut files);
        let manifest = self.project.root().join("Cargo.toml");
        if let Some(stamp) = Stamp::of(&manifest) {
            files.insert(manifest, stamp);
        }
        CrateSources {
            files,
            versions: self.lock.versions(plugin),
        }
    }

    /// Every plugin's bindings are generated from it.
    fn contract(&self) -> PathBuf {
        self.project.root().join(Builder::PLUGINS).join("wit")
    }
}

/// A plugin that is to be built.
pub(super) struct ToBuild {
    /// Its name.
    pub(super) plugin: String,
    builder: Arc<Builder>,
    file: PathBuf,
    limits: Limits,
    /// What has changed since its sources were looked at; if nothing has, it is
    /// only not known whether the component is up to date.
    pub(super) change: Change,
}

impl ToBuild {
    /// Builds it, and puts its component where components lie.
    /// Says whether another one lay there before.
    pub(super) fn build(&self) -> CommandResult<bool> {
        build_into(&self.builder, &self.plugin, &self.file, &self.limits).map(|built| built.changed)
    }
}

/// Notes every file below a folder that a build may read.
fn note(folder: &Path, stamps: &mut Stamps) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !is_beside_the_point(name) {
            note(&path, stamps);
        } else if !is_folder
            && !is_temporary(name)
            && let Some(stamp) = Stamp::of(&path)
        {
            stamps.insert(path, stamp);
        }
    }
}

/// Folders that hold no sources: what was built, what is hidden, and tests.
fn is_beside_the_point(folder: &str) -> bool {
    folder.starts_with('.')
        || ["target", "node_modules", "tests", "benches", "fuzz"].contains(&folder)
}

/// What editors leave beside a file while it is edited.
fn is_temporary(file: &str) -> bool {
    let ends = ["~", ".swp", ".swx", ".tmp", ".bak", ".orig", "___"];
    file.starts_with(['.', '#'])
        || ends.iter().any(|end| file.ends_with(end))
        // Vim makes it to see whether it may.
        || file == "4913"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn sources_are_noted_and_what_editors_leave_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for name in [
            "Cargo.toml",
            "src/lib.rs",
            "src/table.csv",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "src/#lib.rs#",
            "src/4913",
            "src/lib.rs___jb_tmp___",
            ".git/index",
            "target/plugin/mine.wasm",
            "tests/holds.toml",
        ] {
            write(name);
        }
        let mut stamps = Stamps::new();
        note(folder.path(), &mut stamps);
        let names: Vec<_> = stamps
            .keys()
            .map(|path| path.strip_prefix(folder.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["Cargo.toml", "src/lib.rs", "src/table.csv"]);
    }
}
