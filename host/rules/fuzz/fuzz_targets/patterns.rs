//! Any text as a pattern: read or refused, never more than that; and what was
//! read can be added, matched, explained and removed.
#![no_main]

use alchemiser_rules::{Explanation, Pattern, PatternLimits, RuleSet, Scratch};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const EVENTS: [&str; 4] = [
    r#"{}"#,
    r#"{"a":"x","b":1,"detail":{"a":["x",1,null],"b":{"a":"10.0.0.1"}}}"#,
    r#"{"a":[{"a":"ab","b":true},{"b":"AB"},[{"a":1.5}]],"a.b":"::1","":"é"}"#,
    r#"{"detail":[{"a":[{"b":1},{"b":2}]},{"a":{"b":"ß"}}],"detail":{"a":-0.0}}"#,
];

fuzz_target!(|text: &str| {
    let limits = PatternLimits {
        characters: 100_000,
        ..PatternLimits::default()
    };
    let pattern = match Pattern::from_json_within(text, &limits) {
        Ok(pattern) => pattern,
        Err(error) => {
            assert!(!error.mistakes.is_empty());
            for mistake in error.mistakes {
                assert!(text.get(mistake.span).is_some());
            }
            return;
        }
    };
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok());
    let mut rules = RuleSet::new();
    let empty = rules.memory();
    rules.insert((), &pattern);
    assert!(rules.memory() > empty);
    let mut scratch = Scratch::default();
    for event in EVENTS {
        let event = event.as_bytes();
        let matches = rules.matching(event, &mut scratch).unwrap().len() == 1;
        assert_eq!(
            pattern.explain(event).unwrap() == Explanation::Matches,
            matches
        );
    }
    assert!(rules.remove(&()));
    for event in EVENTS {
        let matching = rules.matching(event.as_bytes(), &mut scratch).unwrap();
        assert_eq!(matching.len(), 0);
    }
});
