//! The strategy files that come with the project.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_sdk::testing::{Explanation, TestMarket};
use alchemiser_sdk::{Market, Strategy};
use dsl::Dsl;
use std::collections::BTreeSet;

const CLOSES: &str = include_str!("../../../data/closes.csv");

/// All strategies have a value from here on.
const FROM: &str = "2015-06-01";

fn shipped() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../strategies");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "clj"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_session_has_weights_and_no_index_is_held() {
    let market = TestMarket::from_csv(CLOSES);
    let view = market.as_of(market.sessions() - 1);
    let mut sessions =
        (0..market.sessions()).filter(|&session| view.date(session).as_str() >= FROM);
    let from = sessions.next().unwrap();

    assert!(shipped().len() >= 3);
    for (name, text) in shipped() {
        let mut strategy = Dsl::read(text.as_bytes()).unwrap();
        for session in from..market.sessions() {
            let weights = market.evaluate(&mut strategy, session);
            let weights = weights.unwrap_or_else(|error| {
                panic!("{name} on {}: {error}", view.date(session));
            });
            let total: f64 = weights.iter().map(|weight| weight.weight).sum();
            assert!((total - 1.0).abs() < 1e-9, "{name}: {weights:?}");
            assert!(
                weights.iter().all(|weight| weight.symbol != "SP500"),
                "{name}"
            );
        }
    }
}

#[test]
fn every_branch_is_taken_at_some_time() {
    let market = TestMarket::from_csv(CLOSES);
    for (name, text) in shipped() {
        let mut strategy = Dsl::read(text.as_bytes()).unwrap();
        let mut outcomes = BTreeSet::new();
        let mut conditions = BTreeSet::new();
        for session in 400..market.sessions() {
            let view = market.as_of(session);
            strategy.evaluate(&view.today()).unwrap();
            for explanation in view.explanations() {
                if let Explanation::Condition { text, holds, .. } = explanation {
                    conditions.insert(text.clone());
                    outcomes.insert((text, holds));
                }
            }
        }
        assert_eq!(outcomes.len(), 2 * conditions.len(), "{name}: {outcomes:?}");
    }
}
