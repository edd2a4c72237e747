//! Prices go in, weights come out: no worker and no sandbox are needed.
#![allow(clippy::unwrap_used)]

use super::Momentum;
use alchemiser_sdk::testing::{Explanation, TestMarket};
use alchemiser_sdk::{
    Error, Files, Requirement, Result, Score, Strategy, Weight, parse_parameters,
};

fn load(parameters: &str) -> Result<Momentum> {
    Momentum::load(parse_parameters(parameters)?, &Files::default())
}

fn refused(parameters: &str) -> (String, String) {
    let error = load(parameters).err().unwrap();
    (error.what.unwrap(), error.message)
}

/// Over two sessions UP gains 10 %, then 20 %; FLAT nothing; DOWN loses.
fn market() -> TestMarket {
    TestMarket::new()
        .symbol("UP", [100.0, 105.0, 110.0, 126.0])
        .symbol("FLAT", [50.0, 60.0, 50.0, 60.0])
        .symbol("DOWN", [10.0, 9.0, 8.0, 7.0])
}

#[test]
fn holds_the_strongest() {
    let mut momentum = load(r#"{"symbols":["DOWN","FLAT","UP"],"lookback":2,"top":1}"#).unwrap();
    assert_eq!(
        market().evaluate(&mut momentum, 2).unwrap(),
        [Weight::new("UP", 1.0)]
    );
    assert_eq!(
        market().evaluate(&mut momentum, 3).unwrap(),
        [Weight::new("UP", 1.0)]
    );
}

#[test]
fn leaves_uninvested_what_nothing_rising_fills() {
    let mut momentum = load(r#"{"symbols":["DOWN","FLAT","UP"],"lookback":2,"top":2}"#).unwrap();
    assert_eq!(
        market().evaluate(&mut momentum, 2).unwrap(),
        [Weight::new("UP", 0.5)]
    );

    let mut momentum = load(r#"{"symbols":["DOWN"],"lookback":1,"top":1}"#).unwrap();
    assert_eq!(market().evaluate(&mut momentum, 2).unwrap(), []);
}

#[test]
fn takes_the_first_listed_of_equals() {
    let market = TestMarket::new()
        .symbol("A", [10.0, 11.0])
        .symbol("B", [20.0, 22.0]);
    let mut momentum = load(r#"{"symbols":["B","A"],"lookback":1,"top":1}"#).unwrap();
    assert_eq!(
        market.evaluate(&mut momentum, 1).unwrap(),
        [Weight::new("B", 1.0)]
    );
}

#[test]
fn asks_for_one_bar_more_than_it_looks_back() {
    let momentum = load(r#"{"symbols":["A","B","C"]}"#).unwrap();
    let all = ["A", "B", "C"].map(|symbol| Requirement::last(symbol, 127));
    assert_eq!(momentum.requirements(), all);
}

#[test]
fn says_what_the_market_cannot_answer() {
    let mut momentum = load(r#"{"symbols":["UP"],"lookback":3,"top":1}"#).unwrap();
    assert_eq!(
        market().evaluate(&mut momentum, 2),
        Err(Error::insufficient_history("UP", 4, 3))
    );
    let mut momentum = load(r#"{"symbols":["GONE"],"lookback":1,"top":1}"#).unwrap();
    assert_eq!(
        market().evaluate(&mut momentum, 2),
        Err(Error::no_data("GONE"))
    );
}

#[test]
fn explains_its_selection() {
    let mut momentum = load(r#"{"symbols":["DOWN","FLAT","UP"],"lookback":2,"top":2}"#).unwrap();
    let market = market();
    let view = market.as_of(2);
    momentum.evaluate(&view, 2).unwrap();
    let [
        Explanation::Selection {
            text,
            ranking,
            chosen,
            ..
        },
    ] = &view.explanations()[..]
    else {
        panic!("one selection: {:?}", view.explanations());
    };
    assert_eq!(text, "top 2 of those that rose over 2 sessions");
    assert_eq!(*chosen, 1);
    let names: Vec<&str> = ranking
        .iter()
        .map(|Score { name, .. }| name.as_str())
        .collect();
    assert_eq!(names, ["UP", "FLAT", "DOWN"]);
    assert!((ranking[0].value - 10.0).abs() < 1e-9);
}

#[test]
fn refuses_a_file() {
    let parameters = parse_parameters(r#"{"symbols":["A"],"top":1}"#).unwrap();
    let files = Files(vec![("a.txt".to_owned(), Vec::new())]);
    let error = Momentum::load(parameters, &files).err().unwrap();
    assert_eq!(error.what.as_deref(), Some("file"));
}

#[test]
fn refuses_parameters_that_make_no_sense() {
    let table = [
        (
            r#"{"symbols":[]}"#,
            "symbols",
            "`symbols` is empty; name what may be held",
        ),
        (
            r#"{"symbols":["A","B","a"]}"#,
            "symbols",
            "`symbols` names `a` twice",
        ),
        (
            r#"{"symbols":["A"],"lookback":0,"top":1}"#,
            "lookback",
            "`lookback` is 0, and must be from 1 to 10000",
        ),
        (
            r#"{"symbols":["A"],"top":0}"#,
            "top",
            "`top` is 0, and must be from 1 to 1, all symbols",
        ),
        (
            r#"{"symbols":["A","B"]}"#,
            "top",
            "`top` is 3, and must be from 1 to 2, all symbols",
        ),
        (r#"{"top":1}"#, "parameters", "missing field `symbols`"),
        (
            r#"{"symbols":["A"],"lookbak":1}"#,
            "parameters",
            "unknown field `lookbak`, expected one of `symbols`, `lookback`, `top`",
        ),
    ];
    for (parameters, what, message) in table {
        assert_eq!(
            refused(parameters),
            (what.to_owned(), message.to_owned()),
            "{parameters}"
        );
    }
}
