//! Markets, and questions to a view, for the tests.
#![allow(dead_code, reason = "each test uses a part")]

use alchemiser_events::{Decimal, Price, SessionDate, Symbol};
use alchemiser_indicators::Indicator;
use alchemiser_market::{Bar, Market, ReadError, Requirement, Session, View};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const SYMBOLS: [&str; 4] = ["AAA", "BBB", "CCC", "DDD"];

pub(crate) fn symbol(name: &str) -> Symbol {
    Symbol::parse(name).unwrap()
}

pub(crate) fn all(name: &str) -> Requirement {
    Requirement {
        symbol: symbol(name),
        sessions: None,
    }
}

pub(crate) fn last(name: &str, sessions: u32) -> Requirement {
    Requirement {
        symbol: symbol(name),
        sessions: Some(sessions),
    }
}

pub(crate) fn price(text: &str) -> Price {
    Price::new(text.parse().unwrap()).unwrap()
}

/// The `day`-th day from 2020-01-01.
pub(crate) fn date(day: usize) -> SessionDate {
    let first = jiff::civil::date(2020, 1, 1);
    let days = jiff::Span::new().days(i64::try_from(day).unwrap());
    SessionDate::new(first.checked_add(days).unwrap())
}

/// Closes by symbol and day, in cents; a day without a bar is `None`.
pub(crate) type Closes = BTreeMap<&'static str, Vec<Option<u32>>>;

/// Days without any bar are no sessions.
pub(crate) fn market(closes: &Closes) -> Arc<Market> {
    let bars = closes
        .iter()
        .map(|(name, closes)| {
            let bars = closes.iter().enumerate().filter_map(|(day, cents)| {
                let close = Price::new(Decimal::new(i64::from((*cents)?), 2)).unwrap();
                Some(Bar {
                    date: date(day),
                    close,
                })
            });
            (symbol(name), bars.collect())
        })
        .collect();
    Arc::new(Market::new(&bars, BTreeMap::new()).unwrap())
}

/// Up to 60 days of three symbols; the fourth is never there. The first trades
/// every day, so that every day is a session.
pub(crate) fn closes() -> impl Strategy<Value = Closes> {
    let cents = || 1u32..100_000;
    let gaps = move || prop::option::weighted(0.9, cents());
    let day = (cents().prop_map(Some), gaps(), gaps());
    prop::collection::vec(day, 1..60).prop_map(|days| {
        BTreeMap::from([
            ("AAA", days.iter().map(|day| day.0).collect()),
            ("BBB", days.iter().map(|day| day.1).collect()),
            ("CCC", days.iter().map(|day| day.2).collect()),
        ])
    })
}

pub(crate) fn requirements() -> impl Strategy<Value = Vec<Requirement>> {
    let requirement = (
        prop::sample::select(&SYMBOLS),
        prop::option::weighted(0.6, 0u32..30),
    );
    prop::collection::vec(requirement, 0..5).prop_map(|requirements| {
        requirements
            .into_iter()
            .map(|(name, sessions)| Requirement {
                symbol: symbol(name),
                sessions,
            })
            .collect()
    })
}

/// Something to ask a view, at some session.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Date,
    Bars(&'static str),
    Close(&'static str),
    Closes(&'static str, u32),
    Value(&'static str, Indicator, u32),
}

pub(crate) fn questions() -> impl Strategy<Value = Vec<(Question, u32)>> {
    let name = || prop::sample::select(&SYMBOLS);
    let indicator = prop::sample::select(&Indicator::ALL);
    let question = prop_oneof![
        Just(Question::Date),
        name().prop_map(Question::Bars),
        name().prop_map(Question::Close),
        (name(), 0u32..20).prop_map(|(name, count)| Question::Closes(name, count)),
        (name(), indicator, 1u32..20)
            .prop_map(|(name, indicator, window)| Question::Value(name, indicator, window)),
    ];
    // Half of the questions are about the last sessions there are.
    let session = prop_oneof![0u32..62, Just(u32::MAX)];
    prop::collection::vec((question, session), 1..40)
}

/// What a view answers, written out to the last bit. Sessions are counted back
/// from the one under evaluation if they lie after it, but for a few.
pub(crate) fn answers(view: &mut View, questions: &[(Question, u32)]) -> Vec<String> {
    questions
        .iter()
        .map(|(question, session)| {
            let as_of = view.as_of().unwrap().0;
            let session = match *session {
                u32::MAX => as_of,
                session if session % 7 == 0 => session,
                session => session % (as_of + 1),
            };
            let answer = answer(view, question, Session(session));
            format!("{question:?} {session}: {answer:?}")
        })
        .collect()
}

pub(crate) fn answer(
    view: &mut View,
    question: &Question,
    session: Session,
) -> Result<String, ReadError> {
    Ok(match *question {
        Question::Date => view.date(session)?.to_string(),
        Question::Bars(name) => view.bars(view.find(name)?, session)?.to_string(),
        Question::Close(name) => view.close(view.find(name)?, session)?.to_string(),
        Question::Closes(name, count) => {
            format!("{:?}", view.closes(view.find(name)?, session, count)?)
        }
        Question::Value(name, indicator, window) => {
            let symbol = view.find(name)?;
            let window = indicator
                .minimum_window()
                .map(|minimum| window.max(minimum));
            let series = view.indicator(indicator.name(), symbol, window)?;
            view.value(series, session)?.to_string()
        }
    })
}

/// A new view as of a session.
pub(crate) fn view(market: &Arc<Market>, requirements: &[Requirement], as_of: u32) -> View {
    let mut view = View::new(Arc::clone(market), requirements);
    view.advance(Session(as_of)).unwrap();
    view
}
