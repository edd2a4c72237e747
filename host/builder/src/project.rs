//! The plugin crates of a project, and cargo runs on them.

use crate::paths::Folders;
use crate::{BuildError, PROFILE, StandardLibrary, TARGET, Toolchain, profile};
use cargo_metadata::{
    CrateType, Dependency, DependencyKind, Message, Metadata, MetadataCommand, Package, PackageId,
    Target,
};
use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds the plugins of a cargo workspace.
#[derive(Clone, Debug)]
pub struct Builder {
    toolchain: Toolchain,
    root: PathBuf,
    /// The other workspaces that plugins are made of; that of the SDK first.
    outside: Vec<PathBuf>,
    target: PathBuf,
    crates: Vec<PluginCrate>,
    quiet: bool,
}

/// A crate that makes a module.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PluginCrate {
    name: String,
    /// The name of its library, which its files have.
    library: String,
    folder: PathBuf,
    id: PackageId,
    /// Whether it lies where a project's own plugins lie.
    own: bool,
    /// Its own folder, and those of the crates beside it that it is made of.
    folders: Vec<PathBuf>,
}

impl Builder {
    /// The folder that a project's plugins lie in.
    pub const PLUGINS: &'static str = "plugins";

    /// Finds the toolchain, and the plugin crates of the workspace in a folder.
    ///
    /// # Errors
    /// There is no toolchain for the target, or no workspace that cargo
    /// understands.
    pub fn open(workspace: &Path) -> Result<Self, BuildError> {
        let toolchain = Toolchain::find()?;
        let read = |folder: &Path| read(MetadataCommand::new().no_deps(), &toolchain, folder);
        let metadata = read(workspace)?;
        let outside = outside(&metadata, read)?;
        // A folder of its own: cargo locks the folder that it builds in, and
        // this may run while cargo builds or tests the host. A crate outside of
        // the SDK's workspace takes that of the SDK, where nearly all that it is
        // made of has been built.
        let folder = |metadata: &Metadata| metadata.target_directory.join("wasm");
        let shared = outside.first().map(folder).filter(|it| it.is_dir());
        Ok(Self {
            target: shared.unwrap_or_else(|| folder(&metadata)).into(),
            outside: outside
                .into_iter()
                .map(|metadata| metadata.workspace_root.into())
                .collect(),
            crates: crates(&metadata),
            root: metadata.workspace_root.into(),
            toolchain,
            quiet: false,
        })
    }

    /// The same, with nothing but errors on stderr.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The same, building in another folder than the project's own for plugins.
    #[must_use]
    pub fn with_target_directory(mut self, folder: PathBuf) -> Self {
        self.target = folder;
        self
    }

    /// The folder that cargo builds plugins in.
    #[must_use]
    pub fn target_directory(&self) -> &Path {
        &self.target
    }

    /// What it builds with.
    #[must_use]
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// The root of the workspace.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folders that a plugin's sources lie in, each with the name that it has
    /// in what is built: `/project` is that of the SDK, `/crate` that of a crate
    /// elsewhere.
    pub(crate) fn source_folders(&self) -> Vec<(PathBuf, PathBuf)> {
        let name = |place| match place {
            0 => PathBuf::from("/project"),
            _ => PathBuf::from(format!("/outside-{place}")),
        };
        let outside = self.outside.iter().enumerate();
        let mut folders: Vec<(PathBuf, PathBuf)> = outside
            .map(|(place, folder)| (folder.clone(), name(place)))
            .collect();
        // Last, since it may lie within one of them.
        let own = if folders.is_empty() {
            name(0)
        } else {
            "/crate".into()
        };
        folders.push((self.root.clone(), own));
        folders
    }

    /// The names of the project's plugins, sorted: the crates under `plugins/`
    /// that make a module, and that of the workspace's own folder.
    pub fn plugins(&self) -> impl Iterator<Item = &str> {
        self.crates
            .iter()
            .filter(|plugin| plugin.own)
            .map(|plugin| plugin.name.as_str())
    }

    /// The folders whose files a plugin is made of, as far as they belong to the
    /// workspace: those of its crate and of the crates that it depends on.
    ///
    /// # Errors
    /// There is no such plugin.
    pub fn folders(&self, name: &str) -> Result<&[PathBuf], BuildError> {
        Ok(&self.plugin(name)?.folders)
    }

    /// The name of the plugin whose crate lies in a folder.
    ///
    /// # Errors
    /// None does.
    pub fn plugin_in(&self, folder: &Path) -> Result<&str, BuildError> {
        let real = |path: &Path| path.canonicalize().ok();
        let is_it = |plugin: &&PluginCrate| real(&plugin.folder) == real(folder);
        match self.crates.iter().find(is_it) {
            Some(plugin) => Ok(&plugin.name),
            None => Err(BuildError::NoPlugin {
                folder: folder.to_owned(),
            }),
        }
    }

    /// Checks that a crate of the workspace, in whatever folder, makes a module.
    ///
    /// # Errors
    /// None of that name does.
    pub fn check(&self, name: &str) -> Result<(), BuildError> {
        self.plugin(name).map(|_| ())
    }

    fn plugin(&self, name: &str) -> Result<&PluginCrate, BuildError> {
        self.crates
            .iter()
            .find(|plugin| plugin.name == name)
            .ok_or_else(|| BuildError::UnknownPlugin {
                name: name.to_owned(),
                known: self.plugins().map(str::to_owned).collect(),
            })
    }

    pub(crate) fn package(&self, name: &str) -> Result<&PackageId, BuildError> {
        self.plugin(name).map(|plugin| &plugin.id)
    }

    /// Where cargo puts the module of a plugin.
    pub(crate) fn module_file(&self, name: &str) -> Result<PathBuf, BuildError> {
        let file = format!("{}.wasm", self.plugin(name)?.library);
        Ok(self.target.join(TARGET).join(PROFILE).join(file))
    }

    /// Compiles a plugin crate to a core module, unless that has been done, and
    /// reads it. The compiler's messages go to stderr.
    ///
    /// # Errors
    /// There is no such plugin, it does not compile, or cargo cannot be run.
    pub fn compile(&self, name: &str) -> Result<Vec<u8>, BuildError> {
        let plugin = self.plugin(name)?;
        let module = self.run(plugin)?;
        std::fs::read(&module).map_err(|source| BuildError::Io {
            what: format!("cannot read {}", module.display()),
            source,
        })
    }

    /// Runs cargo; the module's file.
    fn run(&self, plugin: &PluginCrate) -> Result<PathBuf, BuildError> {
        let io = |source| BuildError::Io {
            what: format!("cannot run {}", self.toolchain.cargo.display()),
            source,
        };
        let mut cargo = self.cargo(&plugin.name).spawn().map_err(io)?;
        let module = match cargo.stdout.take() {
            Some(messages) => module(&plugin.id, messages).map_err(io)?,
            None => None,
        };
        if !cargo.wait().map_err(io)?.success() {
            return Err(BuildError::Compile {
                plugin: plugin.name.clone(),
            });
        }
        module.ok_or_else(|| BuildError::NoModule {
            plugin: plugin.name.clone(),
        })
    }

    /// The run of cargo that compiles a plugin.
    ///
    /// One plugin a run: packages that are built together share the features of
    /// their dependencies, and a plugin's digest would depend on its neighbours.
    fn cargo(&self, name: &str) -> Command {
        let mut sources = self.source_folders();
        if !self.outside.is_empty() {
            // Cargo itself names the files of a crate by their places in its
            // workspace. Without this flag all have the same flags, and what was
            // built for one is there for the others.
            sources.retain(|(folder, _)| *folder != self.root);
        }
        let folders = Folders {
            sources: &sources,
            target: &self.target,
            cargo_home: &cargo_home(),
            library_source: &self.toolchain.library_source,
            library_name: &self.toolchain.library_name,
        };
        let mut cargo = Command::new(&self.toolchain.cargo);
        cargo
            .current_dir(&self.root)
            .args(["build", "--lib", "--package", name])
            .args(["--target", TARGET, "--profile", PROFILE])
            .args(profile::arguments())
            .args(["--message-format", "json-render-diagnostics"])
            .arg("--target-dir")
            .arg(&self.target)
            .env("RUSTC", &self.toolchain.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", folders.encoded_flags())
            // Incremental builds cut the code up differently.
            .env("CARGO_INCREMENTAL", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if self.quiet {
            cargo.arg("--quiet");
        }
        if self.toolchain.standard_library == StandardLibrary::Source {
            // A stable cargo refuses its unstable options unless told that it is
            // the compiler's own build. There is no stable way to build the
            // standard library, and no other way where only its source is had.
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1");
        }
        cargo
    }
}

/// Asks cargo what is in a folder.
pub(crate) fn read(
    command: &mut MetadataCommand,
    toolchain: &Toolchain,
    folder: &Path,
) -> Result<Metadata, BuildError> {
    command
        .cargo_path(&toolchain.cargo)
        .manifest_path(folder.join("Cargo.toml"))
        .exec()
        .map_err(|error| BuildError::Project {
            message: error.to_string().trim_end().to_owned(),
        })
}

/// The other workspaces that packages of a workspace depend on, by path; that of
/// the SDK first.
fn outside(
    metadata: &Metadata,
    read: impl Fn(&Path) -> Result<Metadata, BuildError>,
) -> Result<Vec<Metadata>, BuildError> {
    const SDK: &str = "alchemiser-sdk";
    let mut outside: Vec<Metadata> = Vec::new();
    let mut open = paths(metadata);
    while let Some(folder) = open.pop() {
        let has_it = |known: &Metadata| folder.starts_with(&known.workspace_root);
        if has_it(metadata) || outside.iter().any(has_it) {
            continue;
        }
        let other = read(folder.as_std_path())?;
        open.extend(paths(&other));
        outside.push(other);
    }
    outside.sort_by_cached_key(|other| {
        let has_sdk = other.packages.iter().any(|package| package.name == SDK);
        (!has_sdk, other.workspace_root.clone())
    });
    Ok(outside)
}

/// The folders of all dependencies by path.
fn paths(metadata: &Metadata) -> Vec<cargo_metadata::camino::Utf8PathBuf> {
    let packages = metadata.packages.iter();
    let mut paths: Vec<_> = packages
        .flat_map(|package| &package.dependencies)
        .filter_map(|dependency| dependency.path.clone())
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// The crates of a workspace that make a module, by name.
fn crates(metadata: &Metadata) -> Vec<PluginCrate> {
    let plugins = metadata.workspace_root.join(Builder::PLUGINS);
    let mut crates: Vec<PluginCrate> = metadata
        .workspace_packages()
        .into_iter()
        .filter_map(|package| Some((package, package.targets.iter().find(|it| is_module(it))?)))
        .map(|(package, target)| PluginCrate {
            name: package.name.to_string(),
            library: target.name.replace('-', "_"),
            folder: package.manifest_path.with_file_name("").into(),
            id: package.id.clone(),
            own: package.manifest_path.starts_with(&plugins)
                || package.manifest_path.parent() == Some(&metadata.workspace_root),
            folders: folders(package, metadata),
        })
        .collect();
    crates.sort_by(|left, right| left.name.cmp(&right.name));
    crates
}

/// The folders of a package and of what it is built from beside it.
fn folders(package: &Package, metadata: &Metadata) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![package.clone()];
    while let Some(package) = open.pop() {
        let Some(folder) = package.manifest_path.parent() else {
            continue;
        };
        if !found.insert(folder.as_std_path().to_owned()) {
            continue;
        }
        let built = |dependency: &&Dependency| dependency.kind != DependencyKind::Development;
        for dependency in package.dependencies.iter().filter(built) {
            let is_it = |other: &&Package| {
                let folder = other.manifest_path.parent();
                dependency.path.is_some() && dependency.path.as_deref() == folder
            };
            open.extend(metadata.packages.iter().find(is_it).cloned());
        }
    }
    found.into_iter().collect()
}

fn is_module(target: &Target) -> bool {
    target.crate_types.contains(&CrateType::CDyLib)
}

/// The file of a package's module, out of what cargo reports while it builds.
fn module(package: &PackageId, messages: impl Read) -> std::io::Result<Option<PathBuf>> {
    let mut found = None;
    // To the end, or cargo would stop at a full pipe.
    for message in Message::parse_stream(BufReader::new(messages)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.package_id == *package
            && is_module(&artifact.target)
        {
            found = artifact
                .filenames
                .into_iter()
                .find(|file| file.extension() == Some("wasm"))
                .map(PathBuf::from);
        }
    }
    Ok(found)
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME").map_or_else(
        || std::env::home_dir().unwrap_or_default().join(".cargo"),
        PathBuf::from,
    )
}
