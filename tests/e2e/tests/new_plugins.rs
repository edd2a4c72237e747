//! Plugins from nothing: made, built, tested and put to work.
#![allow(clippy::unwrap_used)]

use e2e::{Alchemiser, Finished, Project, State, workspace};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const DATE: &str = "2022-12-28";

fn sdk() -> String {
    workspace().join("plugins/sdk").display().to_string()
}

/// A project with plugins of its own, and a folder elsewhere.
fn places() -> (Project, TempDir) {
    let project = Project::new().plugin("spare", b"");
    project.remove("plugins/spare.wasm");
    (project, tempfile::tempdir().unwrap())
}

/// Makes a plugin in a folder that belongs to no project.
fn make(folder: &Path, name: &str, kind: &str) -> PathBuf {
    let into = folder.to_str().unwrap();
    let arguments = ["plugin", "new", name, "--kind", kind, "--into", into];
    let sdk = sdk();
    let arguments = arguments.into_iter().chain(["--sdk", &sdk, "--json"]);
    let made = Alchemiser::within(folder).call(arguments).exits(0).line();
    assert_eq!(made["kind"], kind);
    folder.join(name)
}

/// The program in a folder, building where cargo builds in this workspace.
fn within(folder: &Path) -> Alchemiser {
    let alchemiser = Alchemiser::within(folder);
    match std::env::var("CARGO_TARGET_DIR") {
        Ok(target) => alchemiser.with("CARGO_TARGET_DIR", &target),
        Err(_) => alchemiser,
    }
}

/// The snippet of its README that is to be put into a file of the project.
fn snippet(crate_folder: &Path) -> String {
    let readme = std::fs::read_to_string(crate_folder.join("README.md")).unwrap();
    let (_, snippet) = readme.split_once("```toml\n").unwrap();
    snippet.split_once("```").unwrap().0.to_owned()
}

#[test]
fn a_strategy_of_ones_own_is_built_inspected_and_asked() {
    let (project, elsewhere) = places();
    let mine = make(elsewhere.path(), "mine", "strategy");

    // Without a project the component stays with its crate.
    let here = within(&mine);
    let built = here.call(["plugin", "build", "--json"]).exits(0).line();
    assert_eq!(
        (&built["plugin"], &built["kind"]),
        (&json!("mine"), &json!("strategy"))
    );
    assert!(mine.join("target/plugins/mine.wasm").is_file());

    // With one it goes there, and is the same.
    let named = project.path().to_str().unwrap();
    let build = || {
        here.call(["plugin", "build", "--json", "--project", named])
            .exits(0)
            .line()
    };
    let of_project = build();
    assert_eq!(of_project["sha256"], built["sha256"]);
    assert!(project.path().join("plugins/mine.wasm").is_file());
    let by_folder = project.alchemiser().with("CARGO_TARGET_DIR", &target());
    let by_folder = by_folder.call(["plugin", "build", mine.to_str().unwrap(), "--json"]);
    assert_eq!(by_folder.exits(0).line()["changed"], false);

    // The README says how to put it to work.
    project.write("strategies/book.toml", snippet(&mine));
    let evaluate = ["evaluate", "mine", "--date", DATE, "--json"];
    let answer = project.alchemiser().call(evaluate).exits(0).line();
    let weights = answer["weights"].as_object().unwrap();
    let held: Vec<&str> = weights.keys().map(String::as_str).collect();
    assert!(held == ["MTUM"] || held == ["USMV"], "{answer}");

    // What it was built from is known, and that it has changed.
    let state = |alchemiser: &Alchemiser, file: &str| -> Value {
        let inspected = alchemiser.call(["plugin", "inspect", file, "--json"]);
        inspected.exits(0).line()["origin"]["state"].clone()
    };
    assert_eq!(state(&here, "target/plugins/mine.wasm"), "unchanged");
    assert_eq!(
        state(&project.alchemiser(), "plugins/mine.wasm"),
        "not here"
    );
    let library = mine.join("src/lib.rs");
    let text = std::fs::read_to_string(&library).unwrap();
    std::fs::write(&library, text.replace("2..=1000", "2..=500")).unwrap();
    assert_eq!(state(&here, "target/plugins/mine.wasm"), "changed");
    assert_eq!(build()["changed"], true);
    let file = project.path().join("plugins/mine.wasm");
    assert_eq!(state(&here, file.to_str().unwrap()), "unchanged");
}

fn target() -> String {
    let target = std::env::var("CARGO_TARGET_DIR");
    target.unwrap_or_else(|_| workspace().join("target").display().to_string())
}

#[test]
fn a_planner_of_ones_own_makes_the_plans() {
    let (project, elsewhere) = places();
    let planner = make(elsewhere.path(), "planner", "portfolio");
    let named = project.path().to_str().unwrap();
    let arguments = ["plugin", "build", "--json", "--project", named];
    assert_eq!(
        within(&planner).call(arguments).exits(0).line()["kind"],
        "portfolio"
    );

    let project =
        project.settings(&snippet(&planner).replace("[plugins]\nportfolio", "plugins.portfolio"));
    let state = State::new();
    for date in ["2022-12-27", DATE] {
        let run = state.run(&project.alchemiser(), date).exits(0).line();
        assert_eq!(run["state"], "completed", "{run}");
    }
    let events = state.events(&project.alchemiser(), "dev-paper-2022-12-28-1600");
    assert_eq!(events[2]["produced_by"]["plugin"], "planner");
    // All but the reserve and what buys nothing is invested.
    let account = state.account().unwrap();
    assert!(!account.positions.is_empty());
    assert!(account.cash.is_sign_positive(), "{account:?}");
}

/// The tests that come with a new plugin pass, as plain Rust.
#[test]
fn native_tests_come_along() {
    let elsewhere = tempfile::tempdir().unwrap();
    for kind in ["strategy", "portfolio"] {
        let folder = make(elsewhere.path(), &format!("my-{kind}"), kind);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--quiet"]).current_dir(&folder).env(
            "CARGO_TARGET_DIR",
            Path::new(&target()).join("tmp/new-plugins"),
        );
        let output = cargo.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("test result: ok."), "{text}");
    }
}

/// In the project a new plugin is a member of the workspace at once.
#[test]
fn in_the_project_it_belongs_to_the_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Command::new("cp");
    let sources = [
        "Cargo.toml",
        "Cargo.lock",
        "routes.toml",
        "host",
        "plugins",
        "tests",
    ];
    copy.arg("-a")
        .args(sources.map(|name| workspace().join(name)));
    assert!(copy.arg(folder.path()).status().unwrap().success());

    let alchemiser = Alchemiser::within(folder.path());
    for (name, kind) in [("mine", "strategy"), ("planner", "portfolio")] {
        let new = ["plugin", "new", name, "--kind", kind];
        let made = alchemiser.call(new).exits(0).stdout;
        assert!(
            made.contains(&format!("alchemiser plugin build {name}")),
            "{made}"
        );
    }
    let unknown = alchemiser.call(["plugin", "build", "minee"]).exits(2);
    assert!(
        unknown.stderr.contains("mine, momentum, planner"),
        "{unknown:#?}"
    );

    let metadata = Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    for name in ["mine", "planner"] {
        let packages = metadata["packages"].as_array().unwrap();
        let package = packages.iter().find(|it| it["name"] == name).unwrap();
        assert_eq!(
            package["targets"][0]["crate_types"],
            json!(["cdylib", "rlib"])
        );
    }
    // Nothing but the new folders has been touched.
    let manifest = |root: &Path| std::fs::read(root.join("Cargo.toml")).unwrap();
    assert_eq!(manifest(folder.path()), manifest(workspace()));
}

#[test]
fn what_cannot_be_made_is_refused_and_leaves_nothing() {
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path();
    let sdk = sdk();
    let into = folder.to_str().unwrap();
    let refused = |arguments: &[&str]| -> String {
        let arguments = [&["plugin", "new"], arguments].concat();
        let refused: Finished = Alchemiser::within(folder).call(arguments).exits(2);
        assert_eq!(refused.stdout, "");
        refused.stderr
    };
    let expect = |arguments: &[&str], part: &str| {
        let said = refused(arguments);
        assert!(said.contains(part), "{said}");
    };
    expect(&["mine"], "name its folder with `--project`");
    expect(&["My_Plugin", "--into", into], "did you mean `my-plugin`?");
    expect(&["dsl", "--into", into], "every project has in use");
    expect(&["match", "--into", into], "a word of the Rust language");
    expect(
        &["momentum", "--into", into, "--sdk", &sdk],
        "take another name",
    );
    expect(
        &["mine", "--into", into, "--sdk", into],
        "is not the folder of the crate `alchemiser-sdk`",
    );
    expect(
        &["mine", "--into", into, "--kind", "stratgy"],
        "invalid value 'stratgy'",
    );
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);

    let _ = make(folder, "mine", "strategy");
    expect(&["mine", "--into", into, "--sdk", &sdk], "exists already");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}
