//! `alchemiser rules`: what it says, to people and to scripts.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Project, State, workspace};
use serde_json::{Value, json};

const EVENT: &str = r#"{"source":"alchemiser.strategy","detail-type":"SignalGenerated",
    "detail":{"correlation_id":"dev-paper-2022-12-28-1600"}}"#;

/// Compares text with what was read and found good.
macro_rules! assert_text {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

/// A project whose routes differ in one place from those shipped.
fn changed(from: &str, to: &str) -> Project {
    let project = Project::new();
    let shipped = shipped();
    let routes = shipped.replacen(from, to, 1);
    assert_ne!(routes, shipped);
    project.file("routes.toml", routes)
}

fn shipped() -> String {
    std::fs::read_to_string(workspace().join("routes.toml")).unwrap()
}

#[test]
fn check() {
    let project = Project::new();
    let clean = project.alchemiser().call(["rules", "check", "--json"]);
    assert_eq!(
        clean.exits(0).line(),
        json!({
            "rules": 9,
            "schedules": 1,
            "targets": 7,
            "tests": 15,
            "findings": 0,
            "remarks": ["schedule `daily-trading` is disabled"],
        })
    );
    let enabled = project.alchemiser().with("DAILY_TRADING", "true");
    let summary = enabled.call(["rules", "check", "--json"]).exits(0).line();
    assert_eq!(summary["remarks"], json!([]));

    let doubled = format!(
        "{}\n[[rule]]\nname = \"spare\"\ntarget = \"strategy\"\n\
         pattern = {{ detail-type = [\"WorkflowStarted\"] }}\n\n\
         [[rule]]\nname = \"gone\"\nenabled = false\ntarget = \"audit\"\n\
         pattern = {{ source = [\"nobody\"] }}\n\n\
         [[rule]]\nname = \"health\"\nbus = \"default\"\ntarget = \"audit\"\n\
         pattern = {{ source = [\"aws.health\"] }}\n",
        shipped()
    );
    let project = project.file("routes.toml", doubled);
    let findings = project.alchemiser().call(["rules", "check"]).exits(1);
    assert_text!("check_findings", findings.stdout);
    let lines = project
        .alchemiser()
        .call(["rules", "check", "--json"])
        .exits(1)
        .lines();
    assert_eq!(lines[0]["finding"], "sent-twice");
    assert_eq!(lines[0]["rule"], "spare");
    assert_eq!(lines[0]["file"], "routes.toml");
    assert!(lines[0]["line"].is_u64());
    assert_eq!(lines.last().unwrap()["findings"], 1);
}

/// All mistakes in one run, each with a caret under its place.
#[test]
fn mistakes() {
    let mistaken = shipped()
        .replacen("target = \"portfolio\"", "target = \"portfolo\"", 1)
        .replacen("[\"RebalancePlanned\"]", "[{ prefx = \"Rebalance\" }]", 1)
        .replacen("max_age_seconds = 1800", "max_age = 1800", 1)
        .replacen("MON-FRI", "FRI-MON", 1)
        .replacen("America/New_York", "America/NewYork", 1)
        .replacen("targets = [\"strategy\"]", "targets = [\"stategy\"]", 1);
    let project = Project::new().file("routes.toml", mistaken);
    let refused = project.alchemiser().call(["rules", "check"]).exits(2);
    assert_eq!(refused.stdout, "");
    assert!(!refused.stderr.contains('\u{1b}'), "{}", refused.stderr);
    assert_text!("mistakes", refused.stderr);

    let refused = project.alchemiser().call(["rules", "check", "--json"]);
    let lines = refused.exits(2).lines();
    assert_eq!(lines.len(), 6);
    let first = &lines[0]["error"];
    assert_eq!(first["class"], "RoutesError");
    assert_eq!(first["rule"], "signal-generated");
    assert_eq!(first["field"], "target");
    assert_eq!(first["message"], "there is no target `portfolo`");
    assert_eq!(first["advice"], "did you mean `portfolio`?");
    assert!(first["line"].is_u64() && first["column"].is_u64());
}

#[test]
fn a_bad_bracket_is_one_mistake() {
    for (from, to) in [
        ("[targets]", "[targets"),
        ("[\"SignalGenerated\"] }", "[\"SignalGenerated\" }"),
        ("[rule.pattern]", "[rule.pattern"),
        (
            "\"alchemiser.orchestration\",\n]",
            "\"alchemiser.orchestration\",",
        ),
    ] {
        let project = changed(from, to);
        let refused = project.alchemiser().call(["rules", "check", "--json"]);
        assert_eq!(refused.exits(2).lines().len(), 1, "{to}");
    }
}

#[test]
fn matching() {
    let project = Project::new().file("event.json", EVENT);
    let call = |arguments: &[&str]| {
        let command = ["rules", "match"].iter().chain(arguments);
        project.alchemiser().call(command)
    };
    let strategy = r#"{"source":["alchemiser.strategy"]}"#;
    let portfolio = r#"{"source":[{"suffix":".portfolio"}],"detail-type":["SignalGenerated"]}"#;

    let yes = call(&["--pattern", strategy, "--event", EVENT]).exits(0);
    assert_eq!(yes.stdout, "matches\n");
    let no = call(&["--pattern", portfolio, "--event", "@event.json"]).exits(1);
    assert_eq!(
        no.stdout,
        "does not match: field `source`: asked for [{\"suffix\":\".portfolio\"}], and there is \
         \"alchemiser.strategy\"\n"
    );
    assert_eq!(
        call(&["--pattern", strategy, "--event", "event.json", "--json"])
            .exits(0)
            .line(),
        json!({"matches": true})
    );
    let no = call(&["--pattern", portfolio, "--event", "event.json", "--json"])
        .exits(1)
        .line();
    assert_eq!(no["matches"], false);
    assert_eq!(no["mismatch"]["field"], "source");
    assert_eq!(no["mismatch"]["asked"], r#"[{"suffix":".portfolio"}]"#);
    assert_eq!(no["mismatch"]["found"], json!([r#""alchemiser.strategy""#]));
}

#[test]
fn bad_patterns_and_events() {
    let project = Project::new().file("bytes.json", b"{\"a\":\"\xff\"}");
    let mut text = String::new();
    for (pattern, event) in [
        (r#"{"source":[{"prefx":"a"}],"detail":"b"}"#, "{}"),
        (r#"{"source":["a"]"#, "{}"),
        ("pattern.json", "{}"),
        (r#"{"source":["a"]}"#, "[]"),
        (r#"{"source":["a"]}"#, r#"{"source":"a""#),
        (r#"{"source":["a"]}"#, "event.json"),
        (r#"{"source":["a"]}"#, "bytes.json"),
        ("-", "-"),
    ] {
        let arguments = ["rules", "match", "--pattern", pattern, "--event", event];
        let refused = project.alchemiser().call(arguments).exits(2);
        assert_eq!(refused.stdout, "");
        text = format!("{text}{pattern}   {event}\n{}\n", refused.stderr);
        let refused = project
            .alchemiser()
            .call(arguments.iter().chain(&["--json"]));
        for line in refused.exits(2).lines() {
            assert!(line["error"]["class"].is_string(), "{line}");
        }
    }
    assert_text!("bad_patterns_and_events", text);
}

#[test]
fn explain() {
    let project = Project::new().file("event.json", EVENT);
    let alchemiser = project.alchemiser();
    let text = alchemiser.call(["rules", "explain", "event.json"]).exits(0);
    assert_text!("explain", text.stdout);

    let lines = alchemiser
        .call(["rules", "explain", EVENT, "--json"])
        .exits(0)
        .lines();
    assert_eq!(lines.len(), 10);
    let verdict = |line: &Value| line["verdict"].as_str().unwrap_or_default().to_owned();
    assert_eq!(verdict(&lines[0]), "differs");
    assert_eq!(lines[0]["mismatch"]["field"], "detail-type");
    assert_eq!(verdict(&lines[1]), "sends");
    assert_eq!(verdict(&lines[8]), "logs");
    assert_eq!(
        lines[9],
        json!({"deliveries": [{
            "target": "portfolio",
            "rule": "signal-generated",
            "retry_attempts": 3,
            "max_age_seconds": 3600,
        }]})
    );
    let other = r#"{"source":"aws.health"}"#;
    let text = alchemiser.call(["rules", "explain", other]).exits(0).stdout;
    assert!(text.ends_with("Deliveries\n  none\n"), "{text}");
}

/// What was published can be explained by its id.
#[test]
fn explain_an_event_of_the_archive() {
    let alchemiser = Alchemiser::shipped();
    let state = State::new();
    let _ = state.run(&alchemiser, "2022-12-28").exits(0);
    let explained = state.call(
        &alchemiser,
        ["rules", "explain", "trade-executed", "--json"],
    );
    let explained = explained.exits(0);
    let lines = explained.lines();
    assert_eq!(lines[9]["deliveries"][0]["target"], "orchestrator");
    // So can what `events show` prints.
    let shown = state.call(&alchemiser, ["events", "show", "trade-executed", "--json"]);
    let shown = shown.exits(0).stdout;
    let again = state.call(&alchemiser, ["rules", "explain", &shown, "--json"]);
    assert_eq!(again.exits(0).stdout, explained.stdout);
    let unknown = state.call(&alchemiser, ["rules", "explain", "nothing-of-the-kind"]);
    assert!(unknown.exits(1).stderr.contains("there is no event"));
}

#[test]
fn the_shipped_tests_pass() {
    let alchemiser = Alchemiser::shipped();
    let passed = alchemiser.call(["rules", "test"]).exits(0);
    assert_eq!(passed.stdout, "15 passed, 0 failed\n");
    let lines = alchemiser
        .call(["rules", "test", "--json"])
        .exits(0)
        .lines();
    assert_eq!(lines.len(), 15);
    assert!(lines.iter().all(|line| line["passed"] == true));
}

#[test]
fn a_test_that_fails_says_why() {
    let project = changed("[\"SignalGenerated\"]", "[\"SignalsGenerated\"]");
    let failed = project.alchemiser().call(["rules", "test"]).exits(1);
    assert_text!("test_failed", failed.stdout);
    let lines = project
        .alchemiser()
        .call(["rules", "test", "--json"])
        .exits(1)
        .lines();
    let failed: Vec<&Value> = lines
        .iter()
        .filter(|line| line["passed"] == false)
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["name"], "weights go to the portfolio");
    assert!(
        failed[0]["message"]
            .as_str()
            .unwrap()
            .contains("SignalsGenerated")
    );
}

#[test]
fn cases_of_a_file() {
    let golden = workspace().join("host/rules/tests/event_patterns.jsonl");
    let alchemiser = Alchemiser::shipped();
    let passed = alchemiser
        .call(["rules", "test", golden.to_str().unwrap()])
        .exits(0);
    assert_eq!(passed.stdout, "549 passed, 0 failed\n");

    let cases = r#"{"name": "from a file", "event": "event.json", "targets": ["portfolio"]}

{"event": {"source": "other"}, "targets": [], "rules": []}
{"name": "wrong", "event": "event.json", "targets": []}
{"name": "no file", "event": "events.json", "targets": []}
"#;
    let project = Project::new()
        .file("cases/cases.jsonl", cases)
        .file("cases/event.json", EVENT);
    let call = |file: &str| project.alchemiser().call(["rules", "test", file]);
    assert_text!("cases", call("cases/cases.jsonl").exits(1).stdout);

    let project = Project::new().file("cases.jsonl", "{\"match\": true}\n{}\n{\"nam\": 1}\n");
    let refused = project
        .alchemiser()
        .call(["rules", "test", "cases.jsonl"])
        .exits(2);
    assert_text!("cases_refused", refused.stderr);
}

/// The event of a `[[test]]` may lie in a file beside the routes.
#[test]
fn the_event_of_a_test_may_be_a_file() {
    let project = Project::new().file("events/signal.json", EVENT);
    let routes = format!(
        "{}\n[[test]]\nname = \"as it was\"\nevent = \"events/signal.json\"\n\
         targets = [\"portfolio\"]\n",
        shipped()
    );
    let project = project.file("routes.toml", routes);
    let passed = project.alchemiser().call(["rules", "test"]).exits(0);
    assert_eq!(passed.stdout, "16 passed, 0 failed\n");
}

#[test]
fn schedules() {
    let alchemiser = Alchemiser::shipped();
    // The Friday before the clocks change.
    let after = ["--after", "2023-03-10T14:35:00Z", "--count", "2"];
    let command = ["rules", "schedules"];
    let text = alchemiser.call(command.iter().chain(&after)).exits(0);
    assert_text!("schedules", text.stdout);
    let line = alchemiser
        .call(command.iter().chain(&after).chain(&["--json"]))
        .exits(0)
        .line();
    assert_eq!(
        line["next"],
        json!(["2023-03-13T13:35:00Z", "2023-03-14T13:35:00Z"])
    );
    assert_eq!(line["input"], json!({"mode": "trade"}));
    assert_eq!(line["enabled"], false);
}

#[test]
fn schema() {
    let printed = Alchemiser::shipped().call(["rules", "schema"]).exits(0);
    let shipped = std::fs::read_to_string(workspace().join("schemas/routes.schema.json")).unwrap();
    assert_eq!(printed.stdout, shipped);
    let line = Alchemiser::shipped().call(["rules", "schema", "--json"]);
    let shipped: Value = serde_json::from_str(&shipped).unwrap();
    assert_eq!(line.exits(0).line(), shipped);
}

/// What was typed may not be understood; that JSON is asked for is.
#[test]
fn wrong_usage_is_told_to_scripts_too() {
    let project = Project::new();
    for (arguments, message) in [
        (
            &["rules", "match", "--pattern", "{}", "--json"][..],
            "the following required arguments were not provided: --event <EVENT>",
        ),
        (
            &["rules", "chek", "--json"],
            "unrecognized subcommand 'chek'; tip: some similar subcommands exist: ",
        ),
        (
            &["--json", "rules", "schedules", "--after", "zzz"],
            "invalid value 'zzz' for '--after <INSTANT>'",
        ),
    ] {
        let refused = project.alchemiser().call(arguments).exits(2);
        let error = &refused.line()["error"];
        assert_eq!(error["class"], "UsageError");
        assert!(
            error["message"].as_str().unwrap().starts_with(message),
            "{error}"
        );
        assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
    }
    let bare = project.alchemiser().call(["--json", "rules"]).exits(2);
    assert_eq!(
        bare.line()["error"]["message"],
        "a subcommand is missing; `--help` lists them"
    );
    let plain = project.alchemiser().call(["rules", "chek"]).exits(2);
    assert_eq!(plain.stdout, "");
    let help = project
        .alchemiser()
        .call(["rules", "--help", "--json"])
        .exits(0);
    assert!(
        help.stdout.starts_with("Look at the rules"),
        "{}",
        help.stdout
    );
}

/// The files that tests name are found missing or broken with the other
/// mistakes; to follow the rules they are not needed.
#[test]
fn the_events_of_tests_are_checked() {
    let text = format!(
        "{}\n[[test]]\nname = \"gone\"\nevent = \"gone.json\"\ntargets = []\n\
         [[test]]\nname = \"broken\"\nevent = \"broken.json\"\ntargets = [\"nobody\"]\n\
         [[test]]\nname = \"from elsewhere\"\nevent = \"mark.json\"\ntargets = []\n",
        shipped()
    );
    let project = Project::new()
        .file("broken.json", r#"{"source": }"#)
        .file("mark.json", "\u{feff}{}")
        .file("routes.toml", text.replace("nobody", "portfolio"));
    let command = ["rules", "schedules"];
    let _ = project.alchemiser().call(command).exits(0);
    let project = project.file("routes.toml", text);
    let refused = project.alchemiser().call(["rules", "check"]).exits(2);
    assert_text!("events_of_tests", refused.stderr);
    let tested = project.alchemiser().call(["rules", "test"]).exits(2);
    assert_eq!(tested.stderr, refused.stderr);
}

#[test]
fn what_is_neither_a_file_nor_an_id_cannot_be_explained() {
    let project = Project::new();
    for event in ["nope.json", "@nope.json", "", "events/nope", "[1]"] {
        let refused = project
            .alchemiser()
            .call(["rules", "explain", event, "--json"]);
        let refused = refused.exits(2);
        assert!(refused.line()["error"]["message"].is_string());
        assert!(!refused.stderr.contains("state"), "{}", refused.stderr);
    }
}

/// Cases of patterns alone have nothing to do with a project.
#[test]
fn cases_of_patterns_need_no_project() {
    let project = Project::new()
        .file(
            "patterns.jsonl",
            "\u{feff}{\"pattern\": {\"a\": []}, \"invalid\": true}\n",
        )
        .file("routes.jsonl", "{\"event\": {}, \"targets\": []}\n")
        .file(
            "unknown.jsonl",
            "{\"event\": {}, \"targets\": [\"portfolo\"]}\n[]\n",
        )
        .file("empty.jsonl", "\n\n");
    let call = |file: &str| project.alchemiser().call(["rules", "test", file]);
    let unknown = call("unknown.jsonl").exits(2).stderr;
    assert!(unknown.contains("unknown.jsonl:1: there is no target `portfolo`; did you mean"));
    assert!(
        unknown.contains("unknown.jsonl:2: a case is a JSON object"),
        "{unknown}"
    );
    let empty = call("empty.jsonl").exits(2).stderr;
    assert!(empty.contains("there are no cases"), "{empty}");

    project.remove("routes.toml");
    let passed = call("patterns.jsonl").exits(0).stdout;
    assert_eq!(passed, "1 passed, 0 failed\n");
    let refused = call("routes.jsonl").exits(2).stderr;
    assert!(refused.contains("there is no `routes.toml`"), "{refused}");
}

#[test]
fn what_is_no_text_is_told_with_its_place() {
    let project = Project::new()
        .file("routes.toml", b"targets = {}\nbus = \"\xe9\"\n")
        .file("cases.jsonl", b"\xff");
    let routes = project
        .alchemiser()
        .call(["rules", "check"])
        .exits(2)
        .stderr;
    assert_eq!(
        routes,
        "error: routes.toml:2: this is no UTF-8 text: byte 20 is 0xe9; save it as UTF-8\n"
    );
    let cases = ["rules", "test", "cases.jsonl"];
    let cases = project.alchemiser().call(cases).exits(2).stderr;
    assert!(
        cases.contains("cases.jsonl:1: this is no UTF-8 text"),
        "{cases}"
    );
}

#[test]
#[cfg(unix)]
fn what_has_no_end_is_not_read_to_it() {
    let endless = [
        "rules",
        "match",
        "--pattern",
        "{\"a\":[1]}",
        "--event",
        "/dev/zero",
    ];
    let refused = Project::new().alchemiser().call(endless).exits(2).stderr;
    assert!(
        refused.contains("/dev/zero: this is larger than 16 MiB"),
        "{refused}"
    );
}

#[test]
fn schedules_that_are_over_are_remarked_on() {
    let project = changed("cron(35 9 ? * MON-FRI *)", "cron(35 9 ? * MON-FRI 1999)");
    let enabled = project.alchemiser().with("DAILY_TRADING", "true");
    let summary = enabled.call(["rules", "check", "--json"]).exits(0).line();
    assert_eq!(
        summary["remarks"],
        json!(["schedule `daily-trading` never fires again"])
    );
}
