//! Reading `routes.toml`, and the deliveries that follow from it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use alchemiser_rules::{Case, Routes, RuleName, Surroundings, TargetKind, TargetName, TestEvent};
use serde_json::{Value, json};

const SHIPPED: &str = include_str!("../../../routes.toml");

fn shipped() -> Routes {
    Routes::parse(SHIPPED, "routes.toml").unwrap()
}

fn envelope(source: &str, detail_type: &str) -> Value {
    json!({"source": source, "detail-type": detail_type, "detail": {}})
}

fn delivered(routes: &Routes, envelope: &Value) -> Vec<(String, String)> {
    routes
        .deliveries(envelope)
        .into_iter()
        .map(|delivery| (delivery.target.to_string(), delivery.rule.name.to_string()))
        .collect()
}

#[test]
fn the_shipped_routes_send_each_event_to_one_handler() {
    let routes = shipped();
    let table = [
        (
            "orchestration",
            "WorkflowStarted",
            "strategy",
            "workflow-started",
            3600,
        ),
        (
            "strategy",
            "SignalGenerated",
            "portfolio",
            "signal-generated",
            3600,
        ),
        (
            "portfolio",
            "RebalancePlanned",
            "execution",
            "rebalance-planned",
            600,
        ),
        (
            "execution",
            "TradeExecuted",
            "orchestrator",
            "trade-executed",
            1800,
        ),
        (
            "strategy",
            "WorkflowFailed",
            "orchestrator",
            "workflow-failed",
            3600,
        ),
        (
            "portfolio",
            "WorkflowFailed",
            "orchestrator",
            "workflow-failed",
            3600,
        ),
        (
            "execution",
            "WorkflowFailed",
            "orchestrator",
            "workflow-failed",
            3600,
        ),
        (
            "orchestration",
            "WorkflowFailed",
            "orchestrator",
            "workflow-failed",
            3600,
        ),
        (
            "orchestration",
            "TradingNotificationRequested",
            "notifier",
            "trading-notification",
            3600,
        ),
        (
            "notifications",
            "ErrorNotificationRequested",
            "notifier",
            "error-notification",
            3600,
        ),
        (
            "execution",
            "SystemNotificationRequested",
            "notifier",
            "system-notification",
            3600,
        ),
    ];
    for (module, detail_type, target, rule, max_age) in table {
        let event = envelope(&format!("alchemiser.{module}"), detail_type);
        assert_eq!(
            delivered(&routes, &event),
            [(target.to_owned(), rule.to_owned())],
            "{module} {detail_type}"
        );
        let rule = routes.rule(&RuleName::new(rule).unwrap()).unwrap();
        assert_eq!(rule.retry.attempts, 3);
        assert_eq!(rule.retry.max_age, Duration::from_secs(max_age));
    }
    assert_eq!(routes.rules().len(), 9);
}

#[test]
fn the_audit_rule_matches_everything_of_ours_and_delivers_nothing() {
    let routes = shipped();
    let completed = envelope("alchemiser.orchestration", "WorkflowCompleted");
    let matching: Vec<_> = routes
        .matching(completed.to_string().as_bytes())
        .unwrap()
        .into_iter()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(matching, ["audit"]);
    assert_eq!(delivered(&routes, &completed), []);
    assert_eq!(
        routes.target_kind(&TargetName::new("audit").unwrap()),
        Some(TargetKind::Log)
    );
    let other = envelope("other", "WorkflowStarted").to_string();
    assert_eq!(routes.matching(other.as_bytes()), Ok(Vec::new()));
}

#[test]
fn each_target_gets_an_event_once_in_the_order_of_the_file() {
    let routes = Routes::parse(
        r#"
        targets = { one.kind = "handler", two.kind = "handler" }
        rule = [
            { name = "off", pattern = { a = [1] }, target = "two", enabled = false },
            { name = "first", pattern = { a = [1] }, target = "two", retry_attempts = 0 },
            { name = "second", pattern = { a = [1, 2] }, target = "one" },
            { name = "third", pattern = { a = [1] }, target = "two", retry_attempts = 9 },
        ]
        "#,
        "routes.toml",
    )
    .unwrap();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(target, rule)| ((*target).into(), (*rule).into()))
            .collect()
    };
    assert_eq!(
        delivered(&routes, &json!({"a": 1})),
        pairs(&[("two", "first"), ("one", "second")])
    );
    assert_eq!(
        delivered(&routes, &json!({"a": 2})),
        pairs(&[("one", "second")])
    );
    assert_eq!(delivered(&routes, &json!({"a": 3})), []);
}

#[test]
fn what_is_left_out_has_eventbridges_defaults() {
    let routes = Routes::parse(
        "[targets.t]\nkind = \"handler\"\n[[rule]]\nname = \"r\"\ntarget = \"t\"\npattern.a = [1]\n",
        "routes.toml",
    )
    .unwrap();
    let rule = &routes.rules()[0];
    assert!(rule.enabled);
    assert_eq!(rule.description, None);
    assert_eq!(rule.line, 3);
    assert_eq!(rule.retry.attempts, 185);
    assert_eq!(rule.retry.max_age, Duration::from_secs(86_400));
}

#[test]
fn a_pattern_may_be_eventbridges_own_json() {
    let routes = Routes::parse(
        r#"
        targets.t.kind = "handler"
        [[rule]]
        name = "r"
        target = "t"
        pattern = '{"detail": {"parent": [null, {"prefix": "wf-"}]}}'
        "#,
        "routes.toml",
    )
    .unwrap();
    assert_eq!(
        routes
            .deliveries(&json!({"detail": {"parent": null}}))
            .len(),
        1
    );
    assert_eq!(
        routes
            .deliveries(&json!({"detail": {"parent": "wf-1"}}))
            .len(),
        1
    );
    assert_eq!(routes.deliveries(&json!({"detail": {}})).len(), 0);
}

/// Every mistake of each file is reported in one run; the snapshots show how.
#[test]
fn mistakes_are_reported_all_at_once() {
    let files = [
        (
            "keys_and_types",
            include_str!("mistakes/keys_and_types.toml"),
        ),
        ("patterns", include_str!("mistakes/patterns.toml")),
        ("operators", include_str!("mistakes/operators.toml")),
        ("syntax", include_str!("mistakes/syntax.toml")),
        ("bracket", include_str!("mistakes/bracket.toml")),
        ("schedules", include_str!("mistakes/schedules.toml")),
        ("tests", include_str!("mistakes/tests.toml")),
        ("environment", include_str!("mistakes/environment.toml")),
        (
            "tables_twice",
            "[targets.t]\nkind = \"log\"\n[targets.t]\nkind = \"log\"\n",
        ),
        ("nothing", ""),
        ("not_a_list", "targets = 3\n[rule]\nname = \"x\"\n"),
        ("no_list", "targets.t.kind = \"log\"\nrule = 3\n"),
        ("byte_order_mark", "\u{feff}targets = 3\nrule = []\n"),
        ("strings", include_str!("mistakes/strings.toml")),
    ];
    for (name, text) in files {
        let environment = |name: &str| match name {
            "YES" => Some("yes".to_owned()),
            "ZONE" => Some("Europe/Londn".to_owned()),
            _ => None,
        };
        let surroundings = Surroundings {
            environment: &environment,
            event_file: Some(&|path| match path.to_str() {
                Some("event.json") => Ok(b"{}".to_vec()),
                Some("list.json") => Ok(b"[]".to_vec()),
                _ => Err("there is no such file".to_owned()),
            }),
        };
        let error = Routes::parse_in(text, "routes.toml", surroundings).unwrap_err();
        insta::assert_snapshot!(name, error);
    }
}

#[test]
fn a_mistake_spans_what_is_wrong() {
    let text = SHIPPED.replace("target = \"portfolio\"", "target = \"portefeuille\"");
    let error = Routes::parse(&text, "routes.toml").unwrap_err();
    assert_eq!(error.mistakes.len(), 1);
    let mistake = &error.mistakes[0];
    assert_eq!(&text[mistake.span.clone()], "\"portefeuille\"");
    assert_eq!(mistake.entry.as_ref().unwrap().name, "signal-generated");
}

#[test]
fn the_environment_is_filled_in_where_the_file_asks_for_it() {
    let text = r#"
        bus = "${BUS:-trading}-${STAGE}"
        targets.t.kind = "handler"
        targets.command.kind = "command"
        rule = [
            { name = "ours", pattern = { a = [1] }, target = "t" },
            { name = "theirs", bus = "default", pattern = { a = [1] }, target = "t" },
        ]
        [[schedule]]
        name = "daily"
        expression = "cron(35 9 ? * MON-FRI *)"
        time_zone = "${ZONE:-America/New_York}"
        enabled = "${DAILY:-false}"
        target = "command"
        input = { mode = "trade", limits = [1, 2.5, true] }
        retry_attempts = 1
    "#;
    let read = |daily: Option<&str>| {
        let environment = |name: &str| match name {
            "STAGE" => Some("dev".to_owned()),
            "ZONE" => Some(String::new()),
            "DAILY" => daily.map(str::to_owned),
            _ => None,
        };
        let surroundings = Surroundings {
            environment: &environment,
            ..Surroundings::default()
        };
        Routes::parse_in(text, "routes.toml", surroundings).unwrap()
    };
    let routes = read(None);
    assert_eq!(routes.bus().as_str(), "trading-dev");
    let in_force: Vec<&str> = routes
        .rules_in_force()
        .map(|rule| rule.name.as_str())
        .collect();
    assert_eq!(in_force, ["ours"]);
    assert_eq!(
        routes.deliveries(&json!({"a": 1}))[0].rule.name.as_str(),
        "ours"
    );

    let schedule = &routes.schedules()[0];
    assert!(!schedule.enabled);
    assert!(read(Some("true")).schedules()[0].enabled);
    assert_eq!(schedule.zone.name(), "America/New_York");
    assert_eq!(schedule.expression.as_str(), "cron(35 9 ? * MON-FRI *)");
    assert_eq!(schedule.retry.attempts, 1);
    assert_eq!(
        json!(schedule.input),
        json!({"mode": "trade", "limits": [1, 2.5, true]})
    );
}

#[test]
fn each_rule_has_a_verdict() {
    let routes = Routes::parse(
        r#"
        targets = { one.kind = "handler", log.kind = "log" }
        rule = [
            { name = "off", pattern = { a = [1] }, target = "one", enabled = false },
            { name = "first", pattern = { a = [1] }, target = "one" },
            { name = "second", pattern = { a = [1, 2] }, target = "one" },
            { name = "third", pattern = { a = [2], b = [1] }, target = "one" },
            { name = "elsewhere", bus = "default", pattern = { a = [1] }, target = "one" },
            { name = "all", pattern = { a = [{ exists = true }] }, target = "log" },
        ]
        "#,
        "routes.toml",
    )
    .unwrap();
    let verdicts: Vec<String> = routes
        .explain(br#"{"a": 1}"#)
        .unwrap()
        .into_iter()
        .map(|(rule, verdict)| format!("{} {verdict}", rule.name))
        .collect();
    assert_eq!(
        verdicts,
        [
            "off is disabled",
            "first matches",
            "second matches; rule `first` before it sends the event there",
            "third does not match: field `a`: asked for [2], and there is 1",
            "elsewhere listens on another bus",
            "all matches; the archive is the log, nothing is delivered",
        ]
    );
}

/// What a file costs grows with its length and no faster: each rule and each
/// mistake has a line, and none is counted from the beginning.
#[test]
fn a_long_file_is_read_in_time() {
    let rules = |count: usize, target: &str| -> String {
        let rule = |index| {
            format!("[[rule]]\nname = \"r{index}\"\ntarget = \"{target}\"\npattern.a = [{index}]\n")
        };
        let rules: String = (0..count).map(rule).collect();
        format!("targets.t.kind = \"handler\"\n{rules}")
    };
    let time = |text: &str| {
        let fastest = (0..3).map(|_| {
            let start = Instant::now();
            let _ = Routes::parse(text, "routes.toml");
            start.elapsed()
        });
        fastest.min().unwrap()
    };
    for target in ["t", "u"] {
        let (short, long) = (time(&rules(1_000, target)), time(&rules(16_000, target)));
        assert!(long < short * 64, "{short:?} and {long:?}");
    }
}

/// What an event may be does not depend on where it stands.
#[test]
fn the_event_of_a_test_may_be_whatever_can_be_matched() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(900), "]".repeat(900));
    for event in [r#"{"a": 1e400}"#, r#"{"a": "\ud800"}"#, &deep] {
        let text = format!(
            "targets.t.kind = \"handler\"\n[[rule]]\nname = \"r\"\ntarget = \"t\"\n\
             pattern.a = [{{ exists = true }}]\n\
             [[test]]\nname = \"n\"\ntargets = [\"t\"]\nevent = '{event}'\n"
        );
        let routes = Routes::parse(&text, "routes.toml").unwrap();
        let test = &routes.tests()[0];
        assert_eq!(test.event, TestEvent::Json(event.to_owned()));
        Case::from(test).run(&routes, event.as_bytes()).unwrap();
    }
}
