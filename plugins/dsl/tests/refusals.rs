//! What is refused when a file is read, and where.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_sdk::{Error, Files, NoParameters, Strategy};
use dsl::Dsl;

fn problems(text: &[u8]) -> Vec<Error> {
    match Dsl::read(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

/// Class and place of each problem, such as `ParseError 1:14`.
fn summary(text: &[u8]) -> Vec<String> {
    problems(text)
        .iter()
        .map(|error| {
            let place = error.place.expect("a refusal has a place");
            format!("{} {}:{}", error.class, place.line, place.column)
        })
        .collect()
}

#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
    let text = text.as_ref();
    assert_eq!(summary(text), expected, "{}", String::from_utf8_lossy(text));
}

#[test]
fn texts_that_cannot_be_read() {
    let cases: &[(&str, &str)] = &[
        // Nothing at all.
        ("", "1:1"),
        (" \n\t,; nothing\n", "3:1"),
        // Brackets.
        ("(a [b", "1:4"),
        ("(a [b)", "1:6"),
        (")", "1:1"),
        ("(a))", "1:4"),
        ("{:a 1 :b}", "1:1"),
        ("({:a}]", "1:2"),
        ("{:a)", "1:4"),
        // A second form.
        ("\"A\" \"B\"", "1:5"),
        ("[] 5a", "1:4"),
        ("[] \"open", "1:4"),
        // Strings.
        ("[\"a\n\n\" \"b", "3:3"),
        ("[\"\\n\\t\\r\\\\\\\"\" \"\\x\"]", "1:16"),
        ("\"ends with \\", "1:1"),
        ("\"é\\é\"", "1:3"),
        // Numbers.
        ("[1 1.5 -2 -0.25 007 1e5]", "1:21"),
        ("[5.]", "1:2"),
        ("[.5]", "1:2"),
        ("[1/2]", "1:2"),
        ("[--5 5a]", "1:6"),
        ("[-5-]", "1:2"),
        ("[1.5.5]", "1:2"),
        ("[+5 5é]", "1:5"),
        // Keywords and symbols.
        ("[:a_-9 :_ :9]", "1:11"),
        ("[:]", "1:2"),
        ("[:a/b]", "1:2"),
        ("[a-5 *x/y? a.b]", "1:12"),
        ("[abc:d]", "1:2"),
        // Other characters, and columns in code points.
        ("(a 'b)", "1:4"),
        ("\u{feff}(a)", "1:1"),
        ("; é日本\n[\"é日本\" #]", "2:8"),
        ("[\u{a0}]", "1:2"),
        ("[a\rb\u{b}c\u{c}d,e\n\te @]", "2:4"),
    ];
    for (text, place) in cases {
        check(text, &[&format!("ParseError {place}")]);
    }
    check(b"\"ab\n\xc3\xa9\xc3\"", &["ParseError 2:2"]);
}

#[test]
fn limits_on_size_and_depth() {
    const MEGABYTES: usize = 10 * 1024 * 1024;
    let spaces = " ".repeat(MEGABYTES - 3);
    check(format!("{spaces}\"A\""), &[]);
    check(format!("{spaces}\"AB\""), &["ParseError 1:1"]);

    let nested = |depth: usize| format!("{}\"A\"{}", "[".repeat(depth), "]".repeat(depth));
    check(nested(250), &[]);
    check(nested(251), &["ParseError 1:252"]);
}

#[test]
fn forms_that_make_no_sense() {
    let cases: &[(&str, &str)] = &[
        // What is no portfolio.
        ("5", "ArgumentError 1:1"),
        ("SPY", "ArgumentError 1:1"),
        (":a", "ArgumentError 1:1"),
        ("{}", "ArgumentError 1:1"),
        ("()", "ArgumentError 1:1"),
        ("(\"A\")", "ArgumentError 1:1"),
        ("((asset \"A\"))", "ArgumentError 1:1"),
        ("[asset \"A\"]", "ArgumentError 1:2"),
        ("[true]", "ArgumentError 1:2"),
        ("(> 1 2)", "ArgumentError 1:1"),
        ("(select-top 1)", "ArgumentError 1:1"),
        ("(current-price \"A\")", "ArgumentError 1:1"),
        ("(buy \"A\")", "UnknownOperator 1:1"),
        ("[[(buy \"A\")]]", "UnknownOperator 1:3"),
        // defsymphony
        (
            "(defsymphony \"n\" {:k (any list) :l #{}} \"A\")",
            "ParseError 1:36",
        ),
        ("(defsymphony n {} \"A\")", "ArgumentError 1:14"),
        ("(defsymphony \"n\" [] \"A\")", "ArgumentError 1:18"),
        ("(defsymphony \"n\" \"A\")", "ArgumentError 1:1"),
        ("(defsymphony \"n\" {} \"A\" \"B\")", "ArgumentError 1:1"),
        ("[(defsymphony \"n\" {} \"A\")]", "ArgumentError 1:2"),
        // asset
        ("(asset)", "ArgumentError 1:1"),
        ("(asset A)", "ArgumentError 1:8"),
        ("(asset (ticker))", "UnknownOperator 1:8"),
        ("(asset \"A B\")", "ArgumentError 1:8"),
        ("(asset \"A\" true)", "ArgumentError 1:12"),
        ("(asset \"A\" \"n\" 1)", "ArgumentError 1:1"),
        ("\"\"", "ArgumentError 1:1"),
        // group, weight-equal
        ("(group \"A\")", "ArgumentError 1:1"),
        ("(group g \"A\")", "ArgumentError 1:8"),
        ("(group \"g\" 1 \"A\")", "ArgumentError 1:12"),
        ("(weight-equal)", "ArgumentError 1:1"),
        // weight-specified
        ("(weight-specified)", "ArgumentError 1:1"),
        ("(weight-specified 1 \"A\" 2)", "ArgumentError 1:1"),
        ("(weight-specified \"A\" 1)", "ArgumentError 1:19"),
        (
            "(weight-specified -0.5 \"A\" 1 \"B\")",
            "ArgumentError 1:19",
        ),
        ("(weight-specified 0 \"A\" 0.0 \"B\")", "ArgumentError 1:1"),
        // weight-inverse-volatility
        ("(weight-inverse-volatility \"A\")", "ArgumentError 1:1"),
        ("(weight-inverse-volatility 1 \"A\")", "ArgumentError 1:28"),
        (
            "(weight-inverse-volatility 2.5 \"A\")",
            "ArgumentError 1:28",
        ),
        (
            "(weight-inverse-volatility \"A\" \"B\")",
            "ArgumentError 1:28",
        ),
        // filter
        ("(filter (rsi))", "ArgumentError 1:1"),
        (
            "(filter (rsi) (select-top 1) \"A\" \"B\")",
            "ArgumentError 1:1",
        ),
        ("(filter rsi \"A\")", "ArgumentError 1:9"),
        ("(filter (asset \"A\") \"A\")", "ArgumentError 1:9"),
        ("(filter (roc) \"A\")", "UnknownOperator 1:9"),
        ("(filter (rsi \"A\") \"A\")", "ArgumentError 1:14"),
        ("(filter (rsi {} {}) \"A\")", "ArgumentError 1:9"),
        ("(filter (rsi) \"A\" \"B\")", "ArgumentError 1:15"),
        ("(filter (rsi) (rsi) \"B\")", "ArgumentError 1:15"),
        (
            "(filter (rsi) (select-best 1) \"B\")",
            "UnknownOperator 1:15",
        ),
        ("(filter (rsi) (select-top) \"B\")", "ArgumentError 1:15"),
        ("(filter (rsi) (select-top 0) \"B\")", "ArgumentError 1:27"),
        ("(filter (rsi) (select-top -1) \"B\")", "ArgumentError 1:27"),
        (
            "(filter (rsi) (select-bottom 1.5) \"B\")",
            "ArgumentError 1:30",
        ),
        // if
        ("(if (> 1 2))", "ArgumentError 1:1"),
        ("(if (> 1 2) \"A\" \"B\" \"C\")", "ArgumentError 1:1"),
        ("(if 1 \"A\")", "ArgumentError 1:5"),
        ("(if [> 1 2] \"A\")", "ArgumentError 1:5"),
        ("(if (rsi \"A\") \"A\")", "ArgumentError 1:5"),
        ("(if (or (> 1 2)) \"A\")", "UnknownOperator 1:5"),
        ("(if (> 1) \"A\")", "ArgumentError 1:5"),
        ("(if (= \"1\" 1) \"A\")", "ArgumentError 1:8"),
        ("(if (> 1 [2]) \"A\")", "ArgumentError 1:10"),
        ("(if (> 1 (asset \"A\")) \"A\")", "ArgumentError 1:10"),
        ("(if (> 1 (+ 1 2)) \"A\")", "UnknownOperator 1:10"),
        // indicators
        ("(if (> 1 (rsi)) \"A\")", "ArgumentError 1:10"),
        ("(if (> 1 (rsi A)) \"A\")", "ArgumentError 1:15"),
        ("(if (> 1 (rsi {:window 5})) \"A\")", "ArgumentError 1:15"),
        ("(if (> 1 (rsi \"A\" 5)) \"A\")", "ArgumentError 1:19"),
        ("(if (> 1 (rsi \"A\" {} {})) \"A\")", "ArgumentError 1:10"),
        (
            "(if (> 1 (rsi \"A\" {:windw 5})) \"A\")",
            "ArgumentError 1:20",
        ),
        (
            "(if (> 1 (rsi \"A\" {\"::window\" 5})) \"A\")",
            "ArgumentError 1:20",
        ),
        ("(if (> 1 (rsi \"A\" {5 5})) \"A\")", "ArgumentError 1:20"),
        (
            "(if (> 1 (rsi \"A\" {:window 5 window 5})) \"A\")",
            "ArgumentError 1:30",
        ),
        (
            "(if (> 1 (rsi \"A\" {:window \"5\"})) \"A\")",
            "ArgumentError 1:28",
        ),
        (
            "(if (> 1 (rsi \"A\" {:window 0})) \"A\")",
            "ArgumentError 1:28",
        ),
        (
            "(if (> 1 (rsi \"A\" {:window -1})) \"A\")",
            "ArgumentError 1:28",
        ),
        (
            "(if (> 1 (stdev-price \"A\" {:window 1})) \"A\")",
            "ArgumentError 1:36",
        ),
        (
            "(if (> 1 (current-price \"A\" {:window 1})) \"A\")",
            "ArgumentError 1:38",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(summary(text.as_bytes())[0], *expected, "{text}");
    }
}

#[test]
fn forms_that_are_legal() {
    let legal = [
        "(defsymphony \"n\" {:k (any list) [1] {}} \"brk/b\")",
        "(asset \"A\" nil)",
        "(group \"\" [] \"A\" [[]])",
        "(weight-specified 0 \"A\" 0012.50 [])",
        "(weight-inverse-volatility 2.0 [\"A\"])",
        "(filter (current-price) \"A\")",
        "(filter (rsi {}) (select-top 99999999999999999999) [])",
        "(if (>= (rsi \"A\" {:window 99999999999999999999}) -0) \"A\")",
        "(if (= (current-price \"A\" {}) (rsi \"A\" {\":window\" 10.0})) \"A\" \"B\")",
    ];
    for text in legal {
        check(text, &[]);
    }
}

#[test]
fn all_problems_are_found_in_the_order_of_the_text() {
    let text = "(weight-specified
  0 (group \"a\" (buy \"A\") (if (> \"x\" (sell 1)) \"A\"))
  -1 (filter (rsi {:window 0}) (select-top 0) \"$\"))";
    let expected = [
        "UnknownOperator 2:16",
        "ArgumentError 2:33",
        "UnknownOperator 2:37",
        "ArgumentError 3:3",
        "ArgumentError 3:28",
        "ArgumentError 3:44",
        "ArgumentError 3:47",
    ];
    check(text, &expected);
    // The sum is known only after all weights, and stands before them.
    let text = "[(weight-specified 0 \"A\" 0 \"B\") (asset \"A\" \"$\" 1) 7]";
    let expected = [
        "ArgumentError 1:2",
        "ArgumentError 1:33",
        "ArgumentError 1:51",
    ];
    check(text, &expected);
    // Nobody reads more than some.
    let many = format!("[{}]", "x ".repeat(500));
    assert_eq!(problems(many.as_bytes()).len(), 100);
}

#[test]
fn messages_say_what_was_found_and_what_belongs_there() {
    let cases = [
        (
            "(weight-equl \"A\")",
            "1:1: UnknownOperator: there is no operator `weight-equl`; did you mean `weight-equal`?",
        ),
        (
            "[(rsi \"A\")]",
            "1:2: ArgumentError: expected a portfolio, found `(rsi …)`",
        ),
        (
            "(if (> 1 2 3) \"A\")",
            "1:5: ArgumentError: `>` takes two operands; there are 3 arguments",
        ),
        (
            "(a [b)",
            "1:6: ParseError: `)` stands where `]` must close the `[` of 1:4",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(text.as_bytes())[0].to_string(), expected);
    }
    let what = |text: &str| problems(text.as_bytes())[0].what.clone();
    assert_eq!(what("(buy)").as_deref(), Some("buy"));
    assert_eq!(what("(group \"g\")").as_deref(), Some("group"));
    assert_eq!(what("7"), None);
}

#[test]
fn exactly_one_file_is_loaded() {
    let file = |text: &str| ("s.clj".to_owned(), text.as_bytes().to_vec());
    let load = |files| Dsl::load(NoParameters {}, &Files::new(files));
    assert!(load(vec![file("\"A\"")]).is_ok());
    let none = load(vec![]).unwrap_err();
    let two = load(vec![file("\"A\""), file("\"A\"")]).unwrap_err();
    assert_eq!(
        (&*none.class, &*two.class),
        ("ParameterError", "ParameterError")
    );
    let refused = load(vec![file("[1 2]")]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "1:2: ArgumentError: expected a portfolio, found the number 1"
    );
}
