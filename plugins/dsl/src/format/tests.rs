#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::format;
use crate::reader::read;
use crate::tree::Kind;
use proptest::prelude::*;

/// Everything of a tree but the places.
fn forms(text: &str) -> Vec<(String, u32)> {
    let tree = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    let describe = |kind| match kind {
        Kind::List | Kind::Vector | Kind::Map => format!("{kind:?}"),
        Kind::String(text) => format!("string {:?}", tree.texts.get(text)),
        Kind::Number(index) => format!("number {:?}", tree.numbers[index as usize]),
        Kind::Keyword(text) => format!("keyword {}", tree.texts.get(text)),
        Kind::Symbol(text) => format!("symbol {}", tree.texts.get(text)),
    };
    tree.forms
        .iter()
        .map(|form| (describe(form.kind), form.end))
        .collect()
}

fn formatted(text: &str) -> String {
    format(text.as_bytes()).unwrap()
}

/// The comments in their order.
fn comments(text: &str) -> Vec<&str> {
    let mut comments = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find([';', '"']) {
        rest = &rest[start..];
        let length = if rest.starts_with('"') {
            super::string_length(rest)
        } else {
            let length = rest.find('\n').unwrap_or(rest.len());
            comments.push(rest[..length].trim_end());
            length
        };
        rest = &rest[length..];
    }
    comments
}

#[track_caller]
fn check_round_trip(text: &str) {
    let once = formatted(text);
    assert_eq!(forms(&once), forms(text), "{once}");
    assert_eq!(comments(&once), comments(text), "{once}");
    assert_eq!(formatted(&once), once);
    assert!(once.ends_with('\n') && !once.contains("\n\n\n"), "{once}");
}

#[track_caller]
fn check(text: &str, expected: &str) {
    check_round_trip(text);
    assert_eq!(formatted(text), expected);
}

#[test]
fn what_fits_stands_on_a_line() {
    check(
        "(weight-equal,\n\n  \"A\"   (asset\t\"B\" ) [ ] )",
        "(weight-equal \"A\" (asset \"B\") [])\n",
    );
    check("  \"A\"", "\"A\"\n");
}

#[test]
fn operators_have_their_own_ways_to_break() {
    check(
        r#"(defsymphony "Example" {:rebalance-frequency :daily} (if (> (current-price "SP500")
(moving-average-price "SP500" {:window 200})) (weight-specified 70 (filter (cumulative-return {:window 126})
(select-top 2) [(group "technology" (weight-equal "AAPL" "MSFT")) (group "health" (weight-equal "UNH" "LLY"))])
30 (asset "USMV")) (weight-inverse-volatility 40 "KO" "PG" "JNJ" "PEP" "WMT" "MRK" "LLY" "UNH" "PFE" "HD" "BBY" "XOM")))"#,
        r#"(defsymphony "Example" {:rebalance-frequency :daily}
  (if (> (current-price "SP500") (moving-average-price "SP500" {:window 200}))
    (weight-specified
      70 (filter (cumulative-return {:window 126}) (select-top 2)
           [(group "technology" (weight-equal "AAPL" "MSFT"))
            (group "health" (weight-equal "UNH" "LLY"))])
      30 (asset "USMV"))
    (weight-inverse-volatility 40
      "KO" "PG" "JNJ" "PEP" "WMT" "MRK" "LLY" "UNH" "PFE" "HD" "BBY" "XOM")))
"#,
    );
}

#[test]
fn comments_stay_where_they_belong() {
    check(
        "; top  \n\n\n;; second\n(weight-equal ; all\n\n\n  ; first\n  \"A\" ; a\n\n  \"B\"\n  ; last\n  ) ; end\n; bye",
        "; top\n\n;; second\n(weight-equal ; all\n\n  ; first\n  \"A\" ; a\n\n  \"B\"\n  ; last\n  ) ; end\n; bye\n",
    );
    check("[; c\n\"A\"]", "[; c\n \"A\"]\n");
    check(
        "(if ; why\n(> 1 2) \"A\")",
        "(if ; why\n    (> 1 2)\n  \"A\")\n",
    );
}

#[test]
fn what_cannot_be_read_is_not_formatted() {
    let error = format(b"(weight-equal").unwrap_err();
    assert_eq!(error.class, "ParseError");
    assert!(error.place.is_some());
}

#[test]
fn golden_and_shipped_files_round_trip() {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut files = 0;
    for folder in ["tests/golden/bundled/programs", "strategies"] {
        for entry in std::fs::read_dir(format!("{workspace}/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "clj") {
                continue;
            }
            let text = std::fs::read(&path).unwrap();
            if read(&text).is_ok() {
                check_round_trip(&String::from_utf8(text).unwrap());
                files += 1;
            }
        }
    }
    assert!(files > 60, "{files}");
}

#[test]
fn the_deepest_nesting_is_formatted() {
    let depth = crate::reader::MAXIMUM_DEPTH;
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check_round_trip(&text);
    let names = "(group \"a name\" ".repeat(depth - 1) + "\"A\"" + &")".repeat(depth - 1);
    check_round_trip(&names);
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just(" ".to_owned()),
        2 => Just("\n".to_owned()),
        1 => Just(" \n \r\n\n ".to_owned()),
        1 => Just(" ,\t".to_owned()),
        1 => "[a-z;\"()é ]{0,12}".prop_map(|text| format!(" ;{text}\n")),
        1 => "[a-z]{0,8}".prop_map(|text| format!("\n; {text}\n\n;; more\n")),
    ]
}

fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "\"[A-Z]{1,5}\"",
        1 => r#""[a-z ;()\[]{0,15}\n?[a-z ;()\[]{0,15}""#,
        1 => Just(r#""\"\\ \n""#.to_owned()),
        1 => "-?[0-9]{1,3}(\\.[0-9]{1,3})?",
        1 => ":[a-z]{1,8}",
        2 => prop::sample::select(vec![
            "if", "weight-equal", "weight-specified", "filter", "group", "defsymphony", "asset",
            "weight-inverse-volatility", ">", "rsi", "nothing", "select-top",
        ]).prop_map(str::to_owned),
    ]
}

/// Any forms with anything between them, operators in their places or not.
fn text() -> impl Strategy<Value = String> {
    let form = atom().prop_recursive(6, 60, 8, |inner| {
        let items = prop::collection::vec((inner.clone(), blank()), 0..8).boxed();
        let pairs = prop::collection::vec((inner.clone(), blank(), inner, blank()), 0..4);
        prop_oneof![
            (blank(), items.clone(), atom()).prop_map(|(blank, items, head)| {
                let items: String = items.into_iter().map(|(a, b)| format!("{a}{b}")).collect();
                format!("({head}{blank}{items})")
            }),
            (blank(), items).prop_map(|(blank, items)| {
                let items: String = items.into_iter().map(|(a, b)| format!("{a}{b}")).collect();
                format!("[{blank}{items}]")
            }),
            (blank(), pairs).prop_map(|(blank, pairs)| {
                let pairs: String = pairs
                    .into_iter()
                    .map(|(a, b, c, d)| format!("{a}{b}{c}{d}"))
                    .collect();
                format!("{{{blank}{pairs}}}")
            }),
        ]
    });
    (blank(), form, blank()).prop_map(|(before, form, after)| format!("{before}{form}{after}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn formatting_keeps_forms_and_comments_and_is_stable(text in text()) {
        check_round_trip(&text);
    }
}
