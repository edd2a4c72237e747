//! `evaluate` and `indicator`: one line for each question, and the golden
//! values.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Prices, Project, State, workspace};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The rows of a file of golden values.
fn golden(file: &str) -> Vec<Value> {
    let path = workspace().join("tests/golden/bundled").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {row}"))
}

/// A golden strategy file, from the workspace's root.
fn program(row: &Value) -> String {
    format!("tests/golden/bundled/programs/{}", text(row, "program"))
}

/// Both are decimal texts; the program writes ten decimals.
fn same_weights(found: &Value, expected: &Value) -> bool {
    let (Some(found), Some(expected)) = (found.as_object(), expected.as_object()) else {
        return false;
    };
    let number = |weight: &Value| -> f64 { weight.as_str().unwrap().parse().unwrap() };
    found.len() == expected.len()
        && expected.iter().all(|(symbol, weight)| {
            found
                .get(symbol)
                .is_some_and(|found| (number(found) - number(weight)).abs() <= 1e-9)
        })
}

#[test]
fn one_line_for_each_session() {
    let alchemiser = Alchemiser::shipped();
    let (from, to) = ("2022-01-03", "2022-12-28");
    let evaluated = alchemiser
        .call(["evaluate", "momentum", "--from", from, "--to", to, "--json"])
        .exits(0);
    assert_eq!(evaluated.stderr, "");
    let lines = evaluated.lines();
    let dates: Vec<&str> = lines.iter().map(|line| text(line, "date")).collect();
    let sessions = Prices::bundled().sessions(dates.len(), to);
    assert_eq!(dates, sessions);
    assert_eq!(dates[0], from);
    for line in &lines {
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["date", "strategy", "weights"]);
        assert_eq!(line["strategy"], "momentum");
        let mut sum = 0.0;
        for weight in line["weights"].as_object().unwrap().values() {
            let weight = weight.as_str().unwrap();
            let (_, decimals) = weight.split_once('.').unwrap();
            assert_eq!(decimals.len(), 10, "{line}");
            sum += weight.parse::<f64>().unwrap();
        }
        assert!((0.0..=1.0 + 1e-9).contains(&sum), "{line}");
    }
}

/// Strategies in the order in which they are named, dates in theirs.
#[test]
fn strategies_and_dates() {
    let alchemiser = Alchemiser::shipped();
    let ask = |arguments: &[&str]| {
        let arguments = [&["evaluate", "--json"], arguments].concat();
        alchemiser.call(arguments).exits(0).lines()
    };
    let (first, second) = ("2020-03-16", "2022-12-28");
    let together = ask(&["trend", "balance", "--date", second, "--date", first]);
    let asked: Vec<(&str, &str)> = together
        .iter()
        .map(|line| (text(line, "strategy"), text(line, "date")))
        .collect();
    assert_eq!(
        asked,
        [
            ("trend", first),
            ("trend", second),
            ("balance", first),
            ("balance", second)
        ]
    );
    // Whatever else is asked, an answer is the same.
    for (line, (strategy, date)) in together.iter().zip(&asked) {
        assert_eq!(ask(&[strategy, "--date", date]), std::slice::from_ref(line));
    }
}

/// As of a day without a session it is the session before that counts.
#[test]
fn any_day_will_do() {
    let alchemiser = Alchemiser::shipped();
    let weights = |date: &str| {
        let arguments = ["evaluate", "momentum", "--date", date, "--json"];
        let line = alchemiser.call(arguments).exits(0).line();
        assert_eq!(line["date"], date);
        line["weights"].clone()
    };
    assert_eq!(weights("2022-12-25"), weights("2022-12-23"));
    assert_eq!(weights("2023-05-01"), weights("2022-12-28"));

    let arguments = ["evaluate", "momentum", "--date", "2013-12-31", "--json"];
    let line = alchemiser.call(arguments).exits(0).line();
    assert_eq!(line["error"]["class"], "InsufficientHistory");
}

/// What a workflow acts on is what `evaluate` says.
#[test]
fn a_workflow_acts_on_the_same_weights() {
    let alchemiser = Alchemiser::shipped();
    let date = "2020-03-16";
    let state = State::new();
    let run = state.run(&alchemiser, date).exits(0).line();
    let events = state.events(&alchemiser, text(&run, "workflow"));
    for result in events[1]["signals_data"]["strategies"].as_array().unwrap() {
        let arguments = [
            "evaluate",
            text(result, "strategy_id"),
            "--date",
            date,
            "--json",
        ];
        let line = alchemiser.call(arguments).exits(0).line();
        assert!(
            same_weights(&line["weights"], &result["allocation"]),
            "{line}"
        );
    }
}

#[test]
fn reasons_can_be_had() {
    let alchemiser = Alchemiser::shipped();
    let arguments = [
        "evaluate",
        "trend",
        "--date",
        "2022-12-28",
        "--json",
        "--explain",
    ];
    let line = alchemiser.call(arguments).exits(0).line();
    let entries = line["explanation"].as_array().unwrap();
    let first = &entries[0];
    assert_eq!(first["kind"], "condition");
    assert_eq!(first["depth"], 0);
    assert_eq!(first["left"], json!(3783.22));
    assert_eq!(first["holds"], false);
    assert!(text(first, "text").contains("SP500"));
}

/// A plugin's file, outside of any book. Momentum needs parameters, which a
/// file cannot have.
#[test]
fn a_plugin_by_its_file() {
    let project = Project::new();
    let momentum = e2e::plugins().join("momentum.wasm");
    let momentum = momentum.to_str().unwrap();
    let dates = ["--date", "2022-12-27", "--date", "2022-12-28", "--json"];
    let arguments = [&["evaluate", momentum, "trend"], &dates[..]].concat();
    let lines = project.alchemiser().call(arguments).exits(2).lines();
    // The refusal is on each of its lines, and the neighbour answers.
    assert_eq!(lines.len(), 4);
    for line in &lines[..2] {
        assert_eq!(line["error"]["class"], "ParameterError");
        assert_eq!(line["error"]["plugin"], "momentum");
    }
    assert!(lines[2..].iter().all(|line| line["weights"].is_object()));
}

/// All golden weights and errors, in a few processes: every program on every
/// date of its share.
fn golden_weights(share: usize) {
    let mut programs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let rows = golden("dsl_weights.jsonl");
    assert_eq!(rows.len(), 845);
    for row in rows {
        programs.entry(program(&row)).or_default().push(row);
    }
    assert_eq!(programs.len(), 38);
    let programs: BTreeMap<String, Vec<Value>> = programs
        .into_iter()
        .enumerate()
        .filter(|(position, _)| position % SHARES == share)
        .map(|(_, program)| program)
        .collect();
    let dates: BTreeSet<&str> = programs
        .values()
        .flatten()
        .map(|row| text(row, "date"))
        .collect();

    let mut arguments = vec!["evaluate", "--json"];
    arguments.extend(programs.keys().map(String::as_str));
    arguments.extend(dates.iter().flat_map(|date| ["--date", date]));
    let lines = Alchemiser::shipped().call(arguments).exits(0).lines();
    assert_eq!(lines.len(), programs.len() * dates.len());
    let lines: BTreeMap<(&str, &str), &Value> = lines
        .iter()
        .map(|line| ((text(line, "strategy"), text(line, "date")), line))
        .collect();
    for (program, rows) in &programs {
        for row in rows {
            let line = lines[&(program.as_str(), text(row, "date"))];
            match row.get("weights") {
                Some(weights) => assert!(same_weights(&line["weights"], weights), "{row}: {line}"),
                None => assert_eq!(line["error"]["class"], row["error"], "{row}: {line}"),
            }
        }
    }
}

/// Tests that the golden weights are divided into.
const SHARES: usize = 2;

#[test]
fn golden_weights_of_one_half() {
    golden_weights(0);
}

#[test]
fn golden_weights_of_the_other_half() {
    golden_weights(1);
}

#[test]
fn golden_refusals() {
    let rows = golden("dsl_errors.jsonl");
    assert_eq!(rows.len(), 40);
    let programs: Vec<String> = rows.iter().map(program).collect();
    let mut arguments = vec![
        "evaluate",
        "--json",
        "--date",
        "2022-12-27",
        "--date",
        "2022-12-28",
    ];
    arguments.extend(programs.iter().map(String::as_str));
    let lines = Alchemiser::shipped().call(arguments).exits(2).lines();
    // Also what is refused has a line for each date.
    assert_eq!(lines.len(), 2 * rows.len());
    for (lines, row) in lines.chunks(2).zip(&rows) {
        for line in lines {
            let error = &line["error"];
            assert_eq!(error["class"], row["error"], "{row}: {line}");
            assert!(error["line"].is_u64() && error["column"].is_u64(), "{line}");
            for place in ["line", "column"] {
                if let Some(expected) = row.get(place) {
                    assert_eq!(error[place], *expected, "{row}: {line}");
                }
            }
        }
        assert_eq!(lines[0]["error"], lines[1]["error"]);
    }
}

/// A sample of the golden indicator values: some of each indicator, and all the
/// errors.
#[test]
fn golden_indicators() {
    const EACH: usize = 6;
    type Series = (String, String, Option<u64>);
    let mut series: BTreeMap<Series, Vec<Value>> = BTreeMap::new();
    for row in golden("indicators.jsonl") {
        let key = (
            text(&row, "indicator").to_owned(),
            text(&row, "symbol").to_owned(),
            row["window"].as_u64(),
        );
        series.entry(key).or_default().push(row);
    }
    let alchemiser = Alchemiser::shipped();
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = 0;
    for ((indicator, symbol, window), asked) in series {
        let failing = asked.iter().any(|row| row.get("error").is_some());
        let count = checked.entry(indicator.clone()).or_default();
        if *count >= EACH && !failing {
            continue;
        }
        *count += 1;
        let window_text = window.map(|window| window.to_string());
        let mut arguments = vec!["indicator", &indicator, &symbol, "--json"];
        arguments.extend(window_text.iter().flat_map(|window| ["--window", window]));
        arguments.extend(asked.iter().flat_map(|row| ["--date", text(row, "date")]));
        let lines = alchemiser.call(arguments).exits(0).lines();
        for row in &asked {
            let line = lines
                .iter()
                .find(|line| line["date"] == row["date"])
                .unwrap_or_else(|| panic!("{row}"));
            assert_eq!(line["indicator"], indicator);
            assert_eq!(line["symbol"], symbol);
            assert_eq!(line["window"].as_u64(), window);
            match row.get("value") {
                Some(expected) => {
                    let expected: f64 = expected.as_str().unwrap().parse().unwrap();
                    let found = line["value"].as_f64().unwrap();
                    let tolerance = (1e-9 * expected.abs()).max(1e-12);
                    assert!((found - expected).abs() <= tolerance, "{row}: {line}");
                }
                None => assert_eq!(line["error"]["class"], row["error"], "{row}: {line}"),
            }
            rows += 1;
        }
    }
    assert_eq!(checked.len(), 9, "every indicator is among them");
    assert!(rows > 50, "{rows}");
}

/// Prices of a user's own, in either form, give what the bundled ones give.
#[test]
fn prices_of_ones_own() {
    let project = Project::new();
    let alchemiser = project.alchemiser();
    let bundled = std::fs::read_to_string(workspace().join("data/closes.csv")).unwrap();
    let instruments = std::fs::read(workspace().join("data/instruments.toml")).unwrap();
    project.write("wide/closes.csv", &bundled);
    project.write("wide/instruments.toml", &instruments);
    project.write("narrow/instruments.toml", &instruments);
    let mut rows = bundled
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let heading = rows.next().unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    for (column, symbol) in heading.iter().enumerate().skip(1) {
        let mut text = "Date,Open,High,Low,Close,Volume\n".to_owned();
        for row in &rows {
            let (date, close) = (row[0], row[column]);
            text.push_str(&format!("{date},,,,{close},0\n"));
        }
        project.write(&format!("narrow/{symbol}.csv"), text);
    }
    let ask = |data: &[&str]| {
        let mut arguments = vec![
            "evaluate", "trend", "rotation", "balance", "momentum", "--json",
        ];
        arguments.extend(["--from", "2022-12-01", "--to", "2022-12-28"]);
        arguments.extend(data);
        alchemiser.call(arguments).exits(0).stdout
    };
    let expected = ask(&[]);
    for data in ["wide", "narrow", "wide/closes.csv"] {
        assert_eq!(ask(&["--data", data]), expected, "{data}");
    }
    let run = |data: &[&str]| {
        let state = State::new();
        let arguments = [&["run", "--json"], data].concat();
        let mut summary = state.call(&alchemiser, arguments).exits(0).line();
        let ledger = summary["ledger"].take();
        assert!(Path::new(ledger.as_str().unwrap()).is_file());
        summary
    };
    assert_eq!(run(&["--data", "narrow"]), run(&[]));
}
