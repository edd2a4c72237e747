//! Events that are larger than the transport takes, by the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Project, State};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::PathBuf;

const DATE: &str = "2022-12-28";
const WORKFLOW: &str = "dev-paper-2022-12-28-1600";
const LIMIT: &str = "EVENTBRIDGE__MAX_PAYLOAD_SIZE_BYTES";

/// A book of so many strategies, of which each has a few digests in its event.
fn book(strategies: usize) -> String {
    let strategy = |number: usize| {
        format!(
            "[[strategy]]\nname = \"momentum-{number:04}\"\nplugin = \"momentum\"\n\
             weight = {:.6}\n[strategy.parameters]\nsymbols = [\"AAPL\", \"AMD\", \"BAC\", \"CVX\", \"KO\", \"MSFT\", \"PFE\", \"WMT\"]\n\
             lookback = {}\ntop = 4\n",
            1.0 / strategies as f64 - 0.000_001,
            20 + number % 100
        )
    };
    (0..strategies).map(strategy).collect()
}

/// What is stored of an event, as it is transported.
fn transported(state: &State, event_type: &str) -> Value {
    let connection = Connection::open(state.path().join("alchemiser.db")).unwrap();
    let body: String = connection
        .query_row(
            "SELECT body FROM events WHERE type = ?1",
            [event_type],
            |row| row.get(0),
        )
        .unwrap();
    serde_json::from_str(&body).unwrap()
}

fn blob(state: &State, reference: &Value) -> PathBuf {
    let name = reference["sha256"].as_str().unwrap();
    state.path().join("blobs").join(&name[..2]).join(name)
}

/// The same workflow gives the same events, the same account and the same
/// report, whatever left them on their way.
#[test]
fn how_events_are_transported_changes_nothing() {
    let project = Project::new().book(&book(40));
    let (whole, small) = (State::new(), State::new());
    let alchemiser = project.alchemiser();
    let tight = project.alchemiser().with(LIMIT, "4096");
    let expected = whole.run(&alchemiser, DATE).exits(0).line();
    let mut reported = small.run(&tight, DATE).exits(0).line();
    reported["ledger"] = expected["ledger"].clone();
    assert_eq!(reported, expected);
    // Whoever reads needs no setting.
    assert_eq!(small.archive(&alchemiser), whole.archive(&alchemiser));
    assert_eq!(small.account(), whole.account());
    assert!(transported(&whole, "SignalGenerated")["payload_ref"].is_null());

    let signal = transported(&small, "SignalGenerated");
    let reference = &signal["payload_ref"];
    assert_eq!(reference["fields"], json!(["signals_data"]));
    assert!(signal["signals_data"].is_null());
    assert!(signal["consolidated_portfolio"].is_object());
    let content = fs::read(blob(&small, reference)).unwrap();
    let digest: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(reference["sha256"], json!(digest));
    assert_eq!(reference["size"], json!(content.len()));
    let plan = transported(&small, "RebalancePlanned");
    let plan_ref = &plan["payload_ref"];
    assert_eq!(plan_ref["fields"], json!(["rebalance_plan"]), "{plan:#}");
    assert!(plan_ref["gzip"].is_string(), "{plan:#}");

    // Shown whole, with where it was.
    let call = |arguments: &[&str]| small.call(&alchemiser, arguments.iter().copied());
    for (event, place) in [(&signal, "blobs"), (&plan, "within the event")] {
        let id = event["event_id"].as_str().unwrap();
        let shown = call(&["events", "show", id, "--json"]).exits(0);
        assert!(small.archive(&alchemiser).contains(&shown.stdout));
        assert!(shown.line().get("payload_ref").is_none());
        assert!(shown.stderr.starts_with("packed: `"), "{}", shown.stderr);
        assert!(shown.stderr.contains(place), "{}", shown.stderr);
    }
    // What rules are asked is what was transported.
    let id = signal["event_id"].as_str().unwrap();
    let explained = call(&["rules", "explain", id]).exits(0);
    assert!(explained.stdout.contains("signal-generated"));
}

/// With the limit as it is, and more than the transport could take at all.
#[test]
fn a_large_book_comes_through() {
    let project = Project::new().book(&book(450));
    let state = State::new();
    let alchemiser = project.alchemiser().with("SANDBOX__INSTANCES", "500");
    let _ = state.run(&alchemiser, DATE).exits(0);
    let whole = state.archive(&alchemiser);
    let longest = whole.lines().map(str::len).max().unwrap();
    assert!(longest > 262_144, "{longest}");
    assert!(transported(&state, "SignalGenerated")["payload_ref"].is_object());
}

/// A workflow whose plan cannot be made, since the signal's content is not what
/// it was. Whoever finds a file of that name and length takes it for the
/// content, so it can be put there beforehand.
fn with_altered_content(project: &Project) -> (Alchemiser, State, PathBuf, Vec<u8>) {
    let tight = project.alchemiser().with(LIMIT, "4096");
    let undisturbed = State::new();
    let _ = undisturbed.run(&tight, DATE).exits(0);
    let signal = transported(&undisturbed, "SignalGenerated");
    let reference = &signal["payload_ref"];
    let content = fs::read(blob(&undisturbed, reference)).unwrap();

    // A state that has begun, but for its first workflow.
    let state = State::new();
    let nothing = [
        "events",
        "replay",
        "--from",
        "2020-01-01",
        "--to",
        "2020-01-02",
    ];
    let _ = state.call(&tight, nothing).exits(0);
    let path = blob(&state, reference);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut altered = content.clone();
    altered[1000] ^= 1;
    fs::write(&path, altered).unwrap();
    (tight, state, path, content)
}

#[test]
fn content_that_is_not_what_it_was_is_a_dead_letter_until_it_is_restored() {
    let project = Project::new().book(&book(40));
    let (alchemiser, state, path, content) = with_altered_content(&project);
    let call = |arguments: &[&str]| state.call(&alchemiser, arguments.iter().copied());
    let path_text = path.display().to_string();

    let run = state.run(&alchemiser, DATE).exits(1).line();
    assert_eq!(run["state"], "failed");
    assert_eq!(run["error"]["class"], "DamagedContent");
    let letters = call(&["dlq", "list", "--json"]).exits(0).lines();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["target"], "portfolio");
    assert_eq!(letters[0]["attempts"], 1);
    let message = letters[0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(&path_text), "{message}");
    assert!(message.contains("is damaged"), "{message}");
    let digests = message
        .split(|letter: char| !letter.is_ascii_hexdigit())
        .filter(|word| word.len() == 64);
    // In the name of the file, found, and expected.
    assert_eq!(digests.count(), 3, "{message}");

    // It takes nothing else with it.
    let listed = call(&["events", "list", "--json"]).exits(0);
    let types: Vec<Value> = listed
        .lines()
        .iter()
        .map(|event| event["event_type"].clone())
        .collect();
    let failed = ["WorkflowFailed", "TradingNotificationRequested"];
    assert_eq!(types[..2], ["WorkflowStarted", "SignalGenerated"]);
    assert_eq!(types[2..], failed);
    assert!(listed.lines()[1]["payload_ref"].is_object());
    assert!(listed.stderr.contains("is damaged"), "{}", listed.stderr);
    let id = listed.lines()[1]["event_id"].as_str().unwrap().to_owned();
    let shown = call(&["events", "show", &id]).exits(1);
    assert!(shown.stderr.contains("is damaged"), "{}", shown.stderr);
    let _ = call(&["events", "trace", WORKFLOW]).exits(0);
    let report = call(&["workflow", "show", WORKFLOW]).exits(0).stdout;
    assert!(report.contains("Some of this is missing"), "{report}");

    for (says, bytes) in [
        ("is missing", None),
        ("it has 1000 bytes", Some(&content[..1000])),
    ] {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let again = call(&["dlq", "redrive", "--all"]).exits(1).stdout;
        assert!(again.contains("failed again"), "{again}");
        assert!(again.contains(says), "{again}");
    }

    fs::write(&path, &content).unwrap();
    let redriven = call(&["dlq", "redrive", "--all", "--json"])
        .exits(0)
        .lines();
    assert_eq!(
        redriven[1],
        json!({"workflow": WORKFLOW, "state": "completed", "dead_letters": []})
    );
    let undisturbed = State::new();
    let _ = undisturbed.run(&alchemiser, DATE).exits(0);
    assert_eq!(state.account(), undisturbed.account());
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let project = Project::new();
    for limit in ["4095", "1048577", "-1"] {
        let alchemiser = project.alchemiser().with(LIMIT, limit);
        let refused = State::new().run(&alchemiser, DATE).exits(2);
        assert!(
            refused.stderr.contains("max_payload_size_bytes"),
            "{refused:#?}"
        );
    }
}
