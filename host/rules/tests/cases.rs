//! Test cases from lines of JSON, and what they say when they fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{Case, Routes, TestEvent};

fn routes() -> Routes {
    Routes::parse(
        r#"
        targets = { one.kind = "handler", two.kind = "handler", log.kind = "log" }
        rule = [
            { name = "ones", pattern = { a = [1] }, target = "one" },
            { name = "twos", pattern = { a = [2], b = [{ prefix = "x" }] }, target = "two" },
            { name = "all", pattern = { a = [{ exists = true }] }, target = "log" },
        ]
        "#,
        "routes.toml",
    )
    .unwrap()
}

/// What a line comes to: nothing when it passes.
fn run(line: &str) -> String {
    let case = Case::parse(line, 7).unwrap();
    let event = match &case.event {
        Some(TestEvent::Json(event)) => event.as_str(),
        Some(TestEvent::File(path)) => panic!("{}", path.display()),
        None => "",
    };
    match case.run(&routes(), event.as_bytes()) {
        Ok(()) => String::new(),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn cases_pass_or_say_why_not() {
    let table = [
        (
            r#"{"pattern": {"a": [1]}, "event": {"a": 1}, "match": true}"#,
            "",
        ),
        (
            r#"{"pattern": {"a": [1]}, "event": {"a": 2}, "match": false}"#,
            "",
        ),
        (
            r#"{"pattern": {"a": [1]}, "event": {"a": 2}, "match": true}"#,
            "the pattern does not match: field `a`: asked for [1], and there is 2",
        ),
        (
            r#"{"pattern": {"a": [1]}, "event": {"a": 1}, "match": false}"#,
            "the pattern matches, and should not",
        ),
        // The spelling is kept: beyond the precision of a double.
        (
            r#"{"pattern": {"a": [9007199254740993]}, "event": {"a": 9007199254740992}, "match": false, "raw": true}"#,
            "",
        ),
        (r#"{"pattern": {"a": []}, "invalid": true}"#, ""),
        (
            r#"{"pattern": {"a": [1]}, "invalid": true}"#,
            "the pattern is not refused",
        ),
        (r#"{"event": {"a": 1}, "targets": ["one"]}"#, ""),
        (
            r#"{"event": {"a": 1}, "targets": ["one"], "rules": ["all", "ones"]}"#,
            "",
        ),
        (r#"{"event": "{\"a\": 3}", "targets": []}"#, ""),
        (
            r#"{"pattern": "{\"a\": [1]}", "event": {"a": 1}, "match": true}"#,
            "",
        ),
        (
            r#"{"event": {"a": 2, "b": "y"}, "targets": ["two"]}"#,
            "`two` should get it and does not\n\
             rule `twos`, which sends to `two`, does not match: \
             field `b`: asked for [{\"prefix\":\"x\"}], and there is \"y\"",
        ),
        (
            r#"{"event": {"a": 1}, "targets": []}"#,
            "`one` gets it and should not\nrule `ones`, which sends to `one`, matches",
        ),
        (
            r#"{"event": {"a": 1}, "targets": ["one"], "rules": ["ones"]}"#,
            "other rules match than should\nrule `all`, which sends to `log`, matches; the \
             archive is the log, nothing is delivered",
        ),
        (
            r#"{"event": [], "targets": []}"#,
            "the event is no JSON object",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(run(line), expected, "{line}");
    }
}

#[test]
fn an_event_in_quotes_may_be_a_path() {
    let case = Case::parse(r#"{"event": "events/start.json", "targets": []}"#, 7).unwrap();
    assert_eq!(case.name, "line 7");
    assert_eq!(
        case.event,
        Some(TestEvent::File("events/start.json".into()))
    );
}

#[test]
fn lines_that_are_no_cases_are_refused() {
    for (line, message) in [
        ("", "a case is a JSON object"),
        ("[]", "a case is a JSON object"),
        ("{", "EOF while parsing"),
        ("{}", "a case has `pattern`, `event` and `match`"),
        (r#"{"pattern": {"a": [1]}, "event": {}}"#, "a case has"),
        (r#"{"event": {}, "target": []}"#, "did you mean `targets`?"),
        (
            r#"{"event": {}, "targets": ["two words"]}"#,
            "a name is 1 to 64",
        ),
    ] {
        let error = Case::parse(line, 1).unwrap_err().to_string();
        assert!(error.contains(message), "{line}: {error}");
    }
}

#[test]
fn a_case_may_name_only_what_the_routes_have() {
    for (line, message) in [
        (r#"{"event": {}, "targets": ["two"], "rules": ["all"]}"#, ""),
        (r#"{"pattern": {"a": []}, "invalid": true}"#, ""),
        (
            r#"{"event": {}, "targets": ["too"]}"#,
            "there is no target `too`; did you mean `two`?",
        ),
        (
            r#"{"event": {}, "targets": ["log"]}"#,
            "no event is delivered to `log` by the worker; name handlers in `targets`",
        ),
        (
            r#"{"event": {}, "targets": [], "rules": ["one"]}"#,
            "there is no rule `one`; did you mean `ones`?",
        ),
    ] {
        let checked = Case::parse(line, 1).unwrap().check(&routes());
        let told = checked.map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(told, message, "{line}");
    }
}
