//! Compiles plugin crates to WebAssembly modules.
//!
//! A [`Builder`] knows the plugin crates of a cargo workspace and a
//! [`Toolchain`] that can build for `wasm32-unknown-unknown`. What it compiles
//! is a core module; `alchemiser_sandbox::componentize` makes a component of it.
//!
//! A plugin's identity is the digest of its component. So the same sources and
//! the same compiler make the same bytes, whatever folder they lie in and
//! whatever else is built along with them: paths are replaced, each plugin is
//! built by a run of cargo of its own, and flags from the user's environment
//! are not used.

mod error;
mod lock;
mod paths;
mod profile;
mod project;
mod sources;
mod toolchain;

pub use error::BuildError;
pub use lock::Lock;
pub use project::Builder;
pub use sources::Sources;
pub use toolchain::{StandardLibrary, Toolchain};

/// What plugins are built for. It has no operating system: nothing that a plugin
/// links can reach for a file, a clock or the network.
pub const TARGET: &str = "wasm32-unknown-unknown";

pub use profile::PROFILE;
