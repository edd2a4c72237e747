//! What the tests of several crates need.

#![allow(clippy::expect_used)]

use alchemiser_builder::Builder;
use std::path::PathBuf;

/// The core WebAssembly module of a plugin crate of this workspace, built now
/// if it is not up to date.
///
/// # Panics
/// It cannot be built; the compiler's own words are on stderr.
#[must_use]
pub fn core_module(package: &str) -> Vec<u8> {
    Builder::open(&workspace())
        .and_then(|builder| builder.quiet().compile(package))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The root of this workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
