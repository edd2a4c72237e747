//! What holds for every market, view and question.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use alchemiser_market::{DataError, Market, ReadError, Session, View};
use alchemiser_sdk::Error;
use alchemiser_sdk::testing::TestMarket;
use proptest::prelude::*;
use std::sync::Arc;
use support::{
    Closes, Question, SYMBOLS, all, answer, answers, closes, market, questions, requirements, view,
};

/// The same market up to a session, with other prices and gaps after it.
fn with_other_future(past: &Closes, as_of: u32, future: &Closes) -> Closes {
    let kept = as_of as usize + 1;
    past.iter()
        .map(|(name, closes)| {
            let other = future[name].iter().skip(kept).copied();
            (*name, closes[..kept].iter().copied().chain(other).collect())
        })
        .collect()
}

fn sessions(market: &Market) -> u32 {
    market.calendar().last().unwrap().0 + 1
}

proptest! {
    /// No answer depends on what comes after the session under evaluation.
    #[test]
    fn the_future_does_not_matter(
        past in closes(),
        future in closes(),
        requirements in requirements(),
        questions in questions(),
        as_of in any::<prop::sample::Index>(),
    ) {
        let one = market(&past);
        let as_of = u32::try_from(as_of.index(sessions(&one) as usize)).unwrap();
        let other = market(&with_other_future(&past, as_of, &future));
        prop_assert_eq!(
            answers(&mut view(&one, &requirements, as_of), &questions),
            answers(&mut view(&other, &requirements, as_of), &questions)
        );
    }

    /// A view that has seen earlier sessions answers as a new one does.
    #[test]
    fn earlier_questions_do_not_matter(
        closes in closes(),
        requirements in requirements(),
        questions in questions(),
    ) {
        let market = market(&closes);
        let mut warm = View::new(Arc::clone(&market), &requirements);
        for as_of in 0..sessions(&market) {
            warm.advance(Session(as_of)).unwrap();
            prop_assert_eq!(
                answers(&mut warm, &questions),
                answers(&mut view(&market, &requirements, as_of), &questions)
            );
        }
    }

    /// A slice answers every question as the market does that it was cut from,
    /// violations included.
    #[test]
    fn a_slice_answers_the_same(
        closes in closes(),
        requirements in requirements(),
        questions in questions(),
        as_of in any::<prop::sample::Index>(),
    ) {
        let market = market(&closes);
        let as_of = u32::try_from(as_of.index(sessions(&market) as usize)).unwrap();
        let slice = market.slice(&requirements, Session(as_of));
        let restored = Arc::new(Market::from_slice(slice.bytes()).unwrap());
        prop_assert_eq!(restored.calendar().last(), Some(Session(as_of)));
        prop_assert_eq!(&restored.slice(&requirements, Session(as_of)), &slice);
        prop_assert_eq!(
            answers(&mut view(&restored, &requirements, as_of), &questions),
            answers(&mut view(&market, &requirements, as_of), &questions)
        );
    }

    /// A slice holds nothing that the requirements do not allow.
    #[test]
    fn a_slice_does_not_depend_on_what_may_not_be_seen(
        past in closes(),
        future in closes(),
        requirements in requirements(),
        as_of in any::<prop::sample::Index>(),
    ) {
        let one = market(&past);
        let as_of = u32::try_from(as_of.index(sessions(&one) as usize)).unwrap();
        let other = market(&with_other_future(&past, as_of, &future));
        let slice = one.slice(&requirements, Session(as_of));
        prop_assert_eq!(&slice, &other.slice(&requirements, Session(as_of)));

        let restored = Market::from_slice(slice.bytes()).unwrap();
        for symbol in restored.symbols() {
            let allowed = requirements.iter().filter(|required| required.symbol == *symbol);
            let allowed = allowed.map(|required| required.sessions.unwrap_or(u32::MAX)).max();
            let held = (0..=as_of)
                .filter(|session| {
                    restored.history(symbol).unwrap().price_on(Session(*session)).is_some()
                })
                .count();
            prop_assert!(held <= allowed.unwrap() as usize);
        }
    }

    /// The market for native tests of strategies answers as the real one does.
    #[test]
    fn the_test_market_agrees(closes in closes(), questions in questions()) {
        let requirements = SYMBOLS.map(all);
        let market = market(&closes);
        let test_market = closes.iter().fold(TestMarket::new(), |market, (name, closes)| {
            let closes = closes.iter().map(|cents| Some(f64::from((*cents)?) / 100.0));
            market.symbol(name, closes)
        });
        let as_of = sessions(&market) - 1;
        let mut view = view(&market, &requirements, as_of);
        let test_view = test_market.as_of(as_of);
        for (question, session) in questions {
            let session = session % (as_of + 1);
            let expected = match answer(&mut view, &question, Session(session)) {
                Err(ReadError::Data(DataError::BadData { .. })) => continue,
                expected => expected.map_err(|error| error.to_string()),
            };
            if !matches!(question, Question::Date) {
                let answer = ask(&test_view, &question, session);
                prop_assert_eq!(answer.map_err(|error| error.message), expected);
            }
        }
    }
}

fn ask(
    market: &dyn alchemiser_sdk::Market,
    question: &Question,
    session: u32,
) -> Result<String, Error> {
    Ok(match *question {
        Question::Date => market.date(session),
        Question::Bars(name) => market.bars(market.find(name)?, session).to_string(),
        Question::Close(name) => market.close(market.find(name)?, session)?.to_string(),
        Question::Closes(name, count) => {
            format!("{:?}", market.closes(market.find(name)?, session, count)?)
        }
        Question::Value(name, indicator, window) => {
            let symbol = market.find(name)?;
            let window = indicator
                .minimum_window()
                .map(|minimum| window.max(minimum));
            let series = market.indicator(indicator.name(), symbol, window)?;
            market.value(series, session)?.to_string()
        }
    })
}
