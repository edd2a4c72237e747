//! What a pattern means, and which patterns are refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{Pattern, PatternLimits};
use serde_json::json;

fn matches(pattern: &str, event: &str) -> bool {
    let pattern = Pattern::from_json(pattern).unwrap();
    pattern.matches(event.as_bytes()).unwrap()
}

#[test]
fn the_envelope_is_matched_like_any_object() {
    let event = json!({
        "source": "alchemiser.execution",
        "detail-type": "TradeExecuted",
        "detail": {"success": true, "orders": [{"symbol": "SPY", "side": "buy"}, {"symbol": "TLT", "side": "sell"}]},
    });
    let table = [
        (json!({"source": ["alchemiser.execution"]}), true),
        (json!({"source": [{"prefix": "alchemiser."}]}), true),
        (
            json!({"source": ["alchemiser.portfolio", {"prefix": "alchemiser.e"}]}),
            true,
        ),
        (json!({"source": ["alchemiser"]}), false),
        (
            json!({"source": ["alchemiser.execution"], "detail-type": ["WorkflowFailed"]}),
            false,
        ),
        (json!({"detail": {"success": [true]}}), true),
        (json!({"detail": {"success": ["true"]}}), false),
        (json!({"detail": {"reason": ["x"]}}), false),
        (
            json!({"detail": {"orders": {"symbol": ["TLT"], "side": ["sell"]}}}),
            true,
        ),
        (
            json!({"detail": {"orders": {"symbol": ["SPY"], "side": ["sell"]}}}),
            false,
        ),
        (json!({"detail.orders.symbol": [{"prefix": "S"}]}), true),
    ];
    for (pattern, expected) in table {
        let verdict = matches(&pattern.to_string(), &event.to_string());
        assert_eq!(verdict, expected, "{pattern}");
    }
}

#[test]
fn two_spellings_of_one_field_are_one_field() {
    let pattern = r#"{"a":{"b":[1],"c":[2]}}"#;
    for (event, expected) in [
        (r#"{"a.b":1,"a.c":2}"#, true),
        (r#"{"a":{"b":1},"a.c":2}"#, true),
        (r#"{"a":{"b":1},"a":{"c":2}}"#, true),
        (r#"{"a":[{"b":1},{"c":2}],"a.c":2}"#, true),
        (r#"{"a":[{"b":1},{"c":2}]}"#, false),
        (r#"{"a":[{"b":1}],"a":[{"c":2}]}"#, true),
        (r#"{"a.b":1,"a.cc":2}"#, false),
    ] {
        assert_eq!(matches(pattern, event), expected, "{event}");
    }
}

#[test]
fn absence_counts_in_the_element_that_earlier_fields_chose() {
    // Fields are looked at in the order of their names.
    let before = r#"{"fills":{"error":[{"exists":false}],"symbol":["A"]}}"#;
    let after = r#"{"fills":{"symbol":["A"],"warning":[{"exists":false}]}}"#;
    for (event, expected) in [
        (
            r#"{"fills":[{"symbol":"A"},{"error":1,"warning":1}]}"#,
            (false, true),
        ),
        (
            r#"{"fills":[{"symbol":"A"},{"symbol":"A","error":1,"warning":1}]}"#,
            (false, true),
        ),
        (
            r#"{"fills":[{"symbol":"A","error":1,"warning":1}]}"#,
            (false, false),
        ),
        (
            r#"{"fills":[{"symbol":"A"}],"fills":[{"warning":1}]}"#,
            (true, false),
        ),
    ] {
        let verdicts = (matches(before, event), matches(after, event));
        assert_eq!(verdicts, expected, "{event}");
    }
}

#[test]
fn length_is_limited() {
    let pattern = |length: usize| format!(r#"{{"a":["{}"]}}"#, "é".repeat(length - 10));
    assert!(Pattern::from_json(&pattern(2048)).is_ok());
    let error = Pattern::from_json(&pattern(2049)).unwrap_err().to_string();
    assert_eq!(
        error,
        "the pattern has 2049 characters, and 2048 are allowed; split the rule in two"
    );
    let limits = PatternLimits {
        characters: 4096,
        ..PatternLimits::default()
    };
    assert!(Pattern::from_json_within(&pattern(4096), &limits).is_ok());
    assert!(Pattern::from_json_within(&pattern(4097), &limits).is_err());
}

#[test]
fn depth_is_limited_however_long_a_pattern_may_be() {
    let limits = PatternLimits {
        characters: usize::MAX,
        ..PatternLimits::default()
    };
    let nested = |depth: usize| format!("{}[1]{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(Pattern::from_json_within(&nested(999), &limits).is_ok());
    let error = Pattern::from_json_within(&nested(1_000_000), &limits).unwrap_err();
    assert!(
        error.to_string().contains("nested more than 1000 deep"),
        "{error}"
    );

    let dotted = format!("{{\"{}\":[1]}}", vec!["a"; 100_000].join("."));
    let pattern = Pattern::from_json_within(&dotted, &limits).unwrap();
    let event = dotted.replace("[1]", "1");
    assert_eq!(pattern.matches(event.as_bytes()), Ok(true));
}

#[test]
fn combinations_are_limited() {
    let combinations = |ors: usize| {
        let ors: Vec<String> = (0..ors)
            .map(|or| format!(r#""f{or}":{{"$or":[{{"x":[1]}},{{"y":[1]}}]}}"#))
            .collect();
        format!("{{{}}}", ors.join(","))
    };
    assert!(Pattern::from_json(&combinations(9)).is_ok());
    for ors in [10, 50] {
        let error = Pattern::from_json(&combinations(ors))
            .unwrap_err()
            .to_string();
        assert!(error.contains("more than 1000 combinations"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let fields = |count: usize| {
        let fields: Vec<String> = (0..count)
            .map(|field| format!("\"{field:x}\":[1]"))
            .collect();
        format!("{{{}}}", fields.join(","))
    };
    let limits = PatternLimits {
        characters: 10_000,
        ..PatternLimits::default()
    };
    assert!(Pattern::from_json_within(&fields(256), &limits).is_ok());
    assert!(Pattern::from_json_within(&fields(257), &limits).is_err());
}

#[test]
fn wildcards_are_limited() {
    let wildcard = |stars: usize| format!(r#"{{"a":[{{"wildcard":"{}"}}]}}"#, "*a".repeat(stars));
    assert!(Pattern::from_json(&wildcard(20)).is_ok());
    let error = Pattern::from_json(&wildcard(21)).unwrap_err().to_string();
    assert!(
        error.contains("the wildcard has 21 `*`, and 20 are allowed"),
        "{error}"
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let pattern = r#"{"a":["x",{"numeric":[">",5,"<",0]}],"b":{"c":[]},"$or":[{"prefix":[1]},{"d":[{"sufix":"x"}]}]}"#;
    let error = Pattern::from_json(pattern).unwrap_err();
    let told: Vec<(&str, &str)> = error
        .mistakes
        .iter()
        .map(|mistake| (mistake.field.as_str(), &pattern[mistake.span.clone()]))
        .collect();
    assert_eq!(
        told,
        [
            ("a", "[\">\",5,\"<\",0]"),
            ("b.c", "[]"),
            ("$or.prefix", "\"prefix\""),
            ("$or.d", "\"sufix\""),
        ]
    );
    for (text, offset) in [
        ("{\"a\":[1]", 8),
        ("", 0),
        ("{\"a\":[\"\\ud800\"]}", 7),
        ("{\"a\":[1]}}", 9),
        ("{\"a\":é}", 5),
    ] {
        let error = Pattern::from_json(text).unwrap_err();
        assert_eq!(error.mistakes[0].span.start, offset, "{text}");
        assert!(text.get(error.mistakes[0].span.clone()).is_some(), "{text}");
    }
}
