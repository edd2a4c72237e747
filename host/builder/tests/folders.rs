//! Builds a real plugin, with the compiler that is there.

#![allow(clippy::unwrap_used)]

use alchemiser_builder::{BuildError, Builder};
use std::io::Write;
use std::path::Path;
use std::process::Command;

const PLUGIN: &str = "momentum";

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

/// Copies files and folders into another folder, and keeps the times by which
/// cargo sees what is up to date. Says whether all could be copied.
fn copy(from: &Path, names: &[&str], to: &Path) -> bool {
    std::fs::create_dir_all(to).unwrap();
    let mut copy = Command::new("cp");
    copy.arg("-a")
        .args(names.iter().map(|name| from.join(name)));
    copy.arg(to).status().unwrap().success()
}

#[test]
fn a_module_does_not_depend_on_its_folder() {
    let here = Builder::open(workspace()).unwrap().quiet();
    let expected = here.compile(PLUGIN).unwrap();

    let elsewhere = tempfile::Builder::new()
        .prefix("else where ")
        .tempdir()
        .unwrap();
    let sources = ["Cargo.toml", "Cargo.lock", "host", "plugins", "tests"];
    assert!(copy(workspace(), &sources, elsewhere.path()));
    // What cargo builds for itself is the same in every folder, and takes most of
    // the time; the plugin and all that it links are built again. What another
    // test builds meanwhile may be missed.
    let target = elsewhere.path().join("built");
    let _ = copy(here.target_directory(), &["plugin"], &target);
    let there = Builder::open(elsewhere.path())
        .unwrap()
        .quiet()
        .with_target_directory(target);
    assert!(there.compile(PLUGIN).unwrap() == expected);
    let sources = here.sources(PLUGIN).unwrap();
    assert_eq!(there.sources(PLUGIN).unwrap(), sources);
    assert_eq!(
        there.digest(PLUGIN, &sources.files).unwrap(),
        sources.digest
    );
    let has = |file: &str| sources.files.iter().any(|it| it == file);
    assert!(has("/project/plugins/momentum/src/lib.rs"), "{sources:?}");
    assert!(has("/project/plugins/wit/strategy.wit"), "{sources:?}");
    assert!(
        !has("/project/plugins/momentum/src/tests.rs"),
        "{sources:?}"
    );

    let mut source = std::fs::File::options()
        .append(true)
        .open(elsewhere.path().join("plugins/momentum/src/lib.rs"))
        .unwrap();
    source.write_all(b"\nfn half(").unwrap();
    assert_ne!(
        there.digest(PLUGIN, &sources.files).unwrap(),
        sources.digest
    );
    let refused = there.compile(PLUGIN).unwrap_err();
    assert!(matches!(refused, BuildError::Compile { plugin } if plugin == PLUGIN));
}

#[test]
fn plugins_are_known_by_name() {
    let builder = Builder::open(workspace()).unwrap();
    let plugins: Vec<&str> = builder.plugins().collect();
    assert_eq!(plugins, ["dsl", "momentum", "rebalance"]);
    // Those of the tests can be built as well, when asked for.
    builder.check("torture").unwrap();
    // A crate that makes no module is no plugin.
    for name in ["alchemiser-sdk", "momentun", ""] {
        assert_eq!(
            builder.check(name).unwrap_err().to_string(),
            format!("the project has no plugin crate `{name}`; it has dsl, momentum, rebalance")
        );
    }
}

#[test]
fn a_folder_without_a_workspace_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Builder::open(folder.path()).unwrap_err();
    assert!(matches!(refused, BuildError::Project { .. }), "{refused}");
}
