//! The golden weights and errors on the bundled prices.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_sdk::testing::TestMarket;
use alchemiser_sdk::{Error, Files, NoParameters, Session, Strategy, Weights};
use dsl::Dsl;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const CLOSES: &str = include_str!("../../../data/closes.csv");
const WEIGHTS: &str = include_str!("../../../tests/golden/bundled/dsl_weights.jsonl");
const ERRORS: &str = include_str!("../../../tests/golden/bundled/dsl_errors.jsonl");

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/bundled/programs")
        .join(name)
}

fn load(name: &str) -> Result<Dsl, Error> {
    let text = std::fs::read(program(name)).unwrap();
    Dsl::load(NoParameters {}, &Files::new(vec![(name.to_owned(), text)]))
}

/// The last session on or before a date.
fn session(date: &str) -> Session {
    let dates = CLOSES.lines().skip(1).map(|line| &line[..10]);
    dates.take_while(|session| *session <= date).count() as u32 - 1
}

/// Whether weights, or an error, are what a golden row says.
fn agrees(result: &Result<Weights, Error>, row: &Value) -> bool {
    match (result, row.get("weights")) {
        (Ok(weights), Some(expected)) => {
            let expected = expected.as_object().unwrap();
            weights.len() == expected.len()
                && weights.iter().all(|weight| {
                    let expected: Option<f64> = expected
                        .get(&weight.symbol)
                        .map(|weight| weight.as_str().unwrap().parse().unwrap());
                    expected.is_some_and(|expected| (weight.weight - expected).abs() <= 1e-9)
                })
        }
        (Err(error), None) => error.class == row["error"].as_str().unwrap(),
        _ => false,
    }
}

#[test]
fn every_golden_portfolio_is_reproduced() {
    let market = TestMarket::from_csv(CLOSES);
    let rows: Vec<Value> = WEIGHTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 845);
    let mut loaded: BTreeMap<String, Dsl> = BTreeMap::new();
    for row in &rows {
        let name = row["program"].as_str().unwrap();
        let as_of = session(row["date"].as_str().unwrap());
        // Once by itself, and once after all the rows of the program so far.
        let fresh = market.evaluate(&mut load(name).unwrap(), as_of);
        assert!(agrees(&fresh, row), "{row}: {fresh:?}");
        let warm = loaded
            .entry(name.to_owned())
            .or_insert_with(|| load(name).unwrap());
        assert_eq!(market.evaluate(warm, as_of), fresh, "{row}");
    }
}

#[test]
fn every_golden_refusal_is_reproduced() {
    let mut rows = 0;
    for line in ERRORS.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let error = load(row["program"].as_str().unwrap()).unwrap_err();
        assert_eq!(
            error.class,
            row["error"].as_str().unwrap(),
            "{row}: {error}"
        );
        let place = error.place.expect("every refusal has a place");
        if let Some(line) = row.get("line") {
            let expected = (line.as_u64(), row["column"].as_u64());
            let found = (Some(place.line.into()), Some(place.column.into()));
            assert_eq!(found, expected, "{row}: {error}");
        }
        rows += 1;
    }
    assert_eq!(rows, 40);
}
