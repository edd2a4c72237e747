//! A workflow of the archive, asked again of another build of a plugin.
#![allow(clippy::unwrap_used)]

use e2e::{Finished, Project, State, plugins};
use serde_json::{Value, json};
use test_support::handmade::{all_in, strategy_component};

const DATE: &str = "2022-12-28";
const WORKFLOW: &str = "dev-paper-2022-12-28-1600";

/// A workflow that the shipped book has traded in.
struct Traded {
    project: Project,
    state: State,
}

impl Traded {
    fn new() -> Self {
        let project = Project::new();
        let state = State::new();
        let _ = state.run(&project.alchemiser(), DATE).exits(0);
        Self { project, state }
    }

    /// Asks again of the plugin in a file of the project, or of a shipped one.
    fn rehearse(&self, plugin: &str, more: &[&str]) -> Finished {
        let mut arguments = vec!["events", "replay", "--correlation", WORKFLOW];
        arguments.extend(["--with-plugin", plugin]);
        arguments.extend(more);
        self.state.call(&self.project.alchemiser(), arguments)
    }

    /// The same for a strategy in the place of `momentum`, that is all in one
    /// symbol.
    fn all_in(&self, symbol: &str, more: &[&str]) -> Finished {
        let file = format!("{symbol}.wasm");
        self.project
            .write(&file, strategy_component(&all_in(symbol)));
        let path = self.project.path().join(file);
        let replacing = ["--in-place-of", "momentum"];
        self.rehearse(path.to_str().unwrap(), &[&replacing, more].concat())
    }
}

/// The line of a step.
fn step<'a>(lines: &'a [Value], step: &str) -> &'a Value {
    lines.iter().find(|line| line["step"] == step).unwrap()
}

#[test]
fn the_same_build_gives_the_same() {
    let traded = Traded::new();
    for (plugin, steps) in [("momentum", 4), ("dsl", 6), ("rebalance", 3)] {
        let file = plugins().join(format!("{plugin}.wasm"));
        let file = file.to_str().unwrap();
        let lines = traded.rehearse(file, &["--json"]).exits(0).lines();
        assert_eq!(lines.len(), steps, "{plugin}");
        for line in &lines {
            assert_eq!(line["changed"], false, "{line}");
        }
        // What is compared is what the archive says.
        let summary = traded.state.call(
            &traded.project.alchemiser(),
            ["workflow", "show", WORKFLOW, "--json"],
        );
        let targets = &step(&lines, "target")["now"]["weights"];
        assert_eq!(*targets, summary.exits(0).line()["targets"]);
    }
}

#[test]
fn another_build_shows_what_would_have_changed_and_changes_nothing() {
    let traded = Traded::new();
    let alchemiser = traded.project.alchemiser();
    let before = (
        traded.state.archive(&alchemiser),
        traded.state.account(),
        traded.state.orders(),
        traded.state.ledger(),
    );

    let lines = traded.all_in("JNJ", &["--json"]).exits(0).lines();
    let strategy = step(&lines, "strategy");
    assert_eq!(strategy["strategy"], "momentum");
    assert_eq!(strategy["changed"], true);
    assert_eq!(
        strategy["now"]["weights"],
        json!({"JNJ": "1"}),
        "{strategy}"
    );
    assert!(strategy["then"]["weights"]["XOM"].is_string());
    let weight = |side: &str, symbol: &str| -> f64 {
        let weight = &step(&lines, "target")[side]["weights"][symbol];
        weight.as_str().unwrap().parse().unwrap()
    };
    // A fifth of the book is the plugin's.
    let third = 0.2 / 3.0;
    assert!((weight("now", "JNJ") - weight("then", "JNJ") - 0.2).abs() < 1e-9);
    assert!((weight("then", "JPM") - weight("now", "JPM") - third).abs() < 1e-9);
    let quantity = |side: &str, symbol: &str| -> f64 {
        let orders = step(&lines, "orders")[side]["orders"].as_array().unwrap();
        let order = orders.iter().find(|order| order["symbol"] == symbol);
        order.unwrap()["quantity"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let grown = quantity("now", "JNJ") / quantity("then", "JNJ");
    assert!((grown - weight("now", "JNJ") / weight("then", "JNJ")).abs() < 1e-3);

    let text = traded.all_in("JNJ", &["--diff"]).exits(0).stdout;
    insta::with_settings!({
        omit_expression => true,
        filters => vec![(r"build [0-9a-f]{12}", "[build]")],
    }, { insta::assert_snapshot!("rehearsal", text) });

    let after = (
        traded.state.archive(&alchemiser),
        traded.state.account(),
        traded.state.orders(),
        traded.state.ledger(),
    );
    assert_eq!(before, after);
}

#[test]
fn what_the_archive_cannot_answer_is_told() {
    let traded = Traded::new();
    // The plugin of then did not look at it.
    let lines = traded.all_in("KO", &["--json"]).exits(0).lines();
    let now = &step(&lines, "strategy")["now"]["error"];
    assert_eq!(
        (&now["class"], &now["symbol"]),
        (&json!("NotKept"), &json!("KO"))
    );
    let now = &step(&lines, "target")["now"]["error"];
    assert_eq!(now["class"], "BookError");

    // It did, but nobody wanted it, so that no price was needed for the plan.
    let lines = traded.all_in("AAPL", &["--json"]).exits(0).lines();
    assert!(step(&lines, "target")["now"]["weights"]["AAPL"].is_string());
    let now = &step(&lines, "plan")["now"]["error"];
    assert_eq!(
        (&now["class"], &now["symbol"]),
        (&json!("NotKept"), &json!("AAPL"))
    );
    let text = traded.all_in("AAPL", &["--diff"]).exits(0).stdout;
    assert!(text.contains("AAPL is wanted now"), "{text}");

    let momentum = plugins().join("momentum.wasm");
    let momentum = momentum.to_str().unwrap();
    let unknown = traded
        .rehearse(momentum, &["--in-place-of", "momentun"])
        .exits(2);
    assert!(
        unknown.stderr.contains("asked were: dsl, momentum"),
        "{unknown:#?}"
    );
    let kind = traded
        .rehearse(momentum, &["--in-place-of", "rebalance"])
        .exits(2);
    assert!(
        kind.stderr.contains("no strategy plugin `rebalance`"),
        "{kind:#?}"
    );
    let blobs = traded.state.path().join("blobs");
    std::fs::remove_dir_all(blobs).unwrap();
    let gone = traded.rehearse(momentum, &[]).exits(1);
    assert!(gone.stderr.contains("is missing or damaged"), "{gone:#?}");
}
