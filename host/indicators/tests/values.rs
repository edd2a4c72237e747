//! Small cases computed by hand, names, windows and units.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_indicators::{EvaluationError, Indicator, Specification, Unit, WindowError};

const CLOSES: [f64; 8] = [100.0, 101.0, 99.0, 102.0, 105.0, 103.0, 104.0, 106.0];

fn specification(name: &str, window: u32) -> Specification {
    Specification::new(name.parse().unwrap(), Some(window)).unwrap()
}

fn assert_close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-4, "{value} is not {expected}");
}

#[test]
fn values_by_hand() {
    for (name, window, expected) in [
        ("moving-average-price", 3, 313.0 / 3.0),
        ("exponential-moving-average-price", 3, 104.742_187_5),
        ("stdev-price", 3, 1.527_525),
        ("max-drawdown", 8, 100.0 * 2.0 / 101.0),
        ("max-drawdown", 4, 100.0 * 2.0 / 105.0),
        ("max-drawdown", 1, 0.0),
        (
            "moving-average-return",
            2,
            50.0 * (104.0 / 103.0 + 106.0 / 104.0 - 2.0),
        ),
        ("cumulative-return", 7, 6.0),
        ("stdev-return", 2, 0.673_376),
        ("rsi", 3, 77.1930),
    ] {
        assert_close(
            specification(name, window).evaluate(&CLOSES).unwrap(),
            expected,
        );
    }
    let current = Specification::new(Indicator::CurrentPrice, None).unwrap();
    assert_close(current.evaluate(&CLOSES).unwrap(), 106.0);
}

#[test]
fn wilder_starts_with_the_simple_mean() {
    let series = specification("rsi", 3).series(&CLOSES);
    for (closes, expected) in [66.6667, 80.9524, 56.6667, 64.6259, 77.1930]
        .into_iter()
        .enumerate()
    {
        assert_close(
            series.at(4 + u32::try_from(closes).unwrap()).unwrap(),
            expected,
        );
    }
}

#[test]
fn no_change_at_all_is_the_middle_of_the_oscillator() {
    assert_close(
        specification("rsi", 2).evaluate(&[7.0, 7.0, 7.0]).unwrap(),
        50.0,
    );
}

#[test]
fn a_portfolio_may_lose_everything() {
    let returns = [0.1, -1.0, 0.2];
    assert_close(
        specification("max-drawdown", 4)
            .evaluate_returns(&returns)
            .unwrap(),
        100.0,
    );
    let deviation = specification("stdev-price", 2);
    assert_close(deviation.evaluate_returns(&returns).unwrap(), 0.0);
}

#[test]
fn overflow_is_reported() {
    let growth = specification("cumulative-return", 1);
    let error = growth.evaluate(&[f64::MIN_POSITIVE, f64::MAX]).unwrap_err();
    assert_eq!(
        error,
        EvaluationError::NonFinite {
            specification: growth
        }
    );
    assert_eq!(
        error.to_string(),
        "cumulative-return 1 is not a finite number"
    );
}

#[test]
fn a_fall_from_nothing_is_reported() {
    let drawdown = specification("max-drawdown", 2);
    assert!(drawdown.evaluate(&[0.0, 0.0]).is_err());
}

#[test]
fn names_defaults_needs_and_units() {
    use Unit::{Oscillator, Percent, Price};
    for (name, window, need, recursive, unit) in [
        ("current-price", None, 1, false, Price),
        ("moving-average-price", Some(200), 200, false, Price),
        (
            "exponential-moving-average-price",
            Some(12),
            12,
            true,
            Price,
        ),
        ("stdev-price", Some(6), 6, false, Price),
        ("max-drawdown", Some(60), 60, false, Percent),
        ("moving-average-return", Some(21), 22, false, Percent),
        ("cumulative-return", Some(60), 61, false, Percent),
        ("stdev-return", Some(6), 7, false, Percent),
        ("rsi", Some(14), 15, true, Oscillator),
    ] {
        let indicator: Indicator = name.parse().unwrap();
        let specification = Specification::new(indicator, None).unwrap();
        assert_eq!(indicator.to_string(), name);
        assert_eq!(specification.window(), window);
        assert_eq!(specification.need(), need);
        assert_eq!(indicator.is_recursive(), recursive);
        assert_eq!(indicator.unit(), unit);
    }
}

#[test]
fn windows_that_make_no_sense_are_refused() {
    for (name, window, message) in [
        ("current-price", 5, "`current-price` takes no window"),
        ("rsi", 0, "the window of `rsi` is 0; it must be at least 1"),
        (
            "stdev-price",
            1,
            "the window of `stdev-price` is 1; it must be at least 2",
        ),
        (
            "stdev-return",
            1,
            "the window of `stdev-return` is 1; it must be at least 2",
        ),
    ] {
        let error: WindowError =
            Specification::new(name.parse().unwrap(), Some(window)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_largest_window_is_only_too_long() {
    for indicator in Indicator::ALL {
        let window = indicator.default_window().map(|_| u32::MAX);
        let specification = Specification::new(indicator, window).unwrap();
        if window.is_some() {
            assert!(specification.evaluate(&CLOSES).is_err());
            assert!(specification.evaluate_returns(&CLOSES).is_err());
        }
    }
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error = "macd".parse::<Indicator>().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there is no indicator `macd`; there are current-price, ")
    );
}
