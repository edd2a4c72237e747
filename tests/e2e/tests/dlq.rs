//! Dead letters and replays, by the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_fail_points::VARIABLE;
use e2e::{Project, State};
use serde_json::{Value, json};

const DATE: &str = "2022-12-28";
const WORKFLOW: &str = "dev-paper-2022-12-28-1600";

/// A strategy that asks for a symbol of which there are no prices.
const WRONG: &str = "[[strategy]]\nname = \"trend\"\nfile = \"trend.clj\"\nweight = 0.5\n\
    [[strategy]]\nname = \"one\"\nplugin = \"momentum\"\nweight = 0.5\n\
    [strategy.parameters]\nsymbols = [\"AAPL\", \"MSFTT\"]\nlookback = 20\ntop = 1\n";

fn right() -> String {
    WRONG.replace("MSFTT", "MSFT")
}

/// A workflow that failed, since its book is wrong.
fn failed() -> (Project, State) {
    let project = Project::new().book(WRONG);
    let state = State::new();
    let _ = state.run(&project.alchemiser(), DATE).exits(1);
    (project, state)
}

#[test]
fn what_is_mended_is_redriven_to_its_end() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    let call = |arguments: &[&str]| state.call(&alchemiser, arguments.iter().copied());

    let letters = call(&["dlq", "list", "--json"]).exits(0).lines();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter["workflow"], WORKFLOW);
    assert_eq!(letter["target"], "strategy");
    assert_eq!(letter["rule"], "workflow-started");
    assert_eq!(letter["error"]["class"], "NoData");
    assert_eq!(letter["settled"], Value::Null);
    let number = letter["letter"].to_string();
    let shown = call(&["dlq", "show", &number]).exits(0).stdout;
    assert!(shown.contains("MSFTT"), "{shown}");
    let filtered = call(&["dlq", "list", "--error", "Expired"]).exits(0);
    assert_eq!(filtered.stdout, "There are no dead letters.\n");

    // Nothing has been mended: it dies once more.
    let again = call(&["dlq", "redrive", &number]).exits(1).stdout;
    assert!(again.contains("failed again"), "{again}");
    let _ = call(&["dlq", "show", &number, "--json"]).exits(0);
    let settled = call(&["dlq", "redrive", &number]).exits(1);
    assert!(settled.stderr.contains("was redriven"), "{settled:#?}");

    project.write("strategies/book.toml", right());
    let dry = call(&["dlq", "redrive", "--all", "--dry-run"]).exits(0);
    assert!(dry.stdout.contains("would be redriven"), "{dry:#?}");
    assert_eq!(call(&["dlq", "list", "--json"]).exits(0).lines().len(), 1);
    let redriven = call(&["dlq", "redrive", "--all", "--json"]).exits(0);
    let lines = redriven.lines();
    assert_eq!(lines[0]["redriven"], true);
    assert_eq!(
        lines[1],
        json!({"workflow": WORKFLOW, "state": "completed", "dead_letters": []})
    );

    // The account is as if it had worked at once.
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    assert_eq!(state.account(), undisturbed.account());
    assert!(state.account().is_some());
    let run = state.run(&alchemiser, DATE).exits(0).line();
    assert_eq!(run["already_completed"], true);
    assert_eq!(run["error"], Value::Null, "what failed before is past");
    let all = call(&["dlq", "list", "--settled", "--json"]).exits(0);
    assert_eq!(all.lines().len(), 2);
}

/// A rerun has taken the workflow's place: its account must not trade twice.
#[test]
fn what_could_trade_twice_is_refused() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    project.write("strategies/book.toml", right());
    let _ = state.run(&alchemiser, DATE).exits(0);
    let account = state.account();

    let refused = state.call(&alchemiser, ["dlq", "redrive", "--all", "--json"]);
    let line = refused.exits(1).line();
    assert_eq!(line["error"]["class"], "MovedOn");
    let message = line["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("dev-paper-2022-12-28-1600-r1"),
        "{message}"
    );
    assert_eq!(state.account(), account);

    let dropped = state.call(&alchemiser, ["dlq", "drop", "--all"]).exits(0);
    assert!(dropped.stdout.ends_with(": dropped\n"), "{dropped:#?}");
    let nothing = state
        .call(&alchemiser, ["dlq", "redrive", "--all"])
        .exits(0);
    assert_eq!(nothing.stdout, "There are no such dead letters.\n");
}

/// Of several attempts at a session one may trade; other sessions have their
/// turn when it has ended.
#[test]
fn letters_are_redriven_one_after_the_other() {
    let (project, state) = (Project::new().book(WRONG), State::new());
    let alchemiser = project.alchemiser();
    let call = |arguments: &[&str]| state.call(&alchemiser, arguments.iter().copied());
    for date in ["2022-12-27", "2022-12-27", DATE] {
        let _ = state.run(&alchemiser, date).exits(1);
    }
    project.write("strategies/book.toml", right());

    let asked = call(&["dlq", "redrive", "--all", "--dry-run"]).exits(0);
    assert_eq!(
        asked.stdout,
        "1: would be redriven\n\
         2: would be redriven, unless dev-paper-2022-12-27-1600 completes first\n\
         3: would be redriven\n"
    );
    let lines = call(&["dlq", "redrive", "--all", "--json"])
        .exits(1)
        .lines();
    assert_eq!(lines[1]["state"], "completed");
    assert_eq!(lines[2]["error"]["class"], "MovedOn");
    assert_eq!(lines[3]["letter"], 3);
    assert_eq!(lines[4]["state"], "completed");

    let undisturbed = State::new();
    for date in ["2022-12-27", DATE] {
        let _ = undisturbed.run(&alchemiser, date).exits(0);
    }
    assert_eq!(state.account(), undisturbed.account());
}

/// The letter is settled then; asked again, it is brought to its end.
#[test]
fn a_redrive_that_was_killed_is_taken_up() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    project.write("strategies/book.toml", right());
    for again in [&["dlq", "redrive", "1"][..], &["dlq", "redrive", "--all"]] {
        let mortal = project
            .alchemiser()
            .with_fail_points()
            .with(VARIABLE, "after-claim=kill");
        let killed = state.call(&mortal, again.iter().copied());
        assert_eq!(killed.status.code(), None, "{killed:#?}");
    }
    let dry = state.call(&alchemiser, ["dlq", "redrive", "--all", "--dry-run"]);
    assert!(dry.exits(0).stdout.contains("would go on"));
    let taken_up = state.call(&alchemiser, ["dlq", "redrive", "1"]).exits(0);
    assert_eq!(taken_up.stdout, format!("{WORKFLOW}: completed\n"));
    let settled = state.call(&alchemiser, ["dlq", "redrive", "1"]).exits(1);
    assert!(settled.stderr.contains("was redriven"), "{settled:#?}");

    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    assert_eq!(state.account(), undisturbed.account());
}

#[test]
fn what_was_mistyped_is_told() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    for (arguments, says) in [
        (
            &["events", "list", "--rule", "trade-exected"][..],
            "did you mean `trade-executed`?",
        ),
        (
            &["dlq", "list", "--rule", "trade-exected"],
            "did you mean `trade-executed`?",
        ),
        (
            &["dlq", "redrive", "--all", "--rule", "x"],
            "there is no rule `x`",
        ),
        (
            &["events", "list", "--event-type", "workflowstarted"],
            "did you mean `WorkflowStarted`?",
        ),
        (
            &[
                "events",
                "list",
                "--from",
                "2022-01-02",
                "--to",
                "2022-01-01",
            ],
            "not before `--to`",
        ),
    ] {
        let refused = state.call(&alchemiser, arguments.iter().copied()).exits(2);
        assert!(refused.stderr.contains(says), "{refused:#?}");
    }
}

#[test]
fn letters_that_are_not_there() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    for command in ["show", "redrive", "drop"] {
        let unknown = state.call(&alchemiser, ["dlq", command, "99"]).exits(1);
        assert!(unknown.stderr.contains("there is no dead letter 99"));
    }
    let _ = state.call(&alchemiser, ["dlq", "redrive"]).exits(2);
}

/// Routes lost an event; once they are mended it is replayed, first to those
/// that only compute, then, on request, to those that act.
#[test]
fn a_replay_delivers_what_was_missed() {
    let narrow = |rule: &str| {
        let shipped = std::fs::read_to_string(e2e::workspace().join("routes.toml")).unwrap();
        let from = format!("detail-type = [\"{rule}\"] }}");
        let to = format!("detail-type = [\"{rule}\"], detail = {{ correlation_id = [\"x\"] }} }}");
        shipped.replacen(&from, &to, 1)
    };
    let project = Project::new().file("routes.toml", narrow("RebalancePlanned"));
    let alchemiser = project.alchemiser();
    let state = State::new();
    let stuck = state.run(&alchemiser, DATE).exits(1);
    assert!(stuck.stderr.contains("has not ended"), "{}", stuck.stderr);
    let shipped = narrow("no such rule");
    project.write("routes.toml", shipped);

    let window = ["--from", "2020-01-01", "--to", "2200-01-01", "--json"];
    let replay = |more: &[&'static str]| {
        let arguments = ["events", "replay"].iter().chain(&window).chain(more);
        let lines = state.call(&alchemiser, arguments.copied()).exits(0).lines();
        let fate = |line: &Value| format!("{} {}", line["target"], line["fate"]).replace('"', "");
        lines.iter().map(fate).collect::<Vec<_>>()
    };
    let skipped = [
        "strategy delivered-before",
        "portfolio delivered-before",
        "execution skipped",
    ];
    assert_eq!(replay(&[]), skipped);
    assert_eq!(state.account(), None);
    let delivered = [
        "strategy delivered-before",
        "portfolio delivered-before",
        "execution delivered",
    ];
    assert_eq!(replay(&["--act", "--dry-run"]), delivered);
    assert_eq!(state.account(), None);
    assert_eq!(replay(&["--act"]), delivered);
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    assert_eq!(state.account(), undisturbed.account());
    assert_eq!(state.archive(&alchemiser), undisturbed.archive(&alchemiser));

    let none = replay(&["--rule", "audit"]);
    assert_eq!(none, [""; 0]);
    let arguments = ["events", "replay", "--rule", "rebalance-planed"];
    let unknown = state.call(&alchemiser, arguments.iter().chain(&window).copied());
    assert!(unknown.exits(2).stderr.contains("`rebalance-planned`"));
}

/// The archive is asked by rule, failure and time.
#[test]
fn events_are_found_by_what_became_of_them() {
    let (project, state) = failed();
    let alchemiser = project.alchemiser();
    let list = |more: &[&'static str]| {
        let arguments = ["events", "list", "--json"].iter().chain(more).copied();
        let lines = state.call(&alchemiser, arguments).exits(0).lines();
        let name = |line: &Value| line["event_type"].as_str().unwrap().to_owned();
        lines.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]).len(), 3);
    assert_eq!(list(&["--failed"]), ["WorkflowStarted"]);
    assert_eq!(list(&["--rule", "workflow-failed"]), ["WorkflowFailed"]);
    assert_eq!(list(&["--to", "2020-01-01"]), [""; 0]);
    assert_eq!(list(&["--from", "2020-01-01"]).len(), 3);
    assert_eq!(list(&["--limit", "1"]), ["TradingNotificationRequested"]);
    let last = state.call(&alchemiser, ["events", "list", "--limit", "2"]);
    assert!(last.exits(0).stdout.ends_with("`--limit 0` lists all.\n"));
}
