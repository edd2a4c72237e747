//! From a file to a plugin that can be called.

use crate::bindings::portfolio::{Portfolio, PortfolioPre};
use crate::bindings::strategy::{Strategy, StrategyPre};
use crate::cache::Cache;
use crate::engine::{self, Ticker};
use crate::functions::Functions;
use crate::imports::State;
use crate::inspect::{Contract, Inspection, Kind, inspect};
use crate::rejection::Rejection;
use crate::settings::{Limits, Settings};
use crate::text::Bytes;
use alchemiser_events::{ProducedBy, Sha256Digest};
use semver::Version;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

/// Where plugins run. Cheap to clone; all clones share one engine and one pool
/// of instances.
#[derive(Clone)]
pub struct Sandbox(Arc<Runtime>);

/// What all plugins of a sandbox share.
pub(crate) struct Runtime {
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    cache: Cache,
    functions: Option<Arc<Functions>>,
    strategies: Linker<State>,
    portfolios: Linker<State>,
}

/// The sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The engine refuses its settings, or the system cannot give what they
    /// ask for.
    #[error(
        "the sandbox cannot be set up: {message}; fewer instances or less memory for each may help"
    )]
    Engine {
        /// What is wrong.
        message: String,
    },
    /// No thread for the clock.
    #[error("the sandbox cannot start its clock")]
    Ticker(#[from] io::Error),
}

/// A file could not be loaded as a plugin.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` cannot be loaded: {reason}")]
pub struct LoadError {
    /// Its name.
    pub plugin: String,
    /// Why not.
    pub reason: LoadFailure,
}

/// Why a file could not be loaded as a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no plugin for this host.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// It is not valid, or asks for more than the sandbox has.
    #[error("it is not valid, or needs more than the sandbox has: {message}")]
    Compile {
        /// What is wrong.
        message: String,
    },
    /// It is larger than it may be.
    #[error(
        "it is {} large, and {} are allowed; leave out what it does not need, or allow more with `component_mib` under `[sandbox.plugin.NAME]` in alchemiser.toml",
        Bytes(*.size), Bytes(*.limit)
    )]
    TooLarge {
        /// Bytes.
        size: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// It consists of more modules than it may.
    #[error(
        "it consists of {modules} core modules, and {limit} are allowed; one that brings an interpreter along, as from Python, needs the setting `sandbox.plugin.NAME.profile = \"interpreter\"`"
    )]
    Modules {
        /// How many it consists of.
        modules: u32,
        /// How many it may consist of.
        limit: u32,
    },
    /// Its functions are not those of the interface that it names.
    #[error(
        "its functions do not fit the plugin interface: {message}; rebuild it with the `alchemiser-sdk` of this host"
    )]
    Link {
        /// What does not fit.
        message: String,
    },
}

impl Sandbox {
    /// Sets up the engine and reserves the pool. No plugin is loaded.
    ///
    /// # Errors
    /// The system cannot reserve what the settings ask for.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let setup = |error: wasmtime::Error| SetupError::Engine {
            message: format!("{error:#}"),
        };
        let functions = settings.keep_functions.then(Arc::<Functions>::default);
        let engine = engine::engine(&settings, functions.clone()).map_err(setup)?;

        // All that a plugin can reach is named in these lines. No WASI.
        let mut strategies = Linker::new(&engine);
        Strategy::add_to_linker::<_, HasSelf<State>>(&mut strategies, |state| state)
            .map_err(setup)?;
        let mut portfolios = Linker::new(&engine);
        Portfolio::add_to_linker::<_, HasSelf<State>>(&mut portfolios, |state| state)
            .map_err(setup)?;

        Ok(Self(Arc::new(Runtime {
            ticker: Ticker::start(engine.clone())?,
            cache: Cache::open(&settings.cache, &engine),
            functions,
            settings,
            engine,
            strategies,
            portfolios,
        })))
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Loads a plugin from the bytes of its component.
    ///
    /// Compiles it, unless the cache has it. Limits go by `name`.
    ///
    /// # Errors
    /// The bytes are no plugin for this host.
    pub fn load(&self, name: &str, component: &[u8]) -> Result<Plugin, LoadError> {
        Plugin::load(&self.0, name, component).map_err(|reason| LoadError {
            plugin: name.to_owned(),
            reason,
        })
    }

    /// Loads a plugin from a file; see [`load`](Self::load).
    ///
    /// # Errors
    /// The file cannot be read, or is no plugin for this host.
    pub fn load_file(&self, name: &str, path: &Path) -> Result<Plugin, LoadError> {
        let component = std::fs::read(path).map_err(|source| LoadError {
            plugin: name.to_owned(),
            reason: LoadFailure::Read {
                path: path.display().to_string(),
                source,
            },
        })?;
        self.load(name, &component)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// A loaded plugin. Cheap to clone; may be called from many threads at once,
/// since each call of [`strategy`](Self::strategy) and [`plan`](Self::plan)
/// works on an instance of its own.
#[derive(Clone)]
pub struct Plugin(Arc<Loaded>);

pub(crate) struct Loaded {
    pub(crate) identity: Arc<ProducedBy>,
    pub(crate) inspection: Inspection,
    pub(crate) contract: Contract,
    pub(crate) limits: Limits,
    pub(crate) world: World,
    pub(crate) runtime: Arc<Runtime>,
}

/// The plugin with its imports resolved, ready to be instantiated.
pub(crate) enum World {
    Strategy(StrategyPre<State>),
    Portfolio(PortfolioPre<State>),
}

impl Plugin {
    fn load(runtime: &Arc<Runtime>, name: &str, bytes: &[u8]) -> Result<Self, LoadFailure> {
        let limits = runtime.settings.limits_of(name);
        check_size(bytes, &limits)?;
        let inspection = inspect(bytes)?;
        let contract = inspection.contract.clone()?;
        let modules = inspection.core_modules;
        if modules > limits.core_modules {
            let limit = limits.core_modules;
            return Err(LoadFailure::Modules { modules, limit });
        }
        let component = match runtime.cache.load(&runtime.engine, inspection.digest) {
            Some(component) => component,
            None => compile(runtime, &inspection, bytes)?,
        };
        let world =
            link(runtime, contract.kind, &component).map_err(|error| LoadFailure::Link {
                message: format!("{error:#}"),
            })?;
        Ok(Self(Arc::new(Loaded {
            identity: Arc::new(ProducedBy {
                plugin: name.to_owned(),
                version: contract.interface_version.to_string(),
                sha256: inspection.digest,
            }),
            inspection,
            contract,
            limits,
            world,
            runtime: Arc::clone(runtime),
        })))
    }

    /// Name, interface version and digest, as events carry them.
    #[must_use]
    pub fn produced_by(&self) -> &ProducedBy {
        &self.0.identity
    }

    /// The name that it was loaded under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.identity.plugin
    }

    /// What it does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.contract.kind
    }

    /// Its identity: the SHA-256 of its component.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.0.inspection.digest
    }

    /// Version of the plugin interface that it was built for.
    #[must_use]
    pub fn interface_version(&self) -> &Version {
        &self.0.contract.interface_version
    }

    /// Imports, exports and size.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.0.inspection
    }

    /// What a call may use.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn loaded(&self) -> &Loaded {
        &self.0
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Plugin")
            .field("identity", &self.0.identity)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

/// Makes sure that a component is not larger than it may be.
///
/// # Errors
/// It is.
pub fn check_size(component: &[u8], limits: &Limits) -> Result<(), LoadFailure> {
    let (size, limit) = (component.len(), limits.component);
    if size > limit {
        return Err(LoadFailure::TooLarge { size, limit });
    }
    Ok(())
}

fn compile(
    runtime: &Runtime,
    inspection: &Inspection,
    bytes: &[u8],
) -> Result<Component, LoadFailure> {
    let component =
        Component::new(&runtime.engine, bytes).map_err(|error| LoadFailure::Compile {
            message: format!("{error:#}"),
        })?;
    if let Some(functions) = &runtime.functions {
        functions.forget_unused();
    }
    runtime.cache.store(inspection.digest, &component);
    Ok(component)
}

/// Resolves imports and exports once, so that instances need not.
fn link(runtime: &Runtime, kind: Kind, component: &Component) -> wasmtime::Result<World> {
    Ok(match kind {
        Kind::Strategy => World::Strategy(StrategyPre::new(
            runtime.strategies.instantiate_pre(component)?,
        )?),
        Kind::Portfolio => World::Portfolio(PortfolioPre::new(
            runtime.portfolios.instantiate_pre(component)?,
        )?),
    })
}
