//! Plugins that misbehave end in their own error, and harm nobody.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Finished, Project, State};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use test_support::handmade::{aliased_strings, strategy_component};

const DATE: &str = "2022-12-28";
const WORKFLOW: &str = "dev-paper-2022-12-28-1600";

/// Limits that are reached soon.
const LIMITS: &str = "
[sandbox.limits]
memory_mib = 32
time_ms = 1000
";

/// The plugin that does what its parameters say. It runs once before it is
/// handed out, so that no test measures how plugins are compiled.
static TORTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let component = test_support::component(&test_support::core_module("torture"));
    let project = Project::new()
        .plugin("torture", &component)
        .settings(LIMITS)
        .book(&book("torture", "behaviour = \"behave\""));
    let _ = State::new().run(&project.alchemiser(), DATE).exits(0);
    component
});

/// A book of a proper strategy, and one by a plugin with these parameters.
fn book(plugin: &str, parameters: &str) -> String {
    format!(
        r#"
        [[strategy]]
        name = "proper"
        file = "trend.clj"
        weight = 0.5

        [[strategy]]
        name = "bad"
        plugin = "{plugin}"
        weight = 0.25
        [strategy.parameters]
        {parameters}
        "#
    )
}

/// A project whose book has a strategy that misbehaves in this way.
fn project(behaviour: &str) -> Project {
    let parameters = format!("behaviour = \"{behaviour}\"");
    Project::new()
        .plugin("torture", &TORTURE)
        .settings(LIMITS)
        .book(&book("torture", &parameters))
}

/// What a failure says of itself.
struct Expected<'a> {
    class: &'a str,
    /// Part of the message.
    says: &'a str,
}

/// Runs the workflow of a bad book, checks that it fails the way it should and
/// that nothing was traded, and runs it once more with a proper book.
#[track_caller]
fn fails(project: &Project, plugin: &str, component: &[u8], expected: &Expected<'_>) -> Finished {
    let alchemiser = project.alchemiser();
    let state = State::new();
    let run = state.run(&alchemiser, DATE).exits(1);
    let summary = run.line();
    assert_eq!(summary["state"], "failed", "{run:#?}");
    assert_eq!(summary["error"]["class"], expected.class, "{run:#?}");

    let events = state.events(&alchemiser, WORKFLOW);
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "WorkflowStarted",
            "WorkflowFailed",
            "TradingNotificationRequested"
        ]
    );
    let failed = &events[1];
    let error = &failed["error"];
    let message = error["message"].as_str().unwrap();
    assert_eq!(error["class"], expected.class);
    assert!(message.contains(expected.says), "{message}");
    assert!(message.contains("`bad`"), "{message}");
    assert!(message.len() < 8 << 10, "{} bytes", message.len());
    assert_eq!(error["context"]["plugin"], plugin);
    assert_eq!(error["context"]["strategy"], "bad");
    let digest = format!("{:x}", Sha256::digest(component));
    assert_eq!(error["context"]["sha256"], digest);
    assert_eq!(failed["failure_step"], "signal_generation");
    assert_eq!(failed["original_event_type"], "WorkflowStarted");
    assert_eq!(failed["original_event_id"], events[0]["event_id"]);
    let notification = &events[2];
    assert_eq!(notification["trading_success"], false);
    assert_eq!(notification["error_code"], expected.class);

    let letters = state.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["class"], expected.class);
    assert_eq!(state.account(), None);
    assert_eq!(state.orders(), Vec::<Value>::new());
    assert_eq!(state.ledger(), Vec::<Value>::new());

    // The workflow may be run again once the book is right.
    project.write("strategies/book.toml", book("momentum", MOMENTUM));
    let rerun = state.run(&alchemiser, DATE).exits(0).line();
    assert_eq!(rerun["workflow"], format!("{WORKFLOW}-r1"));
    assert_eq!(rerun["state"], "completed");
    assert!(!state.orders().is_empty());
    assert_eq!(state.dead_letters().len(), 1);
    run
}

const MOMENTUM: &str = r#"symbols = ["AAPL", "MSFT"]
        lookback = 20
        top = 1"#;

/// What misbehaves while it evaluates, in a run.
#[track_caller]
fn misbehaves(behaviour: &str, class: &str, says: &str) {
    let run = fails(
        &project(behaviour),
        "torture",
        &TORTURE,
        &Expected { class, says },
    );
    bounded(&run);
}

/// Memory that a run takes at most: that of the process itself and of its
/// instances, each up to its own limit of 32 MiB.
#[track_caller]
fn bounded(run: &Finished) {
    let mebibytes = run.peak_memory >> 20;
    assert!(mebibytes < 96, "{mebibytes} MiB");
}

#[test]
fn endless_loop() {
    misbehaves("endless-loop", "TimeLimit", "time limit of 1 s");
}

#[test]
fn memory_bomb() {
    misbehaves("memory-bomb", "MemoryLimit", "limit of 32 MiB");
}

#[test]
fn huge_allocation() {
    misbehaves("huge-allocation", "MemoryLimit", "limit of 32 MiB");
}

#[test]
fn trap() {
    misbehaves("panic", "Trap", "panics on purpose");
}

#[test]
fn stack_overflow() {
    misbehaves("stack-overflow", "StackOverflow", "512 KiB");
}

#[test]
fn large_frames() {
    misbehaves("large-frames", "Trap", "recursion");
}

#[test]
fn large_answer() {
    misbehaves("large-answer", "OutputLimit", "output limit of 1 MiB");
}

#[test]
fn huge_error() {
    misbehaves("huge-error", "OutputLimit", "output limit of 1 MiB");
}

#[test]
fn long_error() {
    misbehaves("long-error", "Long", "long long");
}

#[test]
fn nan_weight() {
    misbehaves("nan-weight", "BadAnswer", "`AAPL` is NaN");
}

#[test]
fn negative_weight() {
    misbehaves("negative-weight", "BadAnswer", "below 0");
}

#[test]
fn weight_above_one() {
    misbehaves("weight-above-one", "BadAnswer", "1.25, which is above 1");
}

#[test]
fn weights_above_one() {
    misbehaves("weights-above-one", "BadAnswer", "add up to 1.25");
}

#[test]
fn unknown_symbol() {
    misbehaves("unknown-symbol", "BadAnswer", "`NOSUCH`");
}

#[test]
fn no_symbol() {
    misbehaves("no-symbol", "BadAnswer", "not a symbol");
}

#[test]
fn duplicate_symbol() {
    misbehaves("duplicate-symbol", "BadAnswer", "more than once");
}

#[test]
fn log_flood() {
    misbehaves("log-flood", "LogLimit", "limit of 1000");
}

#[test]
fn huge_log_line() {
    misbehaves("huge-log-line", "OutputLimit", "output limit of 1 MiB");
}

#[test]
fn look_ahead() {
    // The session after the last cannot be asked for by anybody.
    misbehaves("look-ahead", "LookAhead", "2022-12-28");
}

#[test]
fn undeclared_symbol() {
    misbehaves("undeclared-symbol", "Undeclared", "`JPM`");
}

#[test]
fn undeclared_history() {
    misbehaves("undeclared-history", "Undeclared", "declare more sessions");
}

#[test]
fn made_up_handle() {
    misbehaves("made-up-handle", "UnknownHandle", "4711");
}

/// 160 KiB of answer that would be 10 GiB.
#[test]
fn aliased_strings_do_not_fill_the_host() {
    let component = strategy_component(&aliased_strings(0, 10_240, false));
    let project = Project::new()
        .plugin("aliased", &component)
        .settings(LIMITS)
        .book(&book("aliased", ""));
    let expected = Expected {
        class: "OutputLimit",
        says: "output limit of 1 MiB",
    };
    bounded(&fails(&project, "aliased", &component, &expected));
}

/// An explanation may be long, and is cut; the answer counts.
#[test]
fn explanation_flood() {
    let project = project("explanation-flood");
    let state = State::new();
    let run = state.run(&project.alchemiser(), DATE).exits(0);
    assert_eq!(run.line()["state"], "completed");
    bounded(&run);
}

/// What goes wrong before there is a workflow is a mistake in the book.
#[test]
fn what_fails_while_it_loads_is_refused() {
    for (parameters, class) in [
        (
            "behaviour = \"endless-loop\"\nduring = \"load\"",
            "TimeLimit",
        ),
        (
            "behaviour = \"memory-bomb\"\nduring = \"load\"",
            "MemoryLimit",
        ),
        ("behaviour = \"panic\"\nduring = \"load\"", "Trap"),
        ("behaviour = \"panic\"\nduring = \"requirements\"", "Trap"),
        ("behaviour = \"behave\"\nspeed = 3", "ParameterError"),
    ] {
        let project = project("behave").book(&book("torture", parameters));
        let state = State::new();
        let refused = state.run(&project.alchemiser(), DATE).exits(2);
        assert_eq!(refused.line()["error"]["class"], class, "{refused:#?}");
        assert!(refused.stderr.contains("`bad`"), "{refused:#?}");
        assert!(!state.path().exists());
        bounded(&refused);
    }
}

/// Whatever one strategy does, the process answers for all others and all
/// other dates.
#[test]
fn the_worker_carries_on() {
    let dates = ["2022-12-22", "2022-12-23", "2022-12-27"];
    let evaluate = |project: &Project| {
        let mut arguments = vec!["evaluate", "bad", "proper", "--json"];
        arguments.extend(dates.iter().flat_map(|date| ["--date", date]));
        project.alchemiser().call(arguments).exits(0)
    };
    let proper = evaluate(&project("behave")).lines().split_off(dates.len());
    assert!(proper.iter().all(|line| line["weights"].is_object()));
    for (behaviour, class) in [
        ("endless-loop", "TimeLimit"),
        ("memory-bomb", "MemoryLimit"),
        ("panic", "Trap"),
        ("stack-overflow", "StackOverflow"),
        ("large-answer", "OutputLimit"),
        ("nan-weight", "BadAnswer"),
        ("log-flood", "LogLimit"),
        ("look-ahead", "LookAhead"),
    ] {
        let evaluated = evaluate(&project(behaviour));
        let mut lines = evaluated.lines();
        assert_eq!(lines.split_off(dates.len()), proper, "{behaviour}");
        for (line, date) in lines.iter().zip(dates) {
            assert_eq!(line["strategy"], "bad");
            assert_eq!(line["date"], date);
            assert_eq!(line["error"]["class"], class, "{line}");
            assert_eq!(line["error"]["plugin"], "torture");
        }
        bounded(&evaluated);
    }
}

/// What a plugin says reaches the terminal without its control characters.
#[test]
fn a_plugin_cannot_write_to_the_terminal() {
    let project = project("error-with-control-characters");
    let state = State::new();
    let alchemiser = project.alchemiser();
    for arguments in [
        &["run", "--date", DATE, "-vv"][..],
        &["workflow", "show", WORKFLOW],
        &["events", "trace", WORKFLOW],
        &["events", "list"],
    ] {
        let shown = state.call(&alchemiser, arguments.iter().copied());
        assert!(shown.status.code().is_some());
        for text in [&shown.stdout, &shown.stderr] {
            assert!(!text.contains('\u{1b}'), "{shown:#?}");
        }
    }
}
