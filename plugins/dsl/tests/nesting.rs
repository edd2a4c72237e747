//! No legal nesting exhausts the stack, in much less space than a plugin has.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_sdk::testing::TestMarket;
use alchemiser_sdk::{Result, Strategy, Weights};
use dsl::Dsl;

/// The innermost form has this depth at most.
const DEEPEST: usize = 250;

/// Each layer may look back two sessions further.
const SESSIONS: u32 = 600;

/// Five eighths of what the host gives a plugin.
const STACK: usize = 320 * 1024;

/// A text that wraps `innermost` in as many layers as are legal. A layer adds
/// `levels` to the depth; what stands beside them in it adds up to two more.
fn nested(opening: &str, innermost: &str, closing: &str, levels: usize) -> String {
    let layers = (DEEPEST - 2) / levels;
    opening.repeat(layers) + innermost + &closing.repeat(layers)
}

fn run(text: String) -> Result<Weights> {
    let evaluate = move || {
        let mut strategy = Dsl::read(text.as_bytes()).map_err(|problems| problems[0].clone())?;
        let closes = (0..SESSIONS).map(|day| 100.0 + f64::from(day % 7));
        let market = TestMarket::new()
            .symbol("A", closes.clone())
            .symbol("B", closes.map(|close| 300.0 - close));
        strategy.requirements();
        let view = market.as_of(SESSIONS - 1);
        // Explains as well: the view always wants it.
        strategy.evaluate(&view.today())
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(evaluate).unwrap().join().unwrap()
}

#[test]
fn every_form_can_be_nested_to_the_limit() {
    let window = "{:window 1}";
    let layers = [
        ("[".to_owned(), "]", 1),
        ("(group \"g\" ".to_owned(), ")", 1),
        ("(weight-equal \"B\" ".to_owned(), ")", 1),
        ("(weight-equal [\"B\" ".to_owned(), "])", 2),
        ("(weight-specified 1 \"B\" 1 ".to_owned(), ")", 1),
        ("(weight-inverse-volatility 2 \"B\" ".to_owned(), ")", 1),
        ("(if (> 2 1) ".to_owned(), ")", 1),
        ("(if (> 1 2) \"B\" ".to_owned(), ")", 1),
        (format!("(filter (rsi {window}) (select-top 1) "), ")", 1),
        (
            format!("(filter (moving-average-return {window}) [\"B\" (group \"g\" "),
            ")])",
            3,
        ),
        (
            format!("(filter (max-drawdown {window}) (group \"g\" "),
            "))",
            2,
        ),
        (
            format!("(filter (moving-average-return {window}) (weight-equal \"B\" "),
            "))",
            2,
        ),
    ];
    for (opening, closing, levels) in layers {
        let result = run(nested(&opening, "\"A\"", closing, levels));
        assert!(result.is_ok(), "{opening}: {result:?}");
    }
}

#[test]
fn brackets_beyond_the_limit_are_refused_however_many() {
    for bracket in ["(", "[", "{", "(group \"g\" "] {
        let error = run(bracket.repeat(800_000)).unwrap_err();
        assert_eq!(error.class, "ParseError", "{bracket}: {error}");
        assert!(error.message.contains("nested deeper"), "{error}");
    }
}
