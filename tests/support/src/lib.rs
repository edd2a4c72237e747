//! What the tests of several crates need.

#![allow(clippy::expect_used)]

pub mod handmade;

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

/// The component of a plugin's core module.
///
/// # Panics
/// The module was not built with the SDK.
#[must_use]
pub fn component(core_module: &[u8]) -> Vec<u8> {
    wit_component::ComponentEncoder::default()
        .module(core_module)
        .and_then(|mut encoder| encoder.encode())
        .expect("the module fits the contract")
}

/// The root of this workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
