//! What `alchemiser doctor` finds, and what it says would help.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Project, State, workspace};
use std::fs;

/// What a person is told, with this exit code.
#[track_caller]
fn doctor(project: &Project, state: &State, more: &[&str], code: i32) -> String {
    let arguments = ["doctor"].iter().chain(more).copied();
    let told = state.call(&project.alchemiser(), arguments).exits(code);
    assert_eq!(told.stderr, "", "{told:#?}");
    told.stdout
        .replace(state.path().to_str().unwrap(), "[STATE]")
        .replace(project.path().to_str().unwrap(), "[PROJECT]")
}

/// What is said to be wrong, and no more than that.
#[track_caller]
fn wrong(project: &Project, state: &State) -> String {
    let told = doctor(project, state, &[], 1);
    let is_wrong = |line: &&str| line.split_whitespace().nth(1) == Some("wrong");
    let lines: Vec<_> = told.lines().filter(is_wrong).map(str::trim).collect();
    let json = doctor(project, state, &["--json"], 1);
    let of_scripts = json.lines().filter(|line| line.contains("\"ok\":false"));
    assert_eq!(lines.len(), of_scripts.count(), "{told}{json}");
    lines.join("\n")
}

fn shipped(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// With one thing in the place of another that is there.
#[track_caller]
fn replaced(name: &str, from: &str, to: &str) -> String {
    let shipped = shipped(name);
    assert!(shipped.contains(from), "{name} has no {from}");
    shipped.replacen(from, to, 1)
}

/// The shipped book, of which one strategy looks at a symbol that has no prices.
fn without_prices() -> String {
    replaced("strategies/book.toml", "\"AAPL\", ", "\"NOWHERE\", ")
}

#[test]
fn nothing_is_wrong_in_a_good_project() {
    let (project, state) = (Project::new(), State::new());
    let before = doctor(&project, &state, &[], 0);
    let json = doctor(&project, &state, &["--json"], 0);
    let _ = state.run(&project.alchemiser(), "2022-12-28").exits(0);
    let after = doctor(&project, &state, &[], 0);
    // The bundled prices end where they end; what day it is differs.
    insta::with_settings!({filters => vec![
        (r"which is today|and today is (no session|a session; schedules wait for its prices)", "[TODAY]"),
    ]}, {
        insta::assert_snapshot!(format!("{before}\n{json}\n{after}"));
    });
}

#[test]
fn what_is_wrong_is_said_with_what_helps() {
    let state = State::new();
    let of = |project: Project| wrong(&project, &state);
    let told = [
        (
            "a plugin",
            of(Project::new().book(&replaced(
                "strategies/book.toml",
                "plugin = \"momentum\"",
                "plugin = \"momentun\"",
            ))),
        ),
        (
            "a book with a key that is misspelt",
            of(Project::new().book(&replaced("strategies/book.toml", "plugin =", "plugn ="))),
        ),
        (
            "a parameter out of range",
            of(Project::new().book(&replaced(
                "strategies/book.toml",
                "lookback = 126",
                "lookback = 0",
            ))),
        ),
        ("a strategy file", {
            let project = Project::new();
            project.remove("strategies/trend.clj");
            of(project)
        }),
        (
            "a symbol without prices",
            of(Project::new().book(&without_prices())),
        ),
        (
            "a component that is none",
            of(Project::new().plugin("momentum", b"no component")),
        ),
        (
            "a rule that tests name",
            of(Project::new().file(
                "routes.toml",
                replaced(
                    "routes.toml",
                    "name = \"trade-executed\"",
                    "name = \"trades-executed\"",
                ),
            )),
        ),
        (
            "a rule that is disabled",
            of(Project::new().file(
                "routes.toml",
                replaced(
                    "routes.toml",
                    "name = \"signal-generated\"\n",
                    "name = \"signal-generated\"\nenabled = false\n",
                ),
            )),
        ),
        (
            "prices",
            of(Project::new().file(
                "alchemiser.toml",
                format!("plugins.directory = {:?}\n", e2e::plugins()),
            )),
        ),
    ];
    let told: Vec<_> = told
        .iter()
        .map(|(what, told)| format!("{what}:\n{}", told.replace("\n", "\n  ")))
        .collect();
    let plugins = e2e::plugins().to_str().unwrap();
    insta::assert_snapshot!(told.join("\n\n").replace(plugins, "[PLUGINS]"));
}

#[test]
fn dead_letters_are_counted_until_they_are_settled() {
    let (project, state) = (Project::new().book(&without_prices()), State::new());
    let _ = state.run(&project.alchemiser(), "2022-12-28").exits(1);
    let told = wrong(&project, &state);
    let (weights, state_of_it) = told.split_once('\n').unwrap();
    assert!(weights.starts_with("weights"), "{told}");
    assert_eq!(
        state_of_it,
        "state      wrong  1 dead letter waits; `alchemiser dlq list` says why"
    );
    project.write("strategies/book.toml", shipped("strategies/book.toml"));
    let _ = state
        .call(&project.alchemiser(), ["dlq", "redrive", "--all"])
        .exits(0);
    let told = doctor(&project, &state, &[], 0);
    assert!(told.contains("[STATE], no dead letters"), "{told}");
}
