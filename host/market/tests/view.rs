//! What a view answers, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

mod support;

use alchemiser_indicators::Indicator;
use alchemiser_market::{
    AdvanceError, CsvSource, DataError, Market, ReadError, Requirement, Session, SymbolHandle,
    View, ViolationError,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use support::{all, date, last, market, symbol, view};

/// `AAA` trades on all of ten days at 1.00, 2.00 …; `BBB` begins on day 4 and
/// lacks day 6; `CCC` trades on the days 0, 4 and 5.
fn sample() -> Arc<Market> {
    let traded = |days: &[u32]| {
        (0..10)
            .map(|day| days.contains(&day).then_some((day + 1) * 100))
            .collect()
    };
    market(&BTreeMap::from([
        ("AAA", traded(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])),
        ("BBB", traded(&[4, 5, 7, 8, 9])),
        ("CCC", traded(&[0, 4, 5])),
    ]))
}

fn data<T>(result: Result<T, ReadError>) -> DataError {
    match result {
        Err(ReadError::Data(error)) => error,
        Err(ReadError::Violation(violation)) => panic!("a violation: {violation}"),
        Ok(_) => panic!("an answer"),
    }
}

fn violation<T>(result: Result<T, impl Into<ReadError>>) -> ViolationError {
    match result.map_err(Into::into) {
        Err(ReadError::Violation(violation)) => violation,
        Err(ReadError::Data(error)) => panic!("a data error: {error}"),
        Ok(_) => panic!("an answer"),
    }
}

#[test]
fn prices_and_counts() {
    let view = view(&sample(), &[all("AAA"), all("BBB")], 8);
    let (a, b) = (view.find("AAA").unwrap(), view.find("bbb").unwrap());
    assert_eq!(view.date(Session(8)), Ok(date(8)));
    assert_eq!(view.close(a, Session(3)), Ok(4.0));
    assert_eq!(view.closes(a, Session(8), 3).unwrap(), [7.0, 8.0, 9.0]);
    assert!(view.closes(a, Session(8), 0).unwrap().is_empty());

    let counts = (0..=8).map(|session| view.bars(b, Session(session)).unwrap());
    assert_eq!(counts.collect::<Vec<_>>(), [0, 0, 0, 0, 1, 2, 2, 3, 4]);
    assert_eq!(
        view.close(b, Session(6)),
        Ok(6.0),
        "the last one on or before"
    );
    assert_eq!(view.closes(b, Session(8), 3).unwrap(), [6.0, 8.0, 9.0]);
    let last_bars = (4..=8).map(|session| view.last_bar(b, Session(session)).unwrap().0);
    assert_eq!(last_bars.collect::<Vec<_>>(), [4, 5, 5, 7, 8]);
}

#[test]
fn short_history() {
    let mut view = view(&sample(), &[all("BBB")], 8);
    let b = view.find("BBB").unwrap();
    let short = |need, have| DataError::InsufficientHistory {
        symbol: symbol("BBB"),
        need,
        have,
    };
    assert_eq!(data(view.close(b, Session(3))), short(1, 0));
    assert_eq!(data(view.last_bar(b, Session(3))), short(1, 0));
    assert_eq!(data(view.closes(b, Session(7), 4)), short(4, 3));
    let returns = view.indicator("cumulative-return", b, Some(3)).unwrap();
    assert_eq!(data(view.value(returns, Session(7))), short(4, 3));
    assert_eq!(view.value(returns, Session(8)), Ok(80.0));
}

#[test]
fn data_errors_have_classes() {
    let mut view = view(&sample(), &[all("AAA"), all("QQQ"), all("CCC")], 8);
    let a = view.find("AAA").unwrap();
    for (error, class, message) in [
        (
            data(view.find("QQQ")),
            "NoData",
            "there are no prices for `QQQ`",
        ),
        (
            data(view.find("CCC")),
            "BadData",
            "`CCC` has no bar on 3 of the 6 sessions between its first and its last",
        ),
        (
            data(view.indicator("rsi", a, Some(0))),
            "ArgumentError",
            "the window of `rsi` is 0; it must be at least 1",
        ),
        (
            data(view.indicator("current-price", a, Some(1))),
            "ArgumentError",
            "`current-price` takes no window",
        ),
        (
            data(view.closes(a, Session(2), 5)),
            "InsufficientHistory",
            "`AAA` has 3 bars and 5 are needed",
        ),
    ] {
        assert_eq!(error.class(), class);
        assert_eq!(error.to_string(), message);
    }
    let unknown = data(view.indicator("macd", a, None)).to_string();
    assert!(
        unknown.starts_with("there is no indicator `macd`; there are"),
        "{unknown}"
    );
}

/// Whether a symbol has too many gaps is judged on what is known at the time.
#[test]
fn missing_sessions_count_up_to_the_session() {
    let market = sample();
    let mut view = View::new(Arc::clone(&market), &[all("BBB"), all("CCC")]);
    let mut usable = Vec::new();
    for as_of in 0..10 {
        view.advance(Session(as_of)).unwrap();
        usable.push((view.find("BBB").is_ok(), view.find("CCC").is_ok()));
    }
    assert_eq!(
        usable,
        [
            (true, true),
            (true, true),
            (true, true),
            (true, true),
            // `CCC` lacks 3 of 5 sessions once its second bar is there.
            (true, false),
            (true, false),
            (true, false),
            // `BBB` lacks 1 of 4 sessions, then 1 of 5.
            (false, false),
            (true, false),
            (true, false),
        ]
    );
}

/// A handle from a better time does not get around the judgement.
#[test]
fn a_symbol_that_went_bad_stays_unusable() {
    let mut view = view(&sample(), &[all("CCC")], 3);
    let c = view.find("CCC").unwrap();
    let price = view.indicator("current-price", c, None).unwrap();
    view.advance(Session(4)).unwrap();
    for error in [
        data(view.close(c, Session(4))),
        data(view.value(price, Session(4))),
    ] {
        assert_eq!(error.class(), "BadData");
    }
}

#[test]
fn the_future_is_refused() {
    let mut view = view(&sample(), &[all("AAA")], 3);
    let a = view.find("AAA").unwrap();
    let mean = view.indicator("moving-average-price", a, Some(2)).unwrap();
    let asked = Session(4);
    let refused = ViolationError::LookAhead {
        asked,
        as_of: Session(3),
        date: date(3),
    };
    assert_eq!(violation(view.date(asked)), refused);
    assert_eq!(violation(view.bars(a, asked)), refused);
    assert_eq!(violation(view.close(a, asked)), refused);
    assert_eq!(violation(view.last_bar(a, asked)), refused);
    assert_eq!(violation(view.closes(a, asked, 2)), refused);
    assert_eq!(violation(view.value(mean, asked)), refused);
    assert!(view.date(Session(u32::MAX)).is_err());
    assert_eq!(
        refused.to_string(),
        "session 4 was asked for while session 3 (2020-01-04) was evaluated"
    );
}

#[test]
fn undeclared_symbols_are_refused() {
    let view = view(&sample(), &[all("AAA")], 3);
    for name in ["BBB", "", "no symbol"] {
        let refused = ViolationError::UndeclaredSymbol {
            name: name.to_owned(),
        };
        assert_eq!(violation(view.find(name)), refused);
    }
}

#[test]
fn handles_that_were_never_handed_out_are_refused() {
    let mut view = view(&sample(), &[all("AAA"), all("QQQ")], 3);
    let refused = |handle| ViolationError::UnknownHandle {
        kind: "symbol",
        handle,
    };
    for handle in [1, 2, u32::MAX] {
        let symbol = SymbolHandle(handle);
        assert_eq!(violation(view.bars(symbol, Session(0))), refused(handle));
        assert_eq!(violation(view.close(symbol, Session(0))), refused(handle));
        assert_eq!(
            violation(view.last_bar(symbol, Session(0))),
            refused(handle)
        );
        assert_eq!(
            violation(view.indicator("rsi", symbol, None)),
            refused(handle)
        );
    }
    let series = alchemiser_market::SeriesHandle(0);
    assert_eq!(
        violation(view.value(series, Session(0))).to_string(),
        "0 is not a series that was handed out"
    );
}

#[test]
fn only_the_declared_history_can_be_read() {
    let mut view = view(&sample(), &[last("AAA", 4)], 8);
    let a = view.find("AAA").unwrap();
    let refused = |needed| ViolationError::UndeclaredHistory {
        symbol: symbol("AAA"),
        declared: 4,
        needed,
    };
    // The bars of the sessions 5 to 8 are declared.
    assert_eq!(view.closes(a, Session(8), 4).unwrap(), [6.0, 7.0, 8.0, 9.0]);
    assert_eq!(view.bars(a, Session(5)), Ok(6), "all bars count");
    assert_eq!(violation(view.closes(a, Session(8), 5)), refused(5));
    assert_eq!(violation(view.closes(a, Session(7), 4)), refused(5));
    assert_eq!(view.last_bar(a, Session(5)), Ok(Session(5)));
    assert_eq!(violation(view.close(a, Session(4))), refused(5));
    assert_eq!(violation(view.last_bar(a, Session(4))), refused(5));
    assert_eq!(violation(view.bars(a, Session(4))), refused(5));

    let mean = view.indicator("moving-average-price", a, Some(3)).unwrap();
    assert_eq!(view.value(mean, Session(7)), Ok(7.0));
    assert_eq!(violation(view.value(mean, Session(6))), refused(5));
    // A window that fits on no session is refused at once, so that it does not
    // take years of data to notice.
    assert_eq!(
        violation(view.indicator("moving-average-price", a, Some(5))),
        refused(5)
    );
    assert_eq!(
        violation(view.indicator("cumulative-return", a, Some(4))),
        refused(5)
    );
    for indicator in [
        Indicator::RelativeStrengthIndex,
        Indicator::ExponentialMovingAveragePrice,
    ] {
        let refused = ViolationError::RecursiveOnPart {
            symbol: symbol("AAA"),
            indicator,
        };
        assert_eq!(
            violation(view.indicator(indicator.name(), a, Some(2))),
            refused
        );
    }
    assert_eq!(
        refused(5).to_string(),
        "`AAA` is declared with its last 4 bars and at least 5 were needed; declare more sessions"
    );
}

#[test]
fn fewer_bars_than_declared_are_short_history() {
    let view = view(&sample(), &[last("AAA", 20)], 8);
    let a = view.find("AAA").unwrap();
    assert_eq!(
        data(view.closes(a, Session(8), 15)).class(),
        "InsufficientHistory"
    );
}

#[test]
fn the_longest_of_several_declarations_counts() {
    for requirements in [
        [last("AAA", 2), last("AAA", 5), last("AAA", 3)],
        [last("AAA", 5), all("AAA"), last("AAA", 1)],
    ] {
        let view = view(&sample(), &requirements, 8);
        let a = view.find("AAA").unwrap();
        assert!(view.closes(a, Session(8), 5).is_ok());
    }
}

#[test]
fn a_view_only_moves_forward() {
    let mut view = View::new(sample(), &[all("AAA")]);
    assert_eq!(violation(view.find("AAA")), ViolationError::NotEvaluating);
    assert_eq!(
        violation(view.date(Session(0))),
        ViolationError::NotEvaluating
    );

    view.advance(Session(5)).unwrap();
    view.advance(Session(5)).unwrap();
    let back = AdvanceError::Backwards {
        from: Session(5),
        to: Session(4),
    };
    assert_eq!(view.advance(Session(4)), Err(back));
    let past_the_end = AdvanceError::PastTheEnd { to: Session(10) };
    assert_eq!(view.advance(Session(10)), Err(past_the_end));
    assert_eq!(view.as_of(), Some(Session(5)));
}

#[test]
fn series_are_handed_out_once() {
    let mut view = view(&sample(), &[all("AAA")], 8);
    let a = view.find("AAA").unwrap();
    let default = view.indicator("rsi", a, None).unwrap();
    assert_eq!(view.indicator("rsi", a, Some(14)), Ok(default));
    assert_ne!(view.indicator("rsi", a, Some(15)), Ok(default));
}

#[test]
fn the_series_of_a_view_are_limited() {
    let mut view = view(&sample(), &[all("AAA")], 8);
    let a = view.find("AAA").unwrap();
    let refused = (1..).find_map(|window| {
        view.indicator("moving-average-price", a, Some(window))
            .err()
    });
    let limit = View::SERIES_LIMIT;
    assert_eq!(
        refused,
        Some(ReadError::Violation(ViolationError::TooManySeries {
            limit
        }))
    );
}

/// Many threads with views of their own on one market.
#[test]
fn a_market_is_shared() {
    let market = sample();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut view = view(&market, &[all("AAA")], 9);
                let a = view.find("AAA").unwrap();
                let mean = view.indicator("moving-average-price", a, Some(10)).unwrap();
                assert_eq!(view.value(mean, Session(9)), Ok(5.5));
            });
        }
    });
}

#[test]
fn golden_values() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let market = Arc::new(CsvSource::new(root.join("data")).read().unwrap());
    let golden = root.join("tests/golden/bundled/indicators.jsonl");
    let golden = std::fs::read_to_string(golden).unwrap();
    let requirements: Vec<Requirement> = market
        .symbols()
        .map(|symbol| all(symbol.as_str()))
        .collect();
    for line in golden.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let date = row["date"].as_str().unwrap().parse().unwrap();
        let as_of = market.calendar().on_or_before(date).unwrap();
        let mut view = view(&market, &requirements, as_of.0);
        let window = row["window"]
            .as_u64()
            .map(|window| u32::try_from(window).unwrap());
        let symbol = view.find(row["symbol"].as_str().unwrap()).unwrap();
        let name = row["indicator"].as_str().unwrap();
        let series = view.indicator(name, symbol, window).unwrap();
        match view.value(series, as_of) {
            Ok(value) => {
                let expected: f64 = row["value"].as_str().unwrap().parse().unwrap();
                let tolerance = (expected.abs() * 1e-9).max(1e-12);
                assert!((value - expected).abs() <= tolerance, "{line}: {value}");
            }
            Err(error) => assert_eq!(data::<f64>(Err(error)).class(), row["error"], "{line}"),
        }
    }
}
