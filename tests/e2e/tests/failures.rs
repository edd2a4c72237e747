//! A strategy of the book that cannot answer: what the book says happens.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Finished, Project, State};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DATE: &str = "2022-12-28";

/// `steady` and `mixed` answer; `broken`, a tenth, asks for a symbol that has no
/// prices.
fn book(policy: &str) -> Project {
    let strategy = |name: &str, weight: &str| {
        format!("[[strategy]]\nname = \"{name}\"\nfile = \"{name}.clj\"\nweight = {weight}\n\n")
    };
    let strategies = [("steady", "0.5"), ("broken", "0.1"), ("mixed", "0.3")];
    let strategies = strategies.map(|(name, weight)| strategy(name, weight));
    Project::new()
        .book(&format!("{policy}\n{}", strategies.concat()))
        .file("strategies/steady.clj", "(asset \"KO\")")
        .file("strategies/broken.clj", "(asset \"NOWHERE\")")
        .file(
            "strategies/mixed.clj",
            "(weight-specified 1 \"KO\" 2 \"PG\")",
        )
}

fn run(project: &Project, state: &State) -> Finished {
    state.run(&project.alchemiser(), DATE)
}

fn events(project: &Project, state: &State) -> Vec<Value> {
    let workflow = format!("dev-paper-{DATE}-1600");
    state.events(&project.alchemiser(), &workflow)
}

fn of_type<'a>(events: &'a [Value], event_type: &str) -> Vec<&'a Value> {
    let found = events.iter();
    found
        .filter(|event| event["event_type"] == event_type)
        .collect()
}

fn decimals(object: &Value) -> BTreeMap<String, Decimal> {
    let fields = object.as_object().unwrap();
    fields
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().parse().unwrap()))
        .collect()
}

#[test]
fn by_default_nothing_is_traded() {
    for policy in [
        "",
        "on_failure = \"fail\"",
        "on_failure = \"redistribute\"\nmax_failed_weight = 0.09",
    ] {
        let (project, state) = (book(policy), State::new());
        let failed = run(&project, &state).exits(1).line();
        assert_eq!(failed["state"], "failed", "{policy}");
        assert_eq!(failed["error"]["class"], "NoData");
        assert_eq!(failed["error"]["strategy"], "broken");
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("strategy `broken` (broken.clj)"),
            "{message}"
        );
        assert_eq!(
            message.contains("max_failed_weight"),
            policy.contains("0.09")
        );
        let events = events(&project, &state);
        assert!(of_type(&events, "SignalGenerated").is_empty());
        assert!(of_type(&events, "TradeExecuted").is_empty());
        assert_eq!(of_type(&events, "WorkflowFailed").len(), 1);
    }
}

#[test]
fn the_book_goes_on_without_it() {
    for (policy, weights, contributions) in [
        (
            "on_failure = \"cash\"",
            json!({"KO": "0.6", "PG": "0.2"}),
            json!({"steady": "0.5", "mixed": "0.1"}),
        ),
        // The others get a tenth, in proportion to 5 and 3.
        (
            "on_failure = \"redistribute\"",
            json!({"KO": "0.675", "PG": "0.225"}),
            json!({"steady": "0.5625", "mixed": "0.1125"}),
        ),
    ] {
        let (project, state) = (book(policy), State::new());
        let done = run(&project, &state).exits(0).line();
        assert_eq!(done["state"], "completed");
        assert_eq!(done["strategies"][1]["error"]["class"], "NoData");
        assert_eq!(done["strategies"][1]["error"]["symbol"], "NOWHERE");

        let events = events(&project, &state);
        let signal = of_type(&events, "SignalGenerated")[0];
        let portfolio = &signal["consolidated_portfolio"];
        assert_eq!(
            decimals(&portfolio["target_allocations"]),
            decimals(&weights)
        );
        assert_eq!(portfolio["source_strategies"], json!(["steady", "mixed"]));
        let failed = &signal["signals_data"]["strategies"][1];
        assert_eq!(failed["status"], "failed");
        assert_eq!(failed["error"]["class"], "NoData");
        let ko = &signal["signals_data"]["signals"][0];
        let found = decimals(&ko["contributing"]);
        for (strategy, expected) in decimals(&contributions) {
            assert!(
                (found[&strategy] - expected).abs() < Decimal::new(1, 10),
                "{found:?}"
            );
        }

        let warnings = of_type(&events, "SystemNotificationRequested");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0]["notification_type"], "WARNING");
        let text = warnings[0]["text_content"].as_str().unwrap();
        assert!(text.contains("broken") && text.contains("NoData"), "{text}");
        assert_eq!(of_type(&events, "WorkflowCompleted").len(), 1);
    }
}

/// To go on without any strategy would be to sell everything.
#[test]
fn somebody_must_answer() {
    let project = book("on_failure = \"cash\"").book(
        "on_failure = \"cash\"\n[[strategy]]\nname = \"broken\"\nfile = \"broken.clj\"\nweight = 1\n",
    );
    let state = State::new();
    let failed = run(&project, &state).exits(1).line();
    let message = failed["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("no strategy of the book answered"),
        "{message}"
    );
}

#[test]
fn people_are_told() {
    let (project, state) = (book("on_failure = \"cash\""), State::new());
    let directory = state.path().to_str().unwrap();
    let run = ["run", "--date", DATE, "--state", directory];
    let told = project.alchemiser().call(run).exits(0).stdout;
    let (_, told) = told.split_once("\nStrategies\n").unwrap();
    let (told, _) = told.split_once("\nPlan").unwrap();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("told", told);
    });
}
