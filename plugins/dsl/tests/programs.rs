//! Small programs whose results can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_sdk::testing::{Explanation, TestMarket};
use alchemiser_sdk::{Part, Place, Requirement, Score, Strategy};
use dsl::Dsl;

fn read(text: &str) -> Dsl {
    Dsl::read(text.as_bytes()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

/// Closes in which nothing is equal by chance; `LATE` has its first bar in
/// session 5, and `FLAT` never moves.
fn market() -> TestMarket {
    TestMarket::new()
        .symbol("A", [100.0, 101.0, 99.0, 102.0, 105.0, 103.0, 104.0, 106.0])
        .symbol("B", [50.0, 51.0, 52.0, 53.0, 54.0, 55.0, 56.0, 57.0])
        .symbol("C", [80.0, 79.0, 78.0, 77.0, 76.0, 75.0, 74.0, 73.0])
        .symbol("FLAT", [10.0; 8])
        .symbol(
            "LATE",
            [None, None, None, None, None, Some(7.0), None, Some(8.0)],
        )
}

/// The weights as of the last session, such as `A 0.5 B 0.5`, or the error.
fn evaluate(text: &str) -> String {
    match market().evaluate(&mut read(text), 7) {
        Ok(weights) => {
            let texts = weights
                .iter()
                .map(|weight| format!("{} {}", weight.symbol, weight.weight));
            texts.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(evaluate(text), *expected, "{text}");
    }
}

#[test]
fn weights() {
    check(&[
        ("(asset \"a\" \"name\")", "A 1"),
        ("[\"A\" \"B\"]", "A 0.5 B 0.5"),
        (
            "(weight-equal (asset \"A\") (asset \"B\") [(asset \"A\") (asset \"C\")])",
            "A 0.5 B 0.25 C 0.25",
        ),
        (
            "(weight-specified 0.6 (asset \"A\") 0.2 (weight-equal (asset \"B\") (asset \"C\")))",
            "A 0.75 B 0.125 C 0.125",
        ),
        (
            "(group \"g\" (weight-equal (asset \"A\") (asset \"B\")) (asset \"B\"))",
            "B 1",
        ),
        (
            "(weight-equal (asset \"C\") (filter (rsi {:window 3}) (select-top 2) [\"A\" \"B\" \"C\"]))",
            "A 0.25 B 0.25 C 0.5",
        ),
        (
            "(weight-equal \"A\" \"B\" \"C\")",
            "A 0.3333333334 B 0.3333333333 C 0.3333333333",
        ),
        ("(weight-specified 0 \"A\" 60 \"B\" 40 \"B\")", "B 1"),
        // A vector below weight-specified is one part.
        (
            "(weight-specified 1 [\"A\" \"B\"] 1 \"C\")",
            "A 0.25 B 0.25 C 0.5",
        ),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("(if (> 2 1) \"A\" \"B\")", "A 1"),
        ("(if (< 2 1) \"A\" \"B\")", "B 1"),
        ("(if (>= 79.50 79.5) \"A\")", "A 1"),
        ("(if (<= 1 0) \"A\" [\"B\" \"C\"])", "B 0.5 C 0.5"),
        ("(if (= -0 0) \"A\" \"B\")", "A 1"),
        ("(if (> (rsi \"A\" {:window 3}) 77.19) \"A\" \"B\")", "A 1"),
        ("(if (> (rsi \"A\" {:window 3}) 77.20) \"A\" \"B\")", "B 1"),
        (
            "(if (= (exponential-moving-average-price \"A\" {:window 3}) 104.7421875) \"A\" \"B\")",
            "A 1",
        ),
        // The branch that is not taken may be anything.
        ("(if (> 2 1) \"A\" \"NONE\")", "A 1"),
        ("(group \"g\" \"NONE\" \"A\")", "A 1"),
    ]);
}

#[test]
fn filters() {
    check(&[
        // Cumulative returns: A 3.92, B 7.55, C −5.19 percent.
        (
            "(filter (cumulative-return {:window 4}) (select-top 1) [\"A\" \"B\" \"C\"])",
            "B 1",
        ),
        (
            "(filter (cumulative-return {:window 4}) (select-bottom 2) [\"A\" \"B\" \"C\"])",
            "A 0.5 C 0.5",
        ),
        (
            "(filter (cumulative-return {:window 4}) (select-top 9) [\"A\" \"A\"])",
            "A 1",
        ),
        (
            "(filter (cumulative-return {:window 4}) [\"A\" \"B\"])",
            "A 0.5 B 0.5",
        ),
        // Equal scores keep their order in both directions.
        (
            "(filter (max-drawdown {:window 1}) (select-top 1) [\"C\" \"A\" \"B\"])",
            "C 1",
        ),
        (
            "(filter (max-drawdown {:window 1}) (select-bottom 1) [\"C\" \"A\" \"B\"])",
            "C 1",
        ),
        // A group that holds B scores as B does; the first of both is taken.
        (
            "(filter (cumulative-return {:window 4}) (select-top 1) [(group \"g\" [\"B\"]) \"B\"])",
            "B 1",
        ),
        (
            "(filter (current-price) (select-top 1) [(group \"fell\" \"C\") (group \"rose\" \"B\")])",
            "B 1",
        ),
        (
            "(filter (stdev-return {:window 2}) (select-bottom 1) \
             [(weight-equal \"A\" \"B\") (weight-specified 1 \"B\" 1 \"C\")])",
            "B 0.5 C 0.5",
        ),
    ]);
}

#[test]
fn inverse_volatility() {
    // Volatilities of the last two returns: of A 100·|104/103 − 106/104|/√2 and
    // so on; repeated assets count once.
    let volatility = |a: f64, b: f64, c: f64| (b / a - c / b).abs();
    let (a, b) = (
        volatility(103.0, 104.0, 106.0),
        volatility(55.0, 56.0, 57.0),
    );
    let share = (1.0 / a) / (1.0 / a + 1.0 / b);
    let weights = market().evaluate(
        &mut read("(weight-inverse-volatility 2 \"A\" [\"B\" \"A\"])"),
        7,
    );
    let weights = weights.unwrap();
    assert!((weights[0].weight - share).abs() < 1e-10, "{weights:?}");
    assert!(
        (weights[1].weight - (1.0 - share)).abs() < 1e-10,
        "{weights:?}"
    );
}

#[test]
fn failures_have_the_place_where_they_arose() {
    check(&[
        (
            "(group \"g\" [])",
            "1:12: EmptyPortfolio: there is nothing to hold here",
        ),
        (
            "(weight-equal [] [[]])",
            "1:1: EmptyPortfolio: there is nothing to hold here",
        ),
        (
            "[\"A\" (if (> 1 2) \"A\")]",
            "1:6: EmptyPortfolio: the condition does not hold, and there is no portfolio for that case",
        ),
        (
            "(weight-equal \"A\" (filter (rsi) []))",
            "1:19: EmptyPortfolio: there is nothing to choose from here",
        ),
        (
            "[\"A\"\n [\"B\" \"NONE\"]]",
            "2:7: NoData: there are no prices for `NONE`",
        ),
        (
            "(group \"g\" \"A\" (if (> 1 (rsi \"NONE\")) \"A\" \"B\"))",
            "1:25: NoData: there are no prices for `NONE`",
        ),
        (
            "(if (> (moving-average-price \"A\" {:window 9}) 1) \"A\")",
            "1:8: InsufficientHistory: `A` has 8 bars and 9 are needed",
        ),
        (
            "(filter (stdev-price {:window 3}) [\"A\" \"LATE\"])",
            "1:40: InsufficientHistory: `LATE` has 2 bars and 3 are needed",
        ),
        // Its index has the points of sessions 5 to 7.
        (
            "(filter (rsi {:window 5}) (group \"new\" \"LATE\"))",
            "1:27: InsufficientHistory: `new` has 3 bars and 6 are needed",
        ),
        (
            "(weight-inverse-volatility 2 \"A\" \"FLAT\")",
            "1:34: NonFinite: the inverse of the volatility of `FLAT` is not a finite number",
        ),
        // Portfolios come before scores, left before right.
        (
            "(filter (rsi {:window 100}) [\"A\" \"NONE\"])",
            "1:34: NoData: there are no prices for `NONE`",
        ),
    ]);
}

#[test]
fn equal_forms_fail_each_at_its_own_place() {
    let program = "(weight-specified 1 (if (> 1 2) \"NONE\" \"A\") 1 (group \"g\" \"NONE\"))";
    check(&[(program, "1:58: NoData: there are no prices for `NONE`")]);
}

#[test]
fn requirements_cover_every_evaluation() {
    let program = "
      (group \"only the last counts\" \"UNUSED\"
        (weight-equal
          (if (> (moving-average-price \"M\" {:window 200}) (current-price \"P\")) \"A\" \"B\")
          (if (> (rsi \"R\") (exponential-moving-average-price \"E\")) \"A\" \"B\")
          (filter (cumulative-return {:window 30}) (select-top 1)
            [\"F\" (group \"g\"
                (weight-inverse-volatility 20 \"V\"
                  (group \"inner\" (if (> (max-drawdown \"D\" {:window 7}) 1) \"H\" \"A\"))))])
          (filter (rsi) [\"S\" (group \"all history\" (if (> (stdev-price \"X\") 1) \"Y\" \"A\"))])))";
    let expected = [
        Requirement::all("A"),
        Requirement::last("B", 1 + 10),
        Requirement::last("D", 30 + 20 + 7 + 10),
        Requirement::all("E"),
        Requirement::last("F", 31 + 10),
        Requirement::last("H", 30 + 20 + 1 + 10),
        Requirement::last("M", 200 + 10),
        Requirement::last("P", 1 + 10),
        Requirement::all("R"),
        Requirement::all("S"),
        Requirement::last("V", 30 + 21 + 10),
        Requirement::all("X"),
        Requirement::all("Y"),
    ];
    assert_eq!(read(program).requirements(), expected);
}

#[test]
fn explanations_follow_the_path_taken() {
    let program = r#"(defsymphony "s" {}
  (weight-equal
    (if (> (current-price "A") 100)
      (group "up"
        (filter (cumulative-return {:window 4}) (select-top 1)
          ["A"
           (group "rest" (if (< 1 2) "B" "C"))
           (group "fall" (if (< 3 4) "C" "B"))]))
      "NONE")
    (weight-inverse-volatility 2 "A" "B")))"#;
    let place = |line, column| Some(Place { line, column });
    let market = market();
    let view = market.as_of(7);
    read(program).evaluate(&view.today()).unwrap();

    let mut explanations = view.explanations().into_iter();
    let condition = |depth, at, text: &str, left, right, holds| {
        let text = text.to_owned();
        Some(Explanation::Condition {
            depth,
            at,
            text,
            left,
            right,
            holds,
        })
    };
    let note = |depth, at, text: &str| {
        let text = text.to_owned();
        Some(Explanation::Note { depth, at, text })
    };
    let Some(Explanation::Division {
        depth, at, parts, ..
    }) = explanations.next()
    else {
        panic!("the shares of the whole come first");
    };
    assert_eq!((depth, at), (0, place(2, 3)));
    let halves = ["if", "weight-inverse-volatility"].map(|name| Part {
        name: name.to_owned(),
        share: 0.5,
        measure: None,
    });
    assert_eq!(parts, halves);
    let text = "(> (current-price \"A\") 100)";
    assert_eq!(
        explanations.next(),
        condition(1, place(3, 9), text, 106.0, 100.0, true)
    );
    assert_eq!(explanations.next(), note(2, place(4, 7), "group \"up\""));
    let Some(Explanation::Selection {
        depth,
        at,
        text,
        ranking,
        chosen,
    }) = explanations.next()
    else {
        panic!("the filter comes next");
    };
    assert_eq!((depth, at, chosen), (3, place(5, 9), 1));
    assert_eq!(
        text,
        "(filter (cumulative-return {:window 4}) (select-top 1) …)"
    );
    let names: Vec<&str> = ranking.iter().map(|Score { name, .. }| &**name).collect();
    assert_eq!(names, ["rest", "A", "fall"]);
    assert!((ranking[0].value - 100.0 * (57.0 / 53.0 - 1.0)).abs() < 1e-9);
    // Only the unit taken is followed.
    assert_eq!(explanations.next(), note(4, place(7, 12), "group \"rest\""));
    assert_eq!(
        explanations.next(),
        condition(5, place(7, 30), "(< 1 2)", 1.0, 2.0, true)
    );
    let Some(Explanation::Division {
        depth,
        at,
        text,
        parts,
    }) = explanations.next()
    else {
        panic!("the shares by volatility come last");
    };
    assert_eq!((depth, at), (1, place(10, 5)));
    assert_eq!(text, "(weight-inverse-volatility 2 …)");
    let parts: Vec<String> = parts
        .iter()
        .map(|part| {
            let measure = part.measure.unwrap();
            format!("{} {:.4} of {measure:.4}", part.name, part.share)
        })
        .collect();
    assert_eq!(parts, ["A 0.0330 of 0.6733", "B 0.9670 of 0.0230"]);
    assert_eq!(explanations.next(), None);
}

#[test]
fn explanations_end_where_the_evaluation_failed() {
    let market = market();
    let view = market.as_of(7);
    let program = "(if (> 1 2) \"A\" (weight-equal (group \"g\" \"NONE\") (group \"h\" \"A\")))";
    let error = read(program).evaluate(&view.today()).unwrap_err();
    assert_eq!(error.class, "NoData");
    let texts: Vec<String> = view
        .explanations()
        .iter()
        .map(|explanation| explanation.text().to_owned())
        .collect();
    assert_eq!(texts, ["(> 1 2)", "(weight-equal …)", "group \"g\""]);
}
