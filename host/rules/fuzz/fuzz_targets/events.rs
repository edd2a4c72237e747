//! Any bytes as an event: matched or refused, as they are JSON or not.
#![no_main]

use std::sync::LazyLock;

use alchemiser_rules::{EventError, Pattern, RuleSet, Scratch};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const PATTERNS: [&str; 9] = [
    r#"{"a":["x",1,null,true,"10.0.0.1"]}"#,
    r#"{"a":{"b":[{"prefix":"x"},{"suffix":"y"},{"equals-ignore-case":"zß"}],"c":[1]}}"#,
    r#"{"a":{"b":{"c":[{"numeric":[">",0,"<=",5]}]},"d":[{"exists":false}]}}"#,
    r#"{"a":{"b":[{"exists":false}],"c":[{"anything-but":["x","y"]}]},"b":[{"exists":true}]}"#,
    r#"{"a.b":[{"wildcard":"*x*y"}],"b":[{"anything-but":{"prefix":"x"}}]}"#,
    r#"{"$or":[{"a":[{"cidr":"10.0.0.0/8"}]},{"b":{"a":[{"prefix":{"equals-ignore-case":"É"}}]}}]}"#,
    r#"{"b":{"a":[0],"b":[1],"c":[2]}}"#,
    r#"{"":["x"]}"#,
    r#"{"b":{"a":[9007199254740993],"b":[{"suffix":{"equals-ignore-case":"x"}},{"cidr":"::/64"}]}}"#,
];

static RULES: LazyLock<(Vec<Pattern>, RuleSet<usize>)> = LazyLock::new(|| {
    let patterns: Vec<Pattern> = PATTERNS
        .iter()
        .map(|pattern| Pattern::from_json(pattern).unwrap())
        .collect();
    let mut rules = RuleSet::new();
    for (index, pattern) in patterns.iter().enumerate() {
        rules.insert(index, pattern);
    }
    (patterns, rules)
});

fuzz_target!(|event: &[u8]| {
    let (patterns, rules) = &*RULES;
    let mut scratch = Scratch::default();
    // JSON to others too, but for the depth that they stop at.
    let text = std::str::from_utf8(event);
    let is_json = text.is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    let deep = event
        .iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
        > 127;
    match rules.matching(event, &mut scratch) {
        Ok(matching) => {
            assert!(is_json || deep);
            let matching: Vec<usize> = matching.copied().collect();
            for (index, pattern) in patterns.iter().enumerate() {
                let alone = pattern.matches(event).unwrap();
                assert_eq!(matching.contains(&index), alone, "{}", PATTERNS[index]);
            }
        }
        Err(EventError::NotAnObject) => assert!(is_json || deep),
        Err(EventError::TooManyCombinations) => {}
        Err(_) => assert!(!is_json || deep),
    }
});
