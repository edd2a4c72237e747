//! What holds for every program on every market.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod naive;

use alchemiser_indicators::Indicator;
use alchemiser_sdk::{Error, Strategy as _, Weights};
use dsl::Dsl;
use naive::{Comparison, Failure, Form, Operand, Prices, Score, Selection};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const SESSIONS: usize = 24;

/// Symbols with prices; the language knows `NONE` as well.
const LISTED: [&str; 4] = ["A", "B", "C", "LATE"];

fn score() -> impl Strategy<Value = Score> {
    (select(Indicator::ALL.to_vec()), 0..5_u32).prop_map(|(indicator, window)| {
        let window = indicator
            .minimum_window()
            .map(|minimum| window.max(minimum));
        Score(indicator, window)
    })
}

/// Mostly symbols with full history, so that most programs have a value.
fn symbol() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        30 => select(&LISTED[..3]),
        3 => Just("LATE"),
        1 => Just("NONE"),
    ]
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        1 => select(vec![-1.0, 0.0, 0.5, 2.0, 50.0, 100.0]).prop_map(Operand::Number),
        3 => (symbol(), score()).prop_map(|(symbol, score)| Operand::Indicator(symbol, score)),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    let comparison = select(vec![
        Comparison::Greater,
        Comparison::Less,
        Comparison::GreaterOrEqual,
        Comparison::LessOrEqual,
        Comparison::Equal,
    ]);
    let selection = prop_oneof![
        1 => Just(Selection::All),
        3 => (1..4_usize).prop_map(Selection::Top),
        3 => (1..4_usize).prop_map(Selection::Bottom),
    ];
    symbol()
        .prop_map(Form::Asset)
        .prop_recursive(4, 16, 3, move |inner| {
            let some = prop::collection::vec(inner.clone(), 1..4);
            let maybe_none = prop::collection::vec(inner.clone(), 0..4);
            prop_oneof![
                2 => (select(vec!["g", "h"]), some.clone())
                    .prop_map(|(name, forms)| Form::Group(name, forms)),
                2 => some.clone().prop_map(Form::Equal),
                2 => (1..4_u32, prop::collection::vec((0..4_u32, inner.clone()), 0..3), inner.clone())
                    .prop_map(|(weight, mut parts, form)| {
                        parts.push((weight, form));
                        Form::Specified(parts)
                    }),
                2 => (2..4_u32, some.clone())
                    .prop_map(|(window, forms)| Form::InverseVolatility(window, forms)),
                4 => (score(), selection.clone(), some).prop_map(
                    |(score, selection, forms)| {
                        Form::Filter(score, selection, Box::new(Form::Vector(forms)))
                    }
                ),
                1 => (score(), selection.clone(), inner.clone()).prop_map(
                    |(score, selection, form)| Form::Filter(score, selection, Box::new(form))
                ),
                4 => (
                    comparison.clone(),
                    operand(),
                    operand(),
                    inner.clone(),
                    prop::option::weighted(0.9, inner),
                )
                    .prop_map(|(comparison, left, right, chosen, otherwise)| Form::If(
                        comparison,
                        left,
                        right,
                        Box::new(chosen),
                        otherwise.map(Box::new),
                    )),
                1 => maybe_none.prop_map(Form::Vector),
            ]
        })
}

/// Whole prices in a small range: scores are often equal.
fn prices() -> impl Strategy<Value = Prices> {
    let bar =
        prop_oneof![9 => (95..105_u32).prop_map(|close| Some(f64::from(close))), 1 => Just(None)];
    let full = prop::collection::vec(
        (95..105_u32).prop_map(|close| Some(f64::from(close))),
        SESSIONS,
    );
    let gaps = prop::collection::vec(bar, SESSIONS);
    (full.clone(), full.clone(), gaps, full, 0..SESSIONS).prop_map(|(a, b, c, mut late, listed)| {
        late[..listed].fill(None);
        Prices(LISTED.into_iter().zip([a, b, c, late]).collect())
    })
}

fn read(form: &Form) -> Dsl {
    let text = form.to_string();
    Dsl::read(text.as_bytes()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn failure(error: &Error) -> Failure {
    let symbol = error.symbol.clone();
    (error.class.clone(), symbol, error.need, error.have)
}

fn assert_agree(found: &Result<Weights, Error>, expected: &Result<naive::Portfolio, Failure>) {
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            let expected = naive::canonical(expected);
            assert_eq!(
                found.len(),
                expected.len(),
                "{found:?}, expected {expected:?}"
            );
            for (weight, (symbol, expected)) in found.iter().zip(&expected) {
                assert_eq!(weight.symbol, *symbol);
                // The last decimal may be rounded the other way.
                assert!(
                    (weight.weight - expected).abs() < 3e-10,
                    "{found:?}, expected {expected:?}"
                );
            }
        }
        (Err(error), Err(expected)) => assert_eq!(failure(error), *expected, "{error}"),
        _ => panic!("{found:?}, expected {expected:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_plainest_evaluation_gives_the_same(form in form(), prices in prices()) {
        let market = prices.market();
        for session in [0, 1, 2, 5, 9, 17, SESSIONS - 1] {
            let expected = prices.portfolio(&form, session);
            let found = market.evaluate(&mut read(&form), session as u32);
            assert_agree(&found, &expected);
        }
    }

    #[test]
    fn weights_are_shares_of_one(form in form(), prices in prices()) {
        let session = SESSIONS as u32 - 1;
        if let Ok(weights) = prices.market().evaluate(&mut read(&form), session) {
            prop_assert!(weights.windows(2).all(|pair| pair[0].symbol < pair[1].symbol));
            prop_assert!(weights.iter().all(|weight| weight.weight > 0.0));
            let units: f64 = weights.iter().map(|weight| (weight.weight * 1e10).round()).sum();
            prop_assert_eq!(units, 1e10);
        }
    }

    #[test]
    fn what_was_evaluated_before_has_no_influence(
        form in form(),
        prices in prices(),
        sessions in subsequence((0..SESSIONS as u32).collect::<Vec<_>>(), 1..SESSIONS),
    ) {
        let market = prices.market();
        let mut warm = read(&form);
        for session in sessions {
            let fresh = market.evaluate(&mut read(&form), session);
            prop_assert_eq!(market.evaluate(&mut warm, session), fresh);
        }
    }

    #[test]
    fn the_future_has_no_influence(form in form(), prices in prices(), session in 0..SESSIONS - 1) {
        let mut other = prices.clone();
        for close in other.0.values_mut().flat_map(|closes| &mut closes[session + 1..]) {
            *close = close.map_or(Some(50.0), |close| Some(close * 1.5));
        }
        let as_of = session as u32;
        let found = prices.market().evaluate(&mut read(&form), as_of);
        prop_assert_eq!(other.market().evaluate(&mut read(&form), as_of), found);
    }

    #[test]
    fn a_neighbour_has_no_influence(
        forms in prop::collection::vec(form(), 2..5),
        prices in prices(),
        sessions in subsequence((0..SESSIONS as u32).collect::<Vec<_>>(), 1..8),
    ) {
        // All on one market, by turns; and each alone on a market of its own.
        let shared = prices.market();
        let mut strategies: Vec<Dsl> = forms.iter().map(read).collect();
        let mut alone: Vec<_> = forms.iter().map(|form| (read(form), prices.market())).collect();
        for session in sessions {
            for (strategy, (lonely, own)) in strategies.iter_mut().zip(&mut alone) {
                let found = shared.evaluate(strategy, session);
                prop_assert_eq!(found, own.evaluate(lonely, session));
            }
        }
    }

    #[test]
    fn explaining_has_no_influence(form in form(), prices in prices()) {
        let market = prices.market();
        let as_of = SESSIONS as u32 - 1;
        // A market that is not asked to explain, and one that is.
        let quiet = market.evaluate(&mut read(&form), as_of);
        let view = market.as_of(as_of);
        prop_assert_eq!(read(&form).evaluate(&view.today()), quiet);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[(\\[{}\\]) \"a0:\\\\;\\-é\n]{0,60}") {
        let _ = Dsl::read(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Dsl::read(&bytes);
    }
}
