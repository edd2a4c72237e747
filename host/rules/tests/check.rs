//! What `check` finds in routes that are well-formed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_rules::{EventKind, Flow, Routes, Step, TargetName, check, narrowings};

/// An event kind from `source/Type`.
fn kind(text: &str) -> EventKind {
    let (source, detail_type) = text.split_once('/').unwrap();
    EventKind::new(source, detail_type)
}

/// Steps from lines `source/Type target: emitted, emitted`.
fn flow(commands: &str, terminal: &str, steps: &[&str]) -> Flow {
    let kinds = |list: &str| -> Vec<EventKind> {
        list.split(", ")
            .filter(|text| !text.is_empty())
            .map(kind)
            .collect()
    };
    Flow {
        commands: kinds(commands),
        terminal: kinds(terminal),
        steps: steps
            .iter()
            .map(|step| {
                let (taken, emits) = step.split_once(':').unwrap();
                let (input, target) = taken.split_once(' ').unwrap();
                Step {
                    input: kind(input),
                    target: TargetName::new(target).unwrap(),
                    emits: kinds(emits.trim()),
                }
            })
            .collect(),
    }
}

/// Routes from lines `name source/Type target`; a source may end with `*`.
fn routes(rules: &[&str]) -> Routes {
    let mut text = String::from(
        "targets = { a.kind = \"handler\", b.kind = \"handler\", log.kind = \"log\" }\n",
    );
    for rule in rules {
        let [name, event, target] = rule.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (source, detail_type) = event.split_once('/').unwrap();
        let source = match source.strip_suffix('*') {
            Some(prefix) => format!("{{ prefix = \"{prefix}\" }}"),
            None => format!("\"{source}\""),
        };
        let detail_type = match detail_type {
            "" => String::new(),
            _ => format!(", detail-type = [\"{detail_type}\"]"),
        };
        text += &format!(
            "[[rule]]\nname = \"{name}\"\ntarget = \"{target}\"\n\
             pattern = {{ source = [{source}]{detail_type} }}\n"
        );
    }
    Routes::parse(&text, "routes.toml").unwrap()
}

fn found(routes: &Routes, flow: &Flow) -> Vec<String> {
    check(routes, flow)
        .iter()
        .map(|finding| match finding.place() {
            Some(place) => format!("line {}: {finding}", place.line),
            None => finding.to_string(),
        })
        .collect()
}

#[test]
fn a_flow_that_is_routed_to_its_end_has_no_findings() {
    let flow = flow("x/Go", "x/Done", &["x/Go a: y/Next", "y/Next b: x/Done"]);
    let routes = routes(&["one x/Go a", "two y/Next b", "all x*/ log"]);
    assert_eq!(found(&routes, &flow), [""; 0]);
}

#[test]
fn each_kind_of_finding_is_found() {
    let table: [(&str, &[&str], Flow, &[&str]); 8] = [
        (
            "a rule to a target that is no handler's",
            &["one x/Go a", "two x/Go b"],
            flow("x/Go", "", &["x/Go a:"]),
            &["line 6: rule `two` sends to `b`, and there is no such handler"],
        ),
        (
            "a source that nobody publishes under",
            &["one x/Go a", "two z/Go b", "three w*/Go b"],
            flow("x/Go", "", &["x/Go a:", "x/Stop b:"]),
            &[
                "line 6: rule `two` names the source `z`, and nobody publishes under it",
                "line 10: rule `three` names the source `w…`, and nobody publishes under it",
            ],
        ),
        (
            "a rule that matches nothing",
            &["one x/Go a", "two x/Gone a"],
            flow("x/Go", "", &["x/Go a:"]),
            &["line 6: rule `two` matches no event that anybody publishes"],
        ),
        (
            "an event that nobody handles, a log aside",
            &["one x/Go a", "all x/ log"],
            flow("x/Go", "", &["x/Go a: x/Lost"]),
            &["`Lost` from `x` is published, and nobody handles it"],
        ),
        (
            "an event that a handler takes and no rule sends there",
            &["one x/Go a"],
            flow("x/Go", "", &["x/Go a:", "x/Go b:"]),
            &["`Go` from `x` is published and `b` takes it, but no rule sends it there"],
        ),
        (
            "an event sent where it is not taken",
            &["one x/Go a", "two x/Go b"],
            flow("x/Go, x/Other", "x/Other", &["x/Go a:", "x/Stop b:"]),
            &["line 6: rule `two` sends `Go` from `x` to `b`, which does not take it"],
        ),
        (
            "two rules that send one event to one target",
            &["one x/Go a", "two x*/Go a"],
            flow("x/Go", "", &["x/Go a:"]),
            &["line 6: rule `two` sends `Go` from `x` to `a`, which rule `one` does already"],
        ),
        (
            "a loop through two handlers",
            &["one x/Go a", "two x/Next b"],
            flow("x/Go", "", &["x/Go a: x/Next", "x/Next b: x/Go"]),
            &["events go round in a loop: `Go` → `Next` → `Go`"],
        ),
    ];
    for (what, rules, flow, expected) in table {
        assert_eq!(found(&routes(rules), &flow), expected, "{what}");
    }
}

#[test]
fn events_that_no_rule_carries_back_make_no_loop() {
    let flow = flow("x/Go", "", &["x/Go a: x/Next", "x/Next b: x/Go"]);
    let findings = found(&routes(&["one x/Go a"]), &flow);
    assert_eq!(
        findings,
        ["`Next` from `x` is published and `b` takes it, but no rule sends it there"]
    );
}

#[test]
fn a_loop_beside_a_long_way_is_found_once() {
    let steps = ["x/C a: x/A", "x/A a: x/B, x/D", "x/B a: x/C", "x/D a: x/D"];
    let flow = flow("x/A", "", &steps);
    let findings = found(&routes(&["one x/ a"]), &flow);
    assert_eq!(
        findings,
        [
            "events go round in a loop: `A` → `B` → `C` → `A`",
            "events go round in a loop: `D` → `D`",
        ]
    );
}

#[test]
fn sources_are_understood_in_every_operator() {
    let table: [(&str, &[&str]); 9] = [
        (r#"source = [{ suffix = ".x" }]"#, &[]),
        (r#"source = [{ wildcard = "a*x" }]"#, &[]),
        (r#"source = [{ equals-ignore-case = "A.X" }]"#, &[]),
        (r#"source = [{ anything-but = "b" }]"#, &[]),
        (
            r#""$or" = [{ source = ["a.x"] }, { detail-type = ["Stop"] }]"#,
            &[],
        ),
        (
            r#"source = [{ suffix = ".y" }]"#,
            &["line 2: rule `one` names the source `….y`, and nobody publishes under it"],
        ),
        (
            r#"source = [{ wildcard = "b*" }]"#,
            &[
                r#"line 2: rule `one` names the source `{"wildcard":"b*"}`, and nobody publishes under it"#,
            ],
        ),
        (
            r#""$or" = [{ source = ["a.x"], detail-type = ["Stop"] }, { source = ["b"] }]"#,
            &["line 2: rule `one` names the source `b`, and nobody publishes under it"],
        ),
        (
            r#"source = ["a.x"], detail-type = [{ exists = false }]"#,
            &["line 2: rule `one` matches no event that anybody publishes"],
        ),
    ];
    for (pattern, expected) in table {
        let text = format!(
            "targets.a.kind = \"log\"\n[[rule]]\nname = \"one\"\ntarget = \"a\"\n\
             pattern = {{ {pattern} }}\n"
        );
        let routes = Routes::parse(&text, "routes.toml").unwrap();
        let flow = flow("a.x/Go", "a.x/Go", &[]);
        assert_eq!(found(&routes, &flow), expected, "{pattern}");
    }
}

/// Routes with one rule to `a` for each pattern.
fn patterns(patterns: &[&str]) -> Routes {
    let mut text = String::from("targets.a.kind = \"handler\"\n");
    for (number, pattern) in patterns.iter().enumerate() {
        text +=
            &format!("[[rule]]\nname = \"{number}\"\ntarget = \"a\"\npattern = {{ {pattern} }}\n");
    }
    Routes::parse(&text, "routes.toml").unwrap()
}

#[test]
fn a_field_that_no_event_has_is_found() {
    let flow = flow("x/Go", "", &["x/Go a:"]);
    let routes = patterns(&[
        "detail-tpe = [\"Go\"], replay-name = [{ exists = false }]",
        "detail-type = [\"Go\"], \"$or\" = [{ sorce = [\"x\"] }, { details = { a = [1] } }]",
    ]);
    let unknown: Vec<String> = found(&routes, &flow)
        .into_iter()
        .filter(|finding| finding.contains("the field"))
        .collect();
    assert_eq!(
        unknown,
        [
            "line 2: rule `0` names the field `detail-tpe`, which no event has; \
             did you mean `detail-type`?",
            "line 6: rule `1` names the field `details`, which no event has; \
             did you mean `detail`?",
            "line 6: rule `1` names the field `sorce`, which no event has; \
             did you mean `source`?",
        ]
    );
}

#[test]
fn rules_that_send_only_some_events_are_told() {
    let flow = flow("x/Go", "", &["x/Go a:"]);
    let narrow = "source = [\"x\"], detail = { side = [\"BUY\"] }, account = [\"1\"]";
    let told = |routes: &Routes| -> Vec<String> {
        let narrowings = narrowings(routes, &flow);
        narrowings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(&patterns(&[narrow])),
        [
            "rule `0` sends `Go` from `x` to `a` only where `account`, `detail.side` matches; \
          no rule sends the others there"
        ]
    );
    assert_eq!(told(&patterns(&[narrow, "source = [\"x\"]"])), [""; 0]);
}

/// Patterns of which no event can be what they ask, whoever publishes it.
#[test]
fn a_rule_that_asks_for_what_no_event_has_never_matches() {
    let flow = flow("x/Go", "", &["x/Go a:"]);
    let never = [
        "version = [0]",
        "version = [\"1\"]",
        "source = [{ exists = false }]",
        "source = [0]",
        "id = [{ exists = false }]",
        "time = [{ numeric = [\">\", 0] }]",
        "account = [5, true]",
        "detail = [\"x\"]",
        "detail = [{ exists = true }]",
        "resources = [1]",
        "replay-name = [7]",
        "source.x = [\"x\"]",
        "\"source.x\" = [\"x\"]",
        "region = { x = [{ anything-but = [\"x\"] }] }",
        "\"$or\" = [{ id = [1] }, { detail-type = [\"Stop\"] }]",
    ];
    let sometimes = [
        "version = [\"0\"]",
        "id = [{ prefix = \"go-\" }, 1]",
        "resources = [{ exists = true }]",
        "replay-name = [{ exists = false }]",
        "replay-name = [\"again\"]",
        "detail = [{ exists = false }]",
        "detail = { a = [1, { exists = false }] }",
        "source.x = [\"x\", { exists = false }]",
        "\"$or\" = [{ id = [1] }, { detail-type = [\"Go\"] }]",
    ];
    for pattern in never {
        assert_eq!(
            found(&patterns(&["detail-type = [\"Go\"]", pattern]), &flow),
            ["line 6: rule `1` matches no event that anybody publishes"],
            "{pattern}"
        );
    }
    for pattern in sometimes {
        assert_eq!(found(&patterns(&[pattern]), &flow), [""; 0], "{pattern}");
    }
    // What asks for nothing that is not so anyway leaves no event out.
    assert_eq!(narrowings(&patterns(&["version = [\"0\"]"]), &flow), []);
}
