//! What the tests of several crates need.

#![allow(clippy::expect_used, clippy::print_stderr)]

pub mod handmade;

use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "plugin";

/// The core WebAssembly module of a plugin crate of this workspace, built now
/// if it is not up to date.
///
/// # Panics
/// It cannot be built; cargo's own words are on stderr.
#[must_use]
pub fn core_module(package: &str) -> Vec<u8> {
    let target = target_directory().join("wasm");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", PROFILE])
        .args(["--target", TARGET, "--package", package])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(workspace())
        .status()
        .expect("cargo runs, since it runs this test");
    assert!(
        status.success(),
        "`{package}` cannot be built for {TARGET}; `rustup target add {TARGET}` may be missing"
    );
    let module = target
        .join(TARGET)
        .join(PROFILE)
        .join(package.replace('-', "_"))
        .with_extension("wasm");
    std::fs::read(module).expect("cargo has just built it")
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

/// The folder that cargo builds in, wherever it was told to: the test that runs
/// lies in `release/deps` below it.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the system knows what it runs");
    test.ancestors()
        .nth(3)
        .expect("cargo puts tests three folders deep")
        .to_owned()
}
