//! `alchemiser plugin test`: real components, within their real limits.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Finished, MANIFEST, Project};
use quick_junit::{Report, TestCaseStatus};
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;

/// Compares text with what was read and found good.
macro_rules! assert_text {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

/// The plugin that does what its parameters say.
static TORTURE: LazyLock<Vec<u8>> =
    LazyLock::new(|| test_support::component(&test_support::core_module("torture")));

/// What was said, without what differs from run to run and build to build:
/// times, fuel and memory.
fn stable(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find(" ms  ") {
        Some(place) if line.ends_with(" MiB") => {
            let name = line[..place]
                .trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
            name.trim_end()
        }
        _ => line.trim_end(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn test<const N: usize>(project: &Project, arguments: [&str; N]) -> Finished {
    let command = ["plugin", "test"].into_iter().chain(arguments);
    project.alchemiser().call(command)
}

/// A project with scenarios of the shipped momentum.
fn with_momentum(scenarios: &str) -> Project {
    Project::new()
        .file("plugins/momentum/Cargo.toml", MANIFEST)
        .file("plugins/momentum/tests/momentum.toml", scenarios)
        .settings_of_shipped()
}

trait Shipped {
    fn settings_of_shipped(self) -> Self;
}

impl Shipped for Project {
    /// The components of the workspace, although there are plugin crates here.
    fn settings_of_shipped(self) -> Self {
        let (data, plugins) = (e2e::workspace().join("data"), e2e::plugins());
        let settings = format!("data.path = {data:?}\nplugins.directory = {plugins:?}\n");
        self.file("alchemiser.toml", settings)
    }
}

const MOMENTUM: &str = r#"# Kept.
[[scenario]]
name = "holds the strongest"
parameters = { symbols = ["UP", "DOWN"], lookback = 2, top = 1 }
first_date = "2024-01-02"
prices = { UP = [100, 105, 110, 126], DOWN = [10, 9, 8, 7] }

[[scenario.expect]]
session = 3 # the last
weights = { DOWN = 0.5, UP = 0.5 }

[[scenario.expect]]
date = "2024-01-03"

[[scenario]]
name = "is too young"
parameters = { symbols = ["UP"], lookback = 2, top = 1 }
prices = { UP = [100, 105, 110] }

[[scenario.expect]]
session = 1
error = { class = "InsufficientHistory", symbol = "UP" }
"#;

#[test]
fn what_is_shipped_passes() {
    let test = ["plugin", "test", "--no-build"];
    let tested = Alchemiser::shipped().call(test).exits(0);
    assert_eq!(tested.stderr, "");
    let summary = tested.stdout.lines().last().unwrap();
    assert!(summary.ends_with(" scenarios passed"), "{summary}");
    for name in [
        "plugin momentum",
        "plugin rebalance",
        "strategies/trend.clj",
    ] {
        assert!(tested.stdout.contains(name), "{name}: {}", tested.stdout);
    }
}

/// Fuel and memory of each scenario, which no machine and no neighbour changes.
#[test]
fn costs_are_the_same_each_time() {
    let costs = || {
        let command = ["plugin", "test", "--no-build", "--json"];
        let lines = Alchemiser::shipped().call(command).exits(0).lines();
        let cost = |line: &Value| (line["fuel"].clone(), line["memory"].clone());
        lines.iter().map(cost).collect::<Vec<_>>()
    };
    let first = costs();
    assert_eq!(costs(), first);
    assert!(first.iter().any(|(fuel, _)| fuel.as_u64() > Some(1000)));
}

#[test]
fn differences_are_shown_and_can_be_written_down() {
    let project = with_momentum(MOMENTUM);
    let failed = test(&project, ["momentum"]).exits(1);
    assert_text!("failed", stable(&failed.stdout));

    let lines = test(&project, ["momentum", "--json"]).exits(1).lines();
    let failures = lines[0]["failures"].as_array().unwrap();
    assert_eq!(lines[0]["passed"], false);
    assert_eq!(failures[0]["kind"], "expectation");
    assert_eq!(failures[0]["line"], 8);
    assert_eq!(failures[0]["date"], "2024-01-05");
    assert_eq!(failures[0]["differences"][0]["name"], "DOWN");
    assert_eq!(failures[1]["kind"], "unfilled");
    assert_eq!(lines[1]["passed"], true);

    let updated = test(&project, ["momentum", "--update"]).exits(0);
    assert_text!("updated", stable(&updated.stdout));
    let file = project.path().join("plugins/momentum/tests/momentum.toml");
    assert_text!("updated_file", std::fs::read_to_string(file).unwrap());
    let passed = test(&project, ["momentum"]).exits(0);
    assert!(
        passed.stdout.ends_with("2 scenarios passed\n"),
        "{}",
        passed.stdout
    );
}

#[test]
fn a_junit_report_can_be_read() {
    let project = with_momentum(MOMENTUM);
    let _ = test(&project, ["momentum", "--junit", "report.xml"]).exits(1);
    let report = std::fs::read_to_string(project.path().join("report.xml")).unwrap();
    let report = Report::deserialize_from_str(&report).unwrap();
    assert_eq!((report.tests, report.failures), (2, 1));
    let suite = &report.test_suites[0];
    assert_eq!(suite.name.as_str(), "plugin momentum");
    let [failed, passed] = &suite.test_cases[..] else {
        panic!("{suite:?}");
    };
    assert_eq!(failed.name.as_str(), "holds the strongest");
    assert!(matches!(passed.status, TestCaseStatus::Success { .. }));
    let TestCaseStatus::NonSuccess { description, .. } = &failed.status else {
        panic!("{failed:?}");
    };
    // Where, and what was expected.
    assert_text!("junit", description.as_ref().unwrap().as_str());
}

/// A component on scenarios that lie elsewhere, each of which shows one way to
/// go wrong.
#[test]
fn whoever_cheats_or_needs_too_much_is_told() {
    let prices =
        "prices = { generate = { seed = 1, sessions = 40, symbols = [\"AAPL\", \"MSFT\"] } }";
    let scenario = |behaviour: &str| {
        format!(
            "[[scenario]]\nname = \"{behaviour}\"\nparameters = {{ behaviour = \"{behaviour}\" }}\n\
             {prices}\n\n"
        )
    };
    let scenarios: String = [
        "count",
        "cache",
        "look-ahead",
        "undeclared-history",
        "memory-bomb",
        "huge-allocation",
        "crunch",
        "large-answer",
        "log-flood",
        "stack-overflow",
        "panic",
        "weights-above-one",
    ]
    .map(scenario)
    .concat();
    let limits = "[sandbox.plugin.torture]\nmemory_mib = 32\ntime_ms = 100\n";
    let project = Project::new()
        .plugin("torture", &TORTURE)
        .settings(limits)
        .file("torture.toml", scenarios);
    let component = "plugins/torture.wasm";
    let tested = test(&project, [component, "--scenarios", "torture.toml"]).exits(1);
    let said = stable(&tested.stdout);
    // Where in its source it panicked is not what this is about.
    let said: Vec<&str> = said
        .lines()
        .map(|line| line.split(" (tests/torture/").next().unwrap_or(line))
        .collect();
    assert_text!("cheats", said.join("\n"));
}

#[test]
fn budgets_are_held() {
    let budget = MOMENTUM.replace("first_date", "budget = { fuel = 100 }\nfirst_date");
    let project = with_momentum(&budget);
    let lines = test(&project, ["momentum", "--json", "--update"])
        .exits(1)
        .lines();
    let failures = lines[0]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["kind"], "budget");
}

#[test]
fn strategy_files_take_the_same_scenarios() {
    let expect = "[[scenario]]\nname = \"too young\"\nprices = { A = [1, 2] }\n\
                  [[scenario.expect]]\nerror = { class = \"NoData\" }\n";
    let named = format!("strategy = \"balance.clj\"\n{expect}");
    let project = Project::new()
        .file("strategies/tests/trend.toml", expect)
        .file("strategies/tests/trend-crash.toml", expect)
        .file("strategies/tests/other.toml", named);
    let tested = test(&project, ["--json"]).exits(0).lines();
    let told: Vec<String> = tested
        .iter()
        .map(|line| format!("{} {}", line["target"], line["file"]))
        .collect();
    assert_text!("targets", told.join("\n"));
    assert_eq!(
        test(&project, ["trend", "--json"]).exits(0).lines().len(),
        2
    );
    let file = ["strategies/balance.clj", "--json"];
    assert_eq!(test(&project, file).exits(0).lines().len(), 1);
}

/// All that is wrong is told before anything runs.
#[test]
fn bad_files_and_wrong_usage() {
    let mut texts = Vec::new();
    let mut note = |what: &str, finished: Finished| {
        let finished = finished.exits(2);
        texts.push(format!("{what}\n{}", finished.stderr));
    };
    let bad = "[[scenario]]\nname = \"a\"\npries = { SPY = [1, -2] }\n\n[[scenario.expect]]\nsesion = 1\n";
    let project = with_momentum(bad);
    note("a bad file", test(&project, ["momentum"]));
    let objects = test(&project, ["momentum", "--json"]).exits(2).lines();
    assert_eq!(objects[0]["error"]["class"], "ScenarioError");
    assert_eq!(objects[0]["error"]["line"], 1);

    let request = "[[scenario]]\nname = \"a\"\nrequest = { cash = 1 }\n";
    note("a request", test(&with_momentum(request), ["momentum"]));
    note("a plugin without scenarios", test(&project, ["rebalance"]));
    note("a strategy without scenarios", test(&project, ["trend"]));
    note("nobody", test(&project, ["momentun"]));
    note(
        "no such file",
        test(&project, ["nowhere.wasm", "--scenarios", "x.toml"]),
    );
    note(
        "no such scenarios",
        test(&project, ["trend", "--scenarios", "x.toml"]),
    );
    note(
        "scenarios of nobody",
        test(&project, ["--scenarios", "x.toml"]),
    );
    note("nothing at all", test(&Project::new(), []));
    let stray = Project::new().file("strategies/tests/nobody.toml", bad);
    note("a stray file", test(&stray, []));
    assert_text!("refused", texts.join("\n"));
}

#[test]
fn plans_are_compared_and_can_be_written_down() {
    let scenarios = r#"[[scenario]]
name = "an exit, and two buys"
[scenario.request]
cash = 4503.77
targets = { SPY = 0.6, QQQ = 0.4 }
positions = { SPY = 10, TLT = 5.5 }
instruments = { SPY = { price = 500.123 }, TLT = { price = 90 }, QQQ = { price = 400 } }

[[scenario.expect]]
symbol = "TLT" # all of it
action = "hold"
trade_amount = -490

[[scenario.expect]]
symbol = "SPY"

[[scenario]]
name = "nothing to do"
request = { cash = 1, targets = { SPY = 1.0 }, instruments = { SPY = { price = 500 } }, settings = { max_position = 0.5 } }
"#;
    let project = Project::new()
        .file("plugins/rebalance/Cargo.toml", MANIFEST)
        .file("plugins/rebalance/tests/rebalance.toml", scenarios)
        .settings_of_shipped();
    let failed = test(&project, ["rebalance"]).exits(1);
    assert_text!("plans", stable(&failed.stdout));
    let updated = test(&project, ["rebalance", "--update"]).exits(1);
    assert!(
        updated.stdout.contains("3 expectations written anew"),
        "{}",
        updated.stdout
    );
    let file = project
        .path()
        .join("plugins/rebalance/tests/rebalance.toml");
    assert_text!("plans_updated", std::fs::read_to_string(file).unwrap());
}

/// A component and its scenarios need no project.
#[test]
fn a_component_outside_of_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let component = e2e::plugins().join("momentum.wasm");
    std::fs::copy(component, folder.path().join("my.wasm")).unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    let scenarios = Path::new("tests/my.toml");
    std::fs::write(folder.path().join(scenarios), MOMENTUM).unwrap();
    let command = [
        "plugin",
        "test",
        "my.wasm",
        "--scenarios",
        "tests",
        "--update",
    ];
    let tested = Alchemiser::within(folder.path()).call(command).exits(0);
    assert!(
        tested.stdout.contains("component my.wasm"),
        "{}",
        tested.stdout
    );
}
