//! What can go wrong.

use crate::TARGET;
use std::io;
use std::path::PathBuf;

/// A plugin could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No compiler here can build for the target.
    #[error(
        "no Rust compiler here can build for {TARGET}; in the project's folder `make setup` installs what is missing, elsewhere `rustup target add {TARGET}` does"
    )]
    NoToolchain,
    /// Cargo does not understand the project.
    #[error("cargo cannot read the project: {message}")]
    Project {
        /// Cargo's words.
        message: String,
    },
    /// No crate of that name makes a plugin.
    #[error("the project has no plugin crate `{name}`; it has {}", known.join(", "))]
    UnknownPlugin {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The crate in a folder makes no plugin.
    #[error(
        "the crate in {} makes no plugin; its library needs `crate-type = [\"cdylib\", \"rlib\"]`",
        folder.display()
    )]
    NoPlugin {
        /// The folder.
        folder: PathBuf,
    },
    /// Cargo could not be run, or what it built could not be read.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The compiler refuses the plugin. Its own words are on stderr.
    #[error("plugin `{plugin}` does not compile; the compiler's messages are above")]
    Compile {
        /// The plugin.
        plugin: String,
    },
    /// Cargo was content and yet made no module.
    #[error(
        "cargo built no WebAssembly module for `{plugin}`; its library needs `crate-type = [\"cdylib\", \"rlib\"]`"
    )]
    NoModule {
        /// The plugin.
        plugin: String,
    },
}
