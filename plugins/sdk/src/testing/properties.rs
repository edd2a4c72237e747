//! What every strategy has to keep to.

use super::market::TestMarket;
use super::{random_walk, shown};
use crate::error::Result;
use crate::market::Session;
use crate::strategy::Strategy;
use crate::weights::Weights;

/// What to do about an answer that depends on more than the session.
const STATELESS: &str = "keep nothing from one call to the next, in no `static` and in no cache, \
                         and go through no `HashMap`: its order is another each time";

/// As many sessions are tried at most, spread over all there are.
const TRIED: u32 = 60;

/// Checks that answers do not depend on what comes after their session.
///
/// A strategy is loaded and asked on the market as it is, and then on markets
/// that are the same up to the session and differ after it: they end there, all
/// later closes are ten times as high or a tenth, they walk elsewhere, or they
/// are missing. The answers, errors included, have to be the same.
///
/// `load` makes the strategy, and is given the market. Most strategies ignore it;
/// but whoever derives parameters from prices has to do it here, since parameters
/// that were fitted to the future are the most common way to look ahead.
///
/// ```should_panic
/// use alchemiser_sdk::testing::{self, TestMarket};
/// # use alchemiser_sdk::{Files, NoParameters, Requirement, Result, Strategy, Today, Weights};
/// # struct Above(f64);
/// # impl Strategy for Above {
/// #     type Parameters = NoParameters;
/// #     fn load(_: NoParameters, _: &Files) -> Result<Self> { Ok(Self(0.0)) }
/// #     fn requirements(&self) -> Vec<Requirement> { vec![Requirement::last("SPY", 1)] }
/// #     fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
/// #         if today.close("SPY")? > self.0 { Weights::all_in("SPY") } else { Ok(Weights::nothing()) }
/// #     }
/// # }
/// let market = TestMarket::random_walk(7, 250, &["SPY"]);
/// testing::never_looks_ahead(&market, |market| {
///     // The mean of all closes: on most days nobody could know it.
///     let last = market.as_of(market.sessions() - 1);
///     let mean = last.today().moving_average_price("SPY", market.sessions())?;
///     Ok(Above(mean))
/// });
/// ```
///
/// # Panics
/// An answer differs. The message has the session, what was changed, and both
/// answers.
#[track_caller]
pub fn never_looks_ahead<S: Strategy>(
    market: &TestMarket,
    load: impl Fn(&TestMarket) -> Result<S>,
) {
    for session in tried(market) {
        let expected = fresh(market, &load, session);
        // What changes by itself would seem to look ahead.
        let again = fresh(market, &load, session);
        assert!(
            again == expected,
            "the answer as of session {session} ({}) depends on more than the session\n  \
             of a strategy just loaded: {}\n  of another just loaded: {}\n  {STATELESS}",
            market.date(session),
            shown(&expected),
            shown(&again)
        );
        for (what, other) in other_futures(market, session) {
            let found = fresh(&other, &load, session);
            assert!(
                found == expected,
                "the answer as of session {session} ({}) depends on what comes after it\n  \
                 as it is: {}\n  {what}: {}",
                market.date(session),
                shown(&expected),
                shown(&found)
            );
        }
    }
}

/// Markets that differ after a session, and how.
fn other_futures(market: &TestMarket, session: Session) -> [(&'static str, TestMarket); 5] {
    let scaled = |factor| {
        market.with_later(session, |_| {
            move |_, bar: Option<f64>| bar.map(|bar| bar * factor)
        })
    };
    let length = market.sessions() as usize;
    let walking = market.with_later(session, |symbol| {
        let walk = random_walk(u64::from(session), symbol, length);
        move |place, _| walk.get(place).copied()
    });
    let missing = market.with_later(session, |_| |_, _| None);
    [
        ("if prices end there", market.until(session)),
        ("if all later closes are ten times as high", scaled(10.0)),
        ("if all later closes are a tenth", scaled(0.1)),
        ("if prices walk elsewhere later", walking),
        ("if there are no bars later", missing),
    ]
}

/// Checks that answers depend on the session alone: not on the calls before, nor
/// on anything else, such as a counter.
///
/// For each session a strategy that is loaded for it has to answer the same as
/// another one, as one that has been asked all sessions before, and as one that
/// has been asked few of them; and the same again when asked twice.
///
/// # Panics
/// An answer differs. The message has the session, what was asked before, and
/// both answers.
#[track_caller]
pub fn depends_on_the_session_alone<S: Strategy>(
    market: &TestMarket,
    load: impl Fn(&TestMarket) -> Result<S>,
) {
    let mut every = load(market);
    let mut few = load(market);
    let compared: Vec<Session> = tried(market).collect();
    for session in 0..market.sessions() {
        let ascending = ask(market, &mut every, session);
        if !compared.contains(&session) {
            continue;
        }
        let expected = fresh(market, &load, session);
        for (whose, found) in [
            ("of another just loaded", fresh(market, &load, session)),
            ("of one asked every session before", ascending),
            ("of the same, asked twice", ask(market, &mut every, session)),
            (
                "of one asked few sessions before",
                ask(market, &mut few, session),
            ),
        ] {
            assert!(
                found == expected,
                "the answer as of session {session} ({}) depends on more than the session\n  \
                 of a strategy just loaded: {}\n  {whose}: {}\n  {STATELESS}",
                market.date(session),
                shown(&expected),
                shown(&found)
            );
        }
    }
}

fn fresh<S: Strategy>(
    market: &TestMarket,
    load: impl Fn(&TestMarket) -> Result<S>,
    session: Session,
) -> Result<Weights> {
    ask(market, &mut load(market), session)
}

/// A strategy that could not be loaded answers with the reason.
fn ask<S: Strategy>(
    market: &TestMarket,
    strategy: &mut Result<S>,
    session: Session,
) -> Result<Weights> {
    match strategy {
        Ok(strategy) => market.evaluate(strategy, session),
        Err(error) => Err(error.clone()),
    }
}

/// The sessions to try, ascending; the last is among them.
fn tried(market: &TestMarket) -> impl Iterator<Item = Session> {
    let sessions = market.sessions();
    let step = sessions.div_ceil(TRIED).max(1);
    let offset = sessions.saturating_sub(1) % step;
    (offset..sessions).step_by(step as usize)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Files, NoParameters, Requirement, Today};
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A strategy of one function.
    struct Made<F>(F);

    impl<F: FnMut(&Today<'_>) -> Result<Weights> + 'static> Strategy for Made<F> {
        type Parameters = NoParameters;

        fn load(_: NoParameters, _: &Files) -> Result<Self> {
            unreachable!("tests make it themselves")
        }

        fn requirements(&self) -> Vec<Requirement> {
            vec![Requirement::last("SPY", 3)]
        }

        fn evaluate(&mut self, today: &Today<'_>) -> Result<Weights> {
            (self.0)(today)
        }
    }

    fn held(holds: bool) -> Result<Weights> {
        Ok(if holds {
            Weights::all_in("SPY")?
        } else {
            Weights::nothing()
        })
    }

    fn market() -> TestMarket {
        TestMarket::random_walk(3, 200, &["SPY"])
    }

    fn message(check: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
        *panic.downcast::<String>().unwrap()
    }

    /// What is right passes, errors of the first sessions included.
    #[test]
    fn an_honest_strategy_passes() {
        let honest = |_: &TestMarket| {
            Ok(Made(|today: &Today<'_>| {
                held(today.close("SPY")? > today.moving_average_price("SPY", 3)?)
            }))
        };
        never_looks_ahead(&market(), honest);
        depends_on_the_session_alone(&market(), honest);
    }

    /// One that took the prices themselves past the view that hides the future.
    #[test]
    fn a_look_at_tomorrows_price_is_caught() {
        let said =
            message(|| {
                never_looks_ahead(&market(), |market| {
                    let all: Vec<f64> = market.symbols[0].closes.clone();
                    Ok(Made(move |today: &Today<'_>| {
                        let tomorrow = all.get(today.session() as usize + 1);
                        held(tomorrow.is_some_and(|close| {
                            today.close("SPY").is_ok_and(|today| *close > today)
                        }))
                    }))
                });
            });
        assert_eq!(
            said,
            "the answer as of session 3 (2018-01-04) depends on what comes after it\n  \
             as it is: SPY 1\n  \
             if prices end there: nothing"
        );
    }

    #[test]
    fn parameters_fitted_to_all_prices_are_caught() {
        let said = message(|| {
            never_looks_ahead(&market(), |market| {
                let closes = &market.symbols[0].closes;
                let highest = closes.iter().copied().fold(0.0, f64::max);
                Ok(Made(move |today: &Today<'_>| {
                    held(today.close("SPY")? > 0.9 * highest)
                }))
            });
        });
        assert!(said.contains("depends on what comes after it"), "{said}");
    }

    /// The view itself refuses; no property is needed for that.
    #[test]
    fn a_question_about_tomorrow_is_refused() {
        let said = message(|| {
            never_looks_ahead(&market(), |_| {
                Ok(Made(|today: &Today<'_>| {
                    let spy = today.market().find("SPY")?;
                    held(today.market().close(spy, today.session() + 1)? > 1.0)
                }))
            });
        });
        assert!(said.starts_with("look-ahead: session "), "{said}");
    }

    #[test]
    fn a_static_counter_is_caught() {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        for period in [2, 3, 7] {
            let said = message(|| {
                depends_on_the_session_alone(&market(), |_| {
                    Ok(Made(move |_: &Today<'_>| {
                        held(CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(period))
                    }))
                });
            });
            assert!(said.contains("depends on more than the session"), "{said}");
        }
    }

    /// Sells when the price is below that of the session asked before.
    #[test]
    fn a_memory_is_caught() {
        let said = message(|| {
            depends_on_the_session_alone(&market(), |_| {
                let last = Rc::new(Cell::new(None::<f64>));
                Ok(Made(move |today: &Today<'_>| {
                    let close = today.close("SPY")?;
                    held(last.replace(Some(close)).is_none_or(|last| close >= last))
                }))
            });
        });
        assert!(
            said.contains("of one asked every session before: nothing"),
            "{said}"
        );
    }

    #[test]
    fn sessions_are_spread_up_to_the_last() {
        for (sessions, expected) in [(1, vec![0]), (3, vec![0, 1, 2])] {
            let market = TestMarket::random_walk(1, sessions, &["SPY"]);
            assert_eq!(tried(&market).collect::<Vec<_>>(), expected);
        }
        let market = TestMarket::random_walk(1, 1000, &["SPY"]);
        let sessions: Vec<Session> = tried(&market).collect();
        assert_eq!(sessions.last(), Some(&999));
        assert!((50..=60).contains(&sessions.len()), "{sessions:?}");
        assert_eq!(tried(&TestMarket::new()).count(), 0);
    }
}
