//! The guide to the routes tells the truth.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{Case, Pattern, Routes, TestEvent};

const GUIDE: &str = include_str!("../../../docs/routes.md");

#[test]
fn the_example_is_read_and_its_tests_pass() {
    let (_, rest) = GUIDE.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let routes = Routes::parse(example, "routes.toml").unwrap();
    assert_eq!(routes.schedules().len(), 1);
    for test in routes.tests() {
        let TestEvent::Json(event) = &test.event else {
            panic!("{}", test.name);
        };
        Case::from(test).run(&routes, event.as_bytes()).unwrap();
    }
}

#[test]
fn each_operator_matches_and_does_not_match_as_the_guide_says() {
    let mut operators = 0;
    for row in GUIDE.lines().filter(|line| line.contains("| `{\"")) {
        let cells: Vec<&str> = row
            .split(" | ")
            .map(|cell| cell.trim_matches(['`', '|', ' ']))
            .collect();
        let [_, pattern, matching, other] = cells[..] else {
            panic!("{row}");
        };
        let pattern = Pattern::from_json(pattern).unwrap();
        assert!(pattern.matches(matching.as_bytes()).unwrap(), "{row}");
        assert!(!pattern.matches(other.as_bytes()).unwrap(), "{row}");
        operators += 1;
    }
    assert_eq!(operators, 16);
}

/// Every key of the file is in the guide.
#[test]
fn no_key_is_missing() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        for (key, value) in properties {
            found.push(key.clone());
            keys(&value["items"], found);
            keys(&value["additionalProperties"], found);
        }
    }
    let mut found = Vec::new();
    keys(&alchemiser_rules::schema(), &mut found);
    assert!(found.len() > 20);
    for key in found {
        let named = [
            format!("`{key}`"),
            format!("[{key}]]"),
            format!("`{key}."),
            format!(".{key}`"),
        ];
        assert!(named.iter().any(|named| GUIDE.contains(named)), "{key}");
    }
}
