//! `alchemiser strategy`: what it says of files, and what it makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::{Alchemiser, Project, workspace};
use serde_json::json;
use std::collections::BTreeSet;

/// Compares text with what was read and found good.
macro_rules! assert_text {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

/// Legal, and hardly what somebody meant.
const SILENT: &str = r#"; leave this here
(defsymphony "Silent" {:rebalance-frequency :monthly}
  (if (> (rsi "sp500" {:window 10}) 70)
    (weight-specified 0.6 "AAPL" 0.3 "MSFT" 0 "KO")
    (group "rest"
      "XOM"
      (filter (cumulative-return {:window 20}) (select-top 4)
        ["JNJ" "PG" "JNJ"]))))
"#;

/// Three mistakes, one of them behind a branch that is never taken.
const WRONG: &str = r#"(if (> 1 2)
  (weight-equl "AAPL" "é")
  (filter (rsi {:window 10}) (select-top 0)
    [(weight-specified 0.5 "A" -0.5 "B")]))
"#;

const SHIPPED: [&str; 3] = ["trend", "rotation", "balance"];

fn shipped(name: &str) -> String {
    format!("strategies/{name}.clj")
}

#[test]
fn shipped_files_leave_nothing_to_say() {
    let alchemiser = Alchemiser::shipped();
    let files = SHIPPED.map(shipped);
    let lint = ["strategy", "lint", "--deny-warnings"];
    let lint = lint.into_iter().chain(files.iter().map(String::as_str));
    assert_text!("lint_shipped", alchemiser.call(lint).exits(0).stdout);
    let check = ["strategy", "format", "--check"];
    let check = check.into_iter().chain(files.iter().map(String::as_str));
    assert_eq!(alchemiser.call(check).exits(0).stdout, "");
}

#[test]
fn silent_things_are_said() {
    let project = Project::new().file("silent.clj", SILENT);
    let lint = ["strategy", "lint", "silent.clj"];
    let said = project.alchemiser().call(lint).exits(0);
    assert_eq!(said.stderr, "");
    assert_text!("lint_warnings", said.stdout);
    let denied = [&lint[..], &["--deny-warnings", "--json"]].concat();
    let lines = project.alchemiser().call(denied).exits(1).lines();
    let (summary, findings) = lines.split_last().unwrap();
    assert_eq!(
        summary,
        &json!({"file": "silent.clj", "errors": 0, "warnings": findings.len()})
    );
    let rescaled = findings
        .iter()
        .find(|finding| finding["class"] == "rescaled-weights")
        .unwrap();
    assert_eq!(
        (&rescaled["line"], &rescaled["column"]),
        (&json!(4), &json!(5))
    );
    assert_eq!(rescaled["severity"], "warning");
}

#[test]
fn mistakes_have_carets() {
    let project = Project::new()
        .file("wrong.clj", WRONG)
        .file("open.clj", "(weight-equal\n  (asset \"AAPL\"\n");
    let lint = ["strategy", "lint", "wrong.clj", "open.clj"];
    let refused = project.alchemiser().call(lint).exits(2);
    assert_eq!(refused.stderr, "");
    assert!(!refused.stdout.contains('\u{1b}'), "{}", refused.stdout);
    assert_text!("lint_errors", refused.stdout);
    let json = ["strategy", "lint", "wrong.clj", "--json"];
    let lines = project.alchemiser().call(json).exits(2).lines();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["class"], "UnknownOperator");
    assert_eq!(lines[3]["errors"], 3);

    let missing = ["strategy", "lint", "missing.clj"];
    let missing = project.alchemiser().call(missing).exits(2);
    assert_text!("lint_missing", missing.stderr);
}

#[test]
fn files_are_laid_out_in_place() {
    let crowded = SILENT
        .replace("\n    ", " ")
        .replace("    (group", "(group");
    let project = Project::new()
        .file("mine.clj", &crowded)
        .file("done.clj", "(asset \"AAPL\")\n");
    let alchemiser = project.alchemiser();
    let read = |file: &str| std::fs::read_to_string(project.path().join(file)).unwrap();
    let format = |more: &[&str]| {
        let arguments = ["strategy", "format"].iter().chain(more);
        alchemiser.call(arguments)
    };

    let both = ["mine.clj", "done.clj"];
    let check = format(&["--check", both[0], both[1]]).exits(1);
    assert_eq!(check.stdout, "mine.clj: would be formatted\n");
    assert_eq!(read("mine.clj"), crowded);

    assert_eq!(format(&both).exits(0).stdout, "mine.clj: formatted\n");
    let formatted = read("mine.clj");
    assert_text!("formatted", formatted);
    assert!(formatted.starts_with("; leave this here\n"));
    assert_eq!(format(&both).exits(0).stdout, "");
    assert_eq!(format(&["--check", both[0], both[1]]).exits(0).stdout, "");
    assert_eq!(read("mine.clj"), formatted);

    let piped = alchemiser.call_with(["strategy", "format", "-"], &crowded);
    assert_eq!(piped.exits(0).stdout, formatted);
    let changed = alchemiser.call_with(["strategy", "format", "--check", "-"], &crowded);
    assert_eq!(changed.exits(1).stdout, "stdin: would be formatted\n");
}

/// Nothing is begun when anything is refused.
#[test]
fn what_cannot_be_read_is_left_alone() {
    let broken = "(weight-equal\n   \"AAPL\"\n";
    let project = Project::new()
        .file("mine.clj", "[ \"AAPL\" ]")
        .file("broken.clj", broken);
    let format = ["strategy", "format", "mine.clj", "broken.clj"];
    let refused = project.alchemiser().call(format).exits(2);
    assert_eq!(refused.stdout, "");
    assert_text!("format_refused", refused.stderr);
    for (file, content) in [("mine.clj", "[ \"AAPL\" ]"), ("broken.clj", broken)] {
        let found = std::fs::read_to_string(project.path().join(file)).unwrap();
        assert_eq!(found, content);
    }
}

/// Laid out anew, a file means the same.
#[test]
fn a_layout_has_no_influence() {
    let project = Project::new();
    let text = std::fs::read_to_string(workspace().join(shipped("rotation"))).unwrap();
    let (_, text) = text.split_once("\n(").unwrap();
    let crowded = format!("({}", text.split_whitespace().collect::<Vec<_>>().join(" "));
    let project = project.file("crowded.clj", crowded);
    let evaluate = |file: &str| {
        let dates = ["--date", "2016-06-24", "--date", "2022-12-28", "--json"];
        let arguments = [&["evaluate", file], &dates[..]].concat();
        let lines = project.alchemiser().call(arguments).exits(0).lines();
        lines
            .into_iter()
            .map(|line| line["weights"].clone())
            .collect::<Vec<_>>()
    };
    let before = evaluate("crowded.clj");
    let format = ["strategy", "format", "crowded.clj"];
    assert!(
        project
            .alchemiser()
            .call(format)
            .exits(0)
            .stdout
            .contains("formatted")
    );
    assert_eq!(evaluate("crowded.clj"), before);
    assert_eq!(evaluate("strategies/rotation.clj"), before);
}

/// The texts in boxes of the path taken.
fn taken(svg: &str) -> BTreeSet<&str> {
    let mut taken = BTreeSet::new();
    for group in svg.split("<g class=\"taken").skip(1) {
        let (group, _) = group.split_once("</g>").unwrap();
        let (_, text) = group.split_once("<text").unwrap();
        let (_, text) = text.split_once('>').unwrap();
        let (text, _) = text.split_once("</text>").unwrap();
        taken.insert(text.trim());
    }
    taken
}

#[test]
fn pictures_show_the_path_taken() {
    let alchemiser = Alchemiser::shipped();
    let symbol = |text: &&str| {
        let is_symbol = |character: char| character.is_ascii_uppercase() || character == '.';
        text.chars().all(is_symbol)
    };
    for strategy in SHIPPED {
        let file = shipped(strategy);
        for date in ["2016-06-24", "2020-03-16", "2022-12-28"] {
            let evaluate = ["evaluate", strategy, "--date", date, "--json"];
            let held = alchemiser.call(evaluate).exits(0).line();
            let held: BTreeSet<&str> = held["weights"]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let graph = ["strategy", "graph", &file, "--date", date];
            let svg = alchemiser.call(graph).exits(0).stdout;
            let found: BTreeSet<&str> = taken(&svg).into_iter().filter(symbol).collect();
            assert_eq!(found, held, "{strategy} {date}");
        }
        let svg = alchemiser.call(["strategy", "graph", &file]).exits(0);
        assert!(taken(&svg.stdout).is_empty());
    }
}

#[test]
fn a_picture() {
    let strategy = r#"(if (> (current-price "SP500") 3000)
  (weight-specified 70 (group "<&>" "AAPL") 30 (filter (rsi {:window 5}) (select-top 1) ["KO" "PG"]))
  "USMV")"#;
    let project = Project::new().file("small.clj", strategy);
    let alchemiser = project.alchemiser();
    let graph = ["strategy", "graph", "small.clj", "--date", "2022-12-28"];
    let svg = alchemiser.call(graph).exits(0).stdout;
    assert_text!("graph", svg);
    let to_file = [&graph[..], &["--output", "small.svg"]].concat();
    assert_eq!(alchemiser.call(to_file).exits(0).stdout, "small.svg\n");
    let written = std::fs::read_to_string(project.path().join("small.svg")).unwrap();
    assert_eq!(written, svg);

    let project = project.file("wrong.clj", WRONG);
    let refused = project.alchemiser();
    let refused = refused.call(["strategy", "graph", "wrong.clj"]).exits(2);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("did you mean `weight-equal`?"));
}
