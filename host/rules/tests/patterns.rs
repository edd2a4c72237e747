//! When a pattern matches, and which patterns are refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::Pattern;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Verdicts of EventBridge's rule engine, event-ruler 2.0.1, one case a line:
/// `{name, pattern, event, match}`, or `{name, pattern, invalid: true}` for a
/// pattern that must be refused. Lines with `"raw": true` turn on how a number
/// is spelt or a key repeated, which a parsed event no longer shows.
const VERDICTS: &str = include_str!("event_patterns.jsonl");

/// Whether a pattern keeps to exact values and `prefix`.
fn is_supported(pattern: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, within)| name != "$or" && is_supported(within)),
        Value::Array(values) => values.iter().all(|value| match value {
            Value::Object(operator) => operator
                .iter()
                .all(|(name, operand)| name == "prefix" && operand.is_string()),
            _ => true,
        }),
        _ => true,
    }
}

#[test]
fn verdicts_are_those_of_eventbridge() {
    let (mut matched, mut unsupported, mut invalid) = (0, 0, 0);
    for line in VERDICTS
        .lines()
        .filter(|line| !line.ends_with("\"raw\":true}"))
    {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let pattern = Pattern::from_json(&case["pattern"].to_string());
        if case["invalid"] == json!(true) {
            assert!(pattern.is_err(), "{name} must be refused");
            invalid += 1;
        } else if is_supported(&case["pattern"]) {
            let verdict = pattern.expect(name).matches(&case["event"]);
            assert_eq!(json!(verdict), case["match"], "{name}");
            matched += 1;
        } else {
            let message = pattern.expect_err(name).to_string();
            assert!(message.contains("is not supported"), "{name}: {message}");
            unsupported += 1;
        }
    }
    assert_eq!((matched, unsupported, invalid), (125, 321, 90));
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
        let compiled = Pattern::from_json(&pattern.to_string()).unwrap();
        assert_eq!(compiled.matches(&event), expected, "{pattern}");
    }
}

#[test]
fn two_spellings_of_one_field_are_merged() {
    let pattern = Pattern::from_json(r#"{"a":{"b":[1],"c":[2]}}"#).unwrap();
    for (event, expected) in [
        (json!({"a.b": 1, "a.c": 2}), true),
        (json!({"a": {"b": 1}, "a.c": 2}), true),
        (json!({"a": [{"b": 1}, {"c": 2}], "a.c": 2}), true),
        (json!({"a": [{"b": 1}, {"c": 2}]}), false),
        (json!({"a.b": 1, "a.cc": 2}), false),
    ] {
        assert_eq!(pattern.matches(&event), expected, "{event}");
    }
}

#[test]
fn depth_is_limited_however_it_is_spelt() {
    let nested = format!("{}[1]{}", "{\"a\":".repeat(101), "}".repeat(101));
    let dotted = format!("{{\"{}\":[1]}}", vec!["a"; 1_000_000].join("."));
    for pattern in [nested, dotted] {
        let message = Pattern::from_json(&pattern).unwrap_err().to_string();
        assert!(
            message.contains("more than 100 names deep"),
            "{message:.200}"
        );
    }
}

/// Another way to the same verdicts: the event as a list of leaves, each with
/// the array elements that it lies in; then any choice of one leaf for each
/// field of the pattern that takes no two elements of one array.
mod naive {
    use serde_json::Value;

    #[derive(Default)]
    struct Leaves {
        arrays: usize,
        leaves: Vec<Leaf>,
    }

    #[derive(Clone)]
    struct Leaf {
        path: String,
        value: Value,
        /// Number of the array, and the element's index in it.
        within: Vec<(usize, usize)>,
    }

    impl Leaves {
        fn add(&mut self, path: &str, value: &Value, within: &[(usize, usize)]) {
            match value {
                Value::Object(object) => {
                    for (key, value) in object {
                        self.add(&format!("{path}.{key}"), value, within);
                    }
                }
                Value::Array(elements) => {
                    self.arrays += 1;
                    let array = self.arrays;
                    for (index, element) in elements.iter().enumerate() {
                        self.add(path, element, &[within, &[(array, index)]].concat());
                    }
                }
                scalar => self.leaves.push(Leaf {
                    path: path.to_owned(),
                    value: scalar.clone(),
                    within: within.to_vec(),
                }),
            }
        }
    }

    fn tests(path: &str, pattern: &Value, tests: &mut Vec<(String, Vec<Value>)>) {
        match pattern {
            Value::Object(object) => {
                for (key, pattern) in object {
                    self::tests(&format!("{path}.{key}"), pattern, tests);
                }
            }
            Value::Array(values) => tests.push((path.to_owned(), values.clone())),
            _ => unreachable!("leaves of a pattern are arrays"),
        }
    }

    fn holds(expected: &Value, value: &Value) -> bool {
        match expected {
            Value::Object(operator) => value
                .as_str()
                .is_some_and(|text| text.starts_with(operator["prefix"].as_str().unwrap())),
            Value::Number(number) => value
                .as_f64()
                .is_some_and(|value| value.to_bits() == number.as_f64().unwrap().to_bits()),
            _ => expected == value,
        }
    }

    fn choose(tests: &[(String, Vec<Value>)], leaves: &[Leaf], chosen: &[(usize, usize)]) -> bool {
        let Some(((path, values), rest)) = tests.split_first() else {
            return true;
        };
        leaves.iter().any(|leaf| {
            leaf.path == *path
                && values.iter().any(|expected| holds(expected, &leaf.value))
                && leaf.within.iter().all(|(array, index)| {
                    chosen
                        .iter()
                        .all(|(other, at)| array != other || index == at)
                })
                && choose(rest, leaves, &[chosen, &leaf.within].concat())
        })
    }

    pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
        let mut conditions = Vec::new();
        tests("", pattern, &mut conditions);
        let mut leaves = Leaves::default();
        leaves.add("", event, &[]);
        choose(&conditions, &leaves.leaves, &[])
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::sample::select(vec!["", "x", "xy", "y", "1"]).prop_map(|text| json!(text)),
        proptest::sample::select(vec![
            json!(1),
            json!(1.0),
            json!(2),
            json!(true),
            json!(null)
        ]),
    ]
}

fn object(within: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    // With dots, so that one field can be spelt in several ways.
    let key = proptest::sample::select(vec!["a", "b", "c", "a.b", "b.a"]);
    proptest::collection::btree_map(key, within, 1..4).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            2 => object(inner.clone()),
            1 => proptest::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    });
    object(value)
}

fn pattern() -> impl Strategy<Value = Value> {
    let matcher = prop_oneof![
        2 => scalar(),
        1 => proptest::sample::select(vec!["", "x", "y"]).prop_map(|prefix| json!({"prefix": prefix})),
    ];
    let field = proptest::collection::vec(matcher, 1..4).prop_map(Value::Array);
    object(field.prop_recursive(2, 8, 3, object))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_those_of_a_naive_matcher(pattern in pattern(), event in event()) {
        // A pattern that names one field in two spellings is refused.
        if let Ok(compiled) = Pattern::from_json(&pattern.to_string()) {
            prop_assert_eq!(compiled.matches(&event), naive::matches(&pattern, &event));
        }
    }
}
