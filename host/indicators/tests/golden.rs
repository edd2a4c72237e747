//! The indicators reproduce the golden values on the bundled prices.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_indicators::{EvaluationError, Indicator, Specification};
use std::collections::HashMap;

const CLOSES: &str = include_str!("../../../data/closes.csv");
const GOLDEN: &str = include_str!("../../../tests/golden/bundled/indicators.jsonl");

#[test]
fn every_golden_value_is_reproduced() {
    let (dates, closes) = bundled();
    let mut rows = 0;
    for line in GOLDEN.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let window = row["window"]
            .as_u64()
            .map(|window| u32::try_from(window).unwrap());
        let indicator: Indicator = row["indicator"].as_str().unwrap().parse().unwrap();
        let specification = Specification::new(indicator, window).unwrap();
        let date = row["date"].as_str().unwrap();
        let visible = dates.partition_point(|session| *session <= date);
        let closes = &closes[row["symbol"].as_str().unwrap()];

        let value = specification.evaluate(&closes[..visible]);
        match row["value"].as_str() {
            Some(expected) => assert_close(value.unwrap(), expected.parse().unwrap(), line),
            None => assert!(
                matches!(value, Err(EvaluationError::InsufficientHistory { .. })),
                "{line}: {value:?}"
            ),
        }
        rows += 1;
    }
    assert_eq!(rows, 900);
}

/// Within 1e-9 relative, or 1e-12 absolute near 0.
fn assert_close(value: f64, expected: f64, line: &str) {
    let tolerance = (expected.abs() * 1e-9).max(1e-12);
    assert!((value - expected).abs() <= tolerance, "{line}: got {value}");
}

/// The session dates, and the closes of each symbol; none has gaps.
fn bundled() -> (Vec<&'static str>, HashMap<&'static str, Vec<f64>>) {
    let mut lines = CLOSES.lines();
    let symbols: Vec<_> = lines.next().unwrap().split(',').skip(1).collect();
    let mut dates = Vec::new();
    let mut closes = HashMap::<_, Vec<f64>>::new();
    for line in lines {
        let mut cells = line.split(',');
        dates.push(cells.next().unwrap());
        for (symbol, cell) in symbols.iter().zip(cells) {
            closes
                .entry(*symbol)
                .or_default()
                .push(cell.parse().unwrap());
        }
    }
    (dates, closes)
}
