//! The JSON Schema for editors: it is the shipped one, and it takes what the
//! reader takes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{Pattern, Routes, schema};
use serde_json::{Value, json};

const SHIPPED_ROUTES: &str = include_str!("../../../routes.toml");
const SHIPPED_SCHEMA: &str = include_str!("../../../schemas/routes.schema.json");

/// Whether a file is as the schema says, dates aside, which JSON does not have.
fn allows(file: &str) -> bool {
    let file: toml::Table = toml::from_str(file).unwrap();
    jsonschema::is_valid(&schema(), &json!(file))
}

#[test]
fn the_shipped_schema_is_that_of_the_reader() {
    assert!(
        format!("{:#}\n", schema()) == SHIPPED_SCHEMA,
        "run `alchemiser rules schema > schemas/routes.schema.json`"
    );
}

#[test]
fn the_shipped_routes_are_as_the_schema_says() {
    assert!(jsonschema::meta::is_valid(&schema()));
    assert!(allows(SHIPPED_ROUTES));
    let routes = Routes::parse(SHIPPED_ROUTES, "routes.toml").unwrap();
    assert!(!routes.schedules().is_empty() && !routes.tests().is_empty());
}

/// An editor marks what the reader refuses, as far as a schema can tell.
#[test]
fn mistakes_are_mistakes_in_editors_too() {
    let file = r#"
        bus = "${BUS:-trading}"
        targets.t.kind = "handler"
        [[rule]]
        name = "r"
        enabled = true
        retry_attempts = 3
        description = "what it is for"
        pattern = { a = ["x", { prefix = "y" }], "$or" = [{ b = [1] }, { c = [2] }] }
        target = "t"
        [[schedule]]
        name = "s"
        enabled = "${DAILY}"
        expression = "rate(5 minutes)"
        time_zone = "UTC"
        input = '{"mode": "trade"}'
        target = "t"
        [[test]]
        name = "n"
        event = "events/x.json"
        targets = ["t"]
    "#;
    assert!(allows(file));
    for (right, wrong) in [
        ("kind = \"handler\"", "kind = \"handle\""),
        ("enabled = true", "enabled = \"${RULE}\""),
        ("enabled = true", "enbled = true"),
        ("retry_attempts = 3", "retry_attempts = 186"),
        ("name = \"r\"", "name = \"two words\""),
        ("name = \"r\"", ""),
        ("prefix = \"y\"", "prefx = \"y\""),
        ("prefix = \"y\"", "prefix = 5"),
        ("[\"x\", { prefix = \"y\" }]", "\"x\""),
        ("[\"x\", { prefix = \"y\" }]", "{}"),
        ("[\"x\", { prefix = \"y\" }]", "[{ wildcard = \"a**b\" }]"),
        ("[\"x\", { prefix = \"y\" }]", "[{ wildcard = 'a\\b' }]"),
        ("[\"x\", { prefix = \"y\" }]", "[{ numeric = [\"!\", 1] }]"),
        (
            "[\"x\", { prefix = \"y\" }]",
            "[{ numeric = [\">\", 1, \">\", 2] }]",
        ),
        (
            "[\"x\", { prefix = \"y\" }]",
            "[{ numeric = [\">\", 1, \"<\"] }]",
        ),
        (
            "[\"x\", { prefix = \"y\" }]",
            "[{ anything-but = [\"x\", 1] }]",
        ),
        ("[\"x\", { prefix = \"y\" }]", "[{ anything-but = true }]"),
        ("[{ b = [1] }, { c = [2] }]", "[{ b = [1] }]"),
        ("[{ b = [1] }, { c = [2] }]", "{ b = [1] }"),
        ("what it is for", "${WHAT}"),
        ("rate(5 minutes)", "rate(5 minute)"),
        ("rate(5 minutes)", "rate(1 minutes)"),
        ("'{\"mode\": \"trade\"}'", "'trade'"),
        ("events/x.json", ""),
        ("events/x.json", "[1]"),
        ("rate(5 minutes)", "every 5 minutes"),
        ("enabled = \"${DAILY}\"", "enabled = \"yes\""),
        ("targets = [\"t\"]", ""),
    ] {
        assert!(file.contains(right));
        let file = file.replacen(right, wrong, 1);
        assert!(!allows(&file), "{wrong} for {right}");
    }
}

/// No pattern that EventBridge takes is marked by an editor.
#[test]
fn the_schema_takes_every_pattern_that_the_reader_takes() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut taken = 0;
    for line in include_str!("event_patterns.jsonl").lines() {
        // As serde_json reads it, a field that is there twice is there once; and
        // some numbers are too large for it.
        let Ok(case) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if Pattern::from_json(&case["pattern"].to_string()).is_err() {
            continue;
        }
        let rule = json!({"name": "r", "target": "t", "pattern": case["pattern"]});
        let file = json!({"targets": {"t": {"kind": "handler"}}, "rule": [rule]});
        if let Err(error) = validator.validate(&file) {
            panic!("{}: {error}", case["name"]);
        }
        taken += 1;
    }
    assert!(taken > 300, "{taken}");
}
