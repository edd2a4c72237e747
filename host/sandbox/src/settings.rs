//! What the owner of the worker decides: limits, slots, where artefacts lie.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// How plugins are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Plugin instances that may live at once. Each reserves address space
    /// (about 4 GiB, without using memory) and one slot of the pool.
    pub instances: u32,
    /// The limits of each plugin that has none of its own.
    pub limits: Limits,
    /// Limits of single plugins, by name.
    pub limits_by_plugin: BTreeMap<String, Limits>,
    /// Where compiled plugins are kept.
    pub cache: CacheLocation,
    /// Log lines of plugins below this level are dropped.
    pub log_level: LogLevel,
    /// Whether the instructions of each call are counted, for its [`Usage`].
    /// Such a sandbox compiles plugins to other machine code, which is slower.
    ///
    /// [`Usage`]: crate::Usage
    pub count_fuel: bool,
    /// Whether compiled functions are kept in memory, so that a plugin that has
    /// changed a little is compiled faster. They take a few times the memory of
    /// the code itself.
    pub keep_functions: bool,
}

impl Settings {
    /// The limits of a plugin.
    #[must_use]
    pub fn limits_of(&self, plugin: &str) -> Limits {
        *self.limits_by_plugin.get(plugin).unwrap_or(&self.limits)
    }

    /// The largest memory that any plugin may use, in bytes.
    pub(crate) fn largest_memory(&self) -> usize {
        self.limits_by_plugin
            .values()
            .chain([&self.limits])
            .map(|limits| limits.memory)
            .max()
            .unwrap_or(self.limits.memory)
    }

    /// The largest table that any plugin may use, in elements.
    pub(crate) fn largest_table(&self) -> usize {
        self.limits_by_plugin
            .values()
            .chain([&self.limits])
            .map(|limits| limits.table_elements)
            .max()
            .unwrap_or(self.limits.table_elements)
    }

    /// The most core modules that any plugin may consist of.
    pub(crate) fn most_core_modules(&self) -> u32 {
        self.limits_by_plugin
            .values()
            .chain([&self.limits])
            .map(|limits| limits.core_modules)
            .max()
            .unwrap_or(self.limits.core_modules)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        // Strategy files of any size are parsed and evaluated inside `dsl`.
        let dsl = Limits {
            memory: 256 * MIB,
            ..limits
        };
        Self {
            instances: 64,
            limits,
            limits_by_plugin: BTreeMap::from([("dsl".to_owned(), dsl)]),
            cache: CacheLocation::User,
            log_level: LogLevel::Info,
            count_fuel: false,
            keep_functions: false,
        }
    }
}

/// What one call into a plugin may use. A call that needs more fails; the
/// instance ends, the worker goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance, in bytes.
    pub memory: usize,
    /// Wall time of a call; measured in steps of 10 ms.
    pub time: Duration,
    /// Bytes that cross from the plugin to the host in one answer, or in one
    /// call of an import, counted as they would be stored on the host.
    pub output: usize,
    /// Log lines in a call, those below the log level included, so that the
    /// level never changes a result.
    pub log_lines: u32,
    /// Elements of a function table.
    pub table_elements: usize,
    /// Bytes of its component.
    pub component: usize,
    /// Core modules that its component may consist of. One from Rust has three:
    /// the plugin itself and two small ones that tie it to its imports.
    pub core_modules: u32,
}

impl Limits {
    /// For a plugin that carries an interpreter of its language. CPython comes
    /// as some forty modules, starts in 13 MiB of memory and takes a while to
    /// do what compiled code does at once.
    #[must_use]
    pub fn of_an_interpreter() -> Self {
        Self {
            memory: 256 * MIB,
            time: Duration::from_secs(30),
            table_elements: 100_000,
            component: 64 * MIB,
            core_modules: 128,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            time: Duration::from_secs(5),
            output: MIB,
            log_lines: 1_000,
            table_elements: 20_000,
            component: 16 * MIB,
            core_modules: 16,
        }
    }
}

/// Where compiled plugins are kept. They are native code: whoever can write
/// there can run anything as this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheLocation {
    /// In the user's cache folder.
    #[default]
    User,
    /// In this folder, which must belong to the user and be closed to others.
    Directory(PathBuf),
    /// Nowhere: each load compiles.
    Disabled,
}

/// How much a log line matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// For the author of the plugin.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}
