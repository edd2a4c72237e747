#![allow(clippy::unwrap_used)]

use super::{Severity, lint};
use crate::Dsl;
use proptest::prelude::*;

/// Class, place and underlined text of each finding.
fn found(text: &str) -> Vec<String> {
    lint(text.as_bytes())
        .into_iter()
        .map(|finding| {
            let (line, column) = (finding.place.line, finding.place.column);
            let under = &text[finding.span];
            let repeated = match finding.repeated {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            format!("{} {line}:{column} {under}{repeated}", finding.class)
        })
        .collect()
}

#[test]
fn what_is_silent_is_said() {
    for (text, expected) in [
        (r#"(weight-specified 0.6 "A" 0.4 "B")"#, &[][..]),
        (r#"(weight-specified 0.1 "A" 0.2 "B" 0.7 "C")"#, &[]),
        (r#"(weight-specified 60 "A" 40 "B")"#, &[]),
        (
            r#"(weight-specified 0.6 "A" 0.3 "B")"#,
            &["rescaled-weights 1:1 (weight-specified"],
        ),
        (r#"(weight-specified 1 "A" 0 "B")"#, &["zero-weight 1:25 0"]),
        (
            r#"(filter (rsi) (select-top 2) ["A" (if (> (rsi "A") 5) ["B" "C"] "D")])"#,
            &[],
        ),
        (
            r#"(filter (rsi) (select-top 3) ["A" (if (> (rsi "A") 5) ["B" "C"] "D")])"#,
            &["select-all 1:15 (select-top"],
        ),
        (
            r#"(filter (rsi) (select-bottom 2) [["A" (asset "b" "name")] "B"])"#,
            &[
                "select-all 1:15 (select-bottom",
                "respelt-symbol 1:46 \"b\"",
                "repeated-candidate 1:59 \"B\"",
            ],
        ),
        (r#"(filter (rsi) ["A" "B"])"#, &["no-selection 1:1 (filter"]),
        (
            r#"(weight-inverse-volatility 5 "A" ["B" "A"])"#,
            &["repeated-candidate 1:39 \"A\""],
        ),
        (
            "(group \"g\" (weight-equal \"A\")\n  \"B\" \"C\")",
            &["ignored-portfolio 1:12 (weight-equal and 1 more"],
        ),
        (r#"(if (> 1 2) "A" "B")"#, &["constant-condition 1:5 (>"]),
        (
            r#"(if (> (rsi "A" {:window 10}) (rsi "A" { :window 10 })) "A" "B")"#,
            &["constant-condition 1:5 (>"],
        ),
        (
            r#"(if (= (rsi "spy") 50) ["A"] [ "A", ])"#,
            &[
                "same-branches 1:1 (if",
                "exact-equality 1:5 (=",
                "respelt-symbol 1:13 \"spy\"",
            ],
        ),
        (
            r#"(if (> (rsi "A") 50) [])"#,
            &["no-else 1:1 (if", "empty-vector 1:22 ["],
        ),
        (
            r#"(defsymphony "n" {:rebalance-frequency :daily :asset-class "EQUITIES"} "A")"#,
            &[],
        ),
        (
            r#"(defsymphony "n" {:rebalance-frequency :monthly :x (if)} "A")"#,
            &["ignored-setting 1:19 :rebalance-frequency"],
        ),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn errors_stand_alone_and_have_places() {
    for (text, expected) in [
        (
            "(weight-equal\n  (grup \"é\" \"A\") 5)",
            &["UnknownOperator 2:3 (grup", "ArgumentError 2:18 5"][..],
        ),
        ("(group \"é\" é)", &["ParseError 1:12 é"]),
        ("(\"é\n\" [", &["ParseError 2:3 ["]),
        ("\"abc\ndef", &["ParseError 1:1 \"abc"]),
        ("", &["ParseError 1:1 "]),
        ("[\n", &["ParseError 1:1 ["]),
    ] {
        assert_eq!(found(text), expected, "{text}");
        let findings = lint(text.as_bytes());
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Error)
        );
    }
    let finding = lint(b"(\xff)").remove(0);
    assert_eq!((finding.place.column, finding.span), (2, 1..2));
}

#[test]
fn golden_files_are_linted() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/bundled/programs"
    );
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        check(&text);
    }
}

/// Findings lie within the text, and there are errors exactly when it is
/// refused.
#[track_caller]
fn check(text: &[u8]) {
    let findings = lint(text);
    let is_refused = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    assert_eq!(is_refused, Dsl::read(text).is_err());
    for finding in findings {
        assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_linted(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "(", ")", "[", "]", "{", "}", "if", "filter", "(rsi)", "(select-top 1)", "\"A\"",
                "group", "weight-equal", "0.5", "\n", "\"é", ";é\n", ":window", "(> 1 2)", "\u{7f}",
            ]),
            0..30,
        ),
    ) {
        check(tokens.join(" ").as_bytes());
    }
}
