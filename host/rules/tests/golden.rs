//! The verdicts of EventBridge's rule engine.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{Explanation, Pattern, RuleSet, Scratch};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Verdicts of event-ruler 2.0.1, one case a line: `{name, pattern, event,
/// match}`, or `{name, pattern, invalid: true}` for a pattern that must be
/// refused. Patterns and events are read as they are spelt.
const VERDICTS: &str = include_str!("event_patterns.jsonl");

#[derive(Deserialize)]
struct Case<'line> {
    name: String,
    #[serde(borrow)]
    pattern: &'line RawValue,
    #[serde(borrow)]
    event: Option<&'line RawValue>,
    #[serde(rename = "match")]
    matches: Option<bool>,
}

fn cases() -> impl Iterator<Item = Case<'static>> {
    VERDICTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
}

#[test]
fn each_pattern_alone_has_its_verdict() {
    let (mut valid, mut invalid) = (0, 0);
    for case in cases() {
        let pattern = Pattern::from_json(case.pattern.get());
        let Some(expected) = case.matches else {
            assert!(pattern.is_err(), "{} must be refused", case.name);
            invalid += 1;
            continue;
        };
        let pattern = pattern.expect(&case.name);
        let event = case.event.unwrap().get().as_bytes();
        assert_eq!(pattern.matches(event), Ok(expected), "{}", case.name);
        let explained = pattern.explain(event).unwrap();
        assert_eq!(
            explained == Explanation::Matches,
            expected,
            "{}: {explained}",
            case.name
        );
        valid += 1;
    }
    assert_eq!((valid, invalid), (457, 92));
}

#[test]
fn all_patterns_together_have_their_verdicts() {
    let mut rules = RuleSet::new();
    for case in cases().filter(|case| case.matches.is_some()) {
        let pattern = Pattern::from_json(case.pattern.get()).unwrap();
        rules.insert(case.name, &pattern);
    }
    let mut scratch = Scratch::default();
    for case in cases().filter(|case| case.matches.is_some()) {
        let event = case.event.unwrap().get().as_bytes();
        let matched = rules
            .matching(event, &mut scratch)
            .unwrap()
            .any(|name| *name == case.name);
        assert_eq!(Some(matched), case.matches, "{}", case.name);
    }
}
