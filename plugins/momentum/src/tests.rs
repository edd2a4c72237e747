//! Prices go in, weights come out: no worker and no sandbox are needed.
#![allow(clippy::unwrap_used)]

use super::Momentum;
use alchemiser_sdk::testing::{self, Explanation, TestMarket};
use alchemiser_sdk::{Error, Files, Requirement, Strategy};

/// Parameters as `book.toml` has them.
fn momentum(parameters: &str) -> Momentum {
    testing::load(parameters).unwrap()
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
    let mut momentum = momentum("symbols = ['DOWN', 'FLAT', 'UP']\nlookback = 2\ntop = 1");
    for session in [2, 3] {
        let weights = market().evaluate(&mut momentum, session).unwrap();
        assert_eq!(weights, [("UP", 1.0)]);
    }
}

#[test]
fn leaves_uninvested_what_nothing_rising_fills() {
    let mut two = momentum("symbols = ['DOWN', 'FLAT', 'UP']\nlookback = 2\ntop = 2");
    assert_eq!(market().evaluate(&mut two, 2).unwrap(), [("UP", 0.5)]);

    let mut falling = momentum("symbols = ['DOWN']\nlookback = 1\ntop = 1");
    assert_eq!(market().evaluate(&mut falling, 2).unwrap(), []);
}

#[test]
fn takes_the_first_listed_of_equals() {
    let market = TestMarket::new()
        .symbol("A", [10.0, 11.0])
        .symbol("B", [20.0, 22.0]);
    let mut momentum = momentum("symbols = ['B', 'A']\nlookback = 1\ntop = 1");
    assert_eq!(market.evaluate(&mut momentum, 1).unwrap(), [("B", 1.0)]);
}

#[test]
fn asks_for_one_bar_more_than_it_looks_back() {
    let all = ["A", "B", "C"].map(|symbol| Requirement::last(symbol, 127));
    assert_eq!(momentum("symbols = ['A', 'B', 'C']").requirements(), all);
}

#[test]
fn says_what_the_market_cannot_answer() {
    let mut long = momentum("symbols = ['UP']\nlookback = 3\ntop = 1");
    let early = market().evaluate(&mut long, 2).unwrap_err();
    assert_eq!(early, Error::insufficient_history("UP", 4, 3));

    let mut gone = momentum("symbols = ['GONE']\nlookback = 1\ntop = 1");
    let unknown = market().evaluate(&mut gone, 2).unwrap_err();
    assert_eq!(unknown, Error::no_data("GONE"));
}

#[test]
fn explains_its_selection() {
    let mut momentum = momentum("symbols = ['DOWN', 'FLAT', 'UP']\nlookback = 2\ntop = 2");
    let market = market();
    let view = market.as_of(2);
    momentum.evaluate(&view.today()).unwrap();
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
    let names: Vec<&str> = ranking.iter().map(|score| score.name.as_str()).collect();
    assert_eq!(names, ["UP", "FLAT", "DOWN"]);
    assert!((ranking[0].value - 10.0).abs() < 1e-9);
}

/// What every strategy has to keep to, on three years of made-up prices.
#[test]
fn looks_at_nothing_but_the_past() {
    let market = TestMarket::random_walk(7, 750, &["A", "B", "C"]);
    let load = |_: &TestMarket| testing::load::<Momentum>("symbols = ['A', 'B', 'C']");
    testing::never_looks_ahead(&market, load);
    testing::depends_on_the_session_alone(&market, load);
}

#[test]
fn refuses_a_file() {
    let files = Files::new(vec![("a.txt".to_owned(), Vec::new())]);
    let refused = testing::load_with_files::<Momentum>("symbols = ['A']\ntop = 1", &files);
    assert_eq!(refused.err().unwrap().what.as_deref(), Some("file"));
}

#[test]
fn refuses_parameters_that_make_no_sense() {
    for (parameters, message) in [
        (
            "symbols = []",
            "parameters.symbols: it is empty; name what may be held",
        ),
        (
            "symbols = ['A', 'B', 'a']",
            "parameters.symbols[2]: `a` is named twice",
        ),
        (
            "symbols = ['A']\nlookback = 0\ntop = 1",
            "parameters.lookback: it is 0, and must be from 1 to 10000",
        ),
        (
            "symbols = ['A']\ntop = 0",
            "parameters.top: it is 0, and must be from 1 to 1",
        ),
        (
            "symbols = ['A', 'B']",
            "parameters.top: it is 3, and must be from 1 to 2",
        ),
        ("top = 1", "parameters: missing key `symbols`"),
        (
            "symbols = ['A']\nlookbak = 1",
            "parameters: unknown key `lookbak`; did you mean `lookback`?",
        ),
    ] {
        let refused = testing::load::<Momentum>(parameters).err().unwrap();
        assert_eq!(refused.class, "ParameterError");
        assert_eq!(refused.message, message, "{parameters}");
    }
}
