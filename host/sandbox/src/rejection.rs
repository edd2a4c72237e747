//! Why a file is no plugin for this host, in words.

use crate::inspect::{INTERFACE_VERSION, Kind};
use crate::interface::{Difference, Sentence};
use semver::Version;
use std::fmt;

/// Why a file is no plugin for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not WebAssembly.
    #[error(
        "it is not WebAssembly ({size} bytes); a plugin is a component, as written by `alchemiser plugin build`"
    )]
    NotWebAssembly {
        /// Length in bytes.
        size: usize,
    },
    /// A core module.
    #[error(
        "it is a core WebAssembly module and not yet a component; `alchemiser plugin build` makes one"
    )]
    CoreModule,
    /// Damaged.
    #[error("it is damaged at byte {offset}: {message}; build or copy it again")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// It exports no interface that the host knows.
    #[error("it exports {}, and a plugin exports `alchemiser:plugin/evaluator` (a strategy) or `alchemiser:plugin/planner` (a portfolio)", List(.exports))]
    NoPlugin {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It is both kinds at once.
    #[error("it exports `evaluator` and `planner`; a plugin is either a strategy or a portfolio")]
    BothKinds,
    /// Built for a version of the interface that this host does not serve.
    #[error(
        "it was built for version {built_for} of the plugin interface, and this host speaks {}: {}; {}",
        INTERFACE_VERSION,
        Because(.built_for, .differences),
        remedy(.built_for)
    )]
    Version {
        /// The version in the names of what it imports and exports.
        built_for: Version,
        /// What it would need another host for.
        differences: Vec<Difference>,
    },
    /// Its functions are not those of the version that it names.
    #[error(
        "it names version {built_for} of the plugin interface and does not fit it: {}; {REBUILD}",
        Sentence(.differences)
    )]
    Functions {
        /// The version in its names.
        built_for: Version,
        /// Where it does not fit.
        differences: Vec<Difference>,
    },
    /// It wants what no plugin gets.
    #[error("it imports `{name}`, and a {kind} plugin may import nothing but {}", List(.kind.imports()))]
    Import {
        /// What it wants.
        name: String,
        /// What it is.
        kind: Kind,
    },
}

const REBUILD: &str =
    "rebuild it with the `alchemiser-sdk` of this host, by `alchemiser plugin build`";

/// What somebody can do who has a plugin of this version.
fn remedy(built_for: &Version) -> String {
    if *built_for > INTERFACE_VERSION {
        format!("update alchemiser, or {REBUILD}")
    } else {
        REBUILD.to_owned()
    }
}

/// Why a version is not served.
struct Because<'a>(&'a Version, &'a [Difference]);

impl fmt::Display for Because<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(built_for, differences) = self;
        if !differences.is_empty() {
            write!(formatter, "{}", Sentence(differences))
        } else if built_for.pre.is_empty() {
            formatter.write_str("functions of another major version may mean something else")
        } else {
            formatter.write_str("a version that is not released yet may still change")
        }
    }
}

/// Names in a sentence.
struct List<'a, T>(&'a [T]);

impl<T: AsRef<str>> fmt::Display for List<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("nothing");
        }
        for (place, name) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(formatter, "{comma}`{}`", name.as_ref())?;
        }
        Ok(())
    }
}
