//! What holds for every indicator, window and series.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alchemiser_indicators::{EvaluationError, Indicator, Series, Specification};
use proptest::prelude::*;

fn specification() -> impl Strategy<Value = Specification> {
    (prop::sample::select(&Indicator::ALL), 1u32..40).prop_map(|(indicator, window)| {
        let window = indicator
            .minimum_window()
            .map(|minimum| window.max(minimum));
        Specification::new(indicator, window).unwrap()
    })
}

fn closes() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.01f64..1000.0, 0..120)
}

fn returns() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-0.5f64..0.5, 0..120)
}

/// Closes in which a few are not finite.
fn broken_closes() -> impl Strategy<Value = Vec<f64>> {
    let close = prop_oneof![
        20 => 0.01f64..1000.0,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ];
    prop::collection::vec(close, 0..120)
}

fn bits(value: Result<f64, EvaluationError>) -> Result<u64, EvaluationError> {
    value.map(f64::to_bits)
}

fn count(values: &[f64]) -> u32 {
    u32::try_from(values.len()).unwrap()
}

proptest! {
    /// A value does not depend on anything after its point, and is the same to
    /// the last bit whether one value is asked for or all.
    #[test]
    fn a_series_holds_the_value_of_each_prefix(
        specification in specification(),
        closes in broken_closes(),
    ) {
        let series = specification.series(&closes);
        for length in 0..=closes.len() {
            let prefix = &closes[..length];
            prop_assert_eq!(bits(series.at(count(prefix))), bits(specification.evaluate(prefix)));
        }
    }

    /// Point by point is the same to the last bit as all at once.
    #[test]
    fn a_recursion_answers_what_the_series_holds(
        specification in specification(),
        closes in broken_closes(),
    ) {
        prop_assert_eq!(
            specification.recursion().is_some(),
            specification.indicator().is_recursive()
        );
        if let Some(mut recursion) = specification.recursion() {
            let series = specification.series(&closes);
            for (seen, close) in closes.iter().enumerate() {
                let seen = u32::try_from(seen).unwrap() + 1;
                prop_assert_eq!(bits(recursion.push(*close)), bits(series.at(seen)));
            }
        }
    }

    #[test]
    fn a_series_of_returns_holds_the_value_of_each_prefix(
        specification in specification(),
        returns in returns(),
    ) {
        let series = specification.series_of_returns(&returns);
        for length in 0..=returns.len() {
            let prefix = &returns[..length];
            prop_assert_eq!(
                bits(series.at(count(prefix) + 1)),
                bits(specification.evaluate_returns(prefix))
            );
        }
    }

    /// Only the closes declared as needed matter, unless it is recursive.
    #[test]
    fn no_close_before_those_needed_matters(
        specification in specification(),
        closes in closes(),
        other in closes(),
    ) {
        prop_assume!(!specification.indicator().is_recursive());
        prop_assume!(closes.len() >= specification.need() as usize);
        let tail = &closes[closes.len() - specification.need() as usize..];
        let with_other_past = [other.as_slice(), tail].concat();
        prop_assert_eq!(
            bits(specification.evaluate(&with_other_past)),
            bits(specification.evaluate(tail))
        );
    }

    #[test]
    fn too_short_a_history_is_an_error(specification in specification(), closes in closes()) {
        let (need, have) = (specification.need(), count(&closes));
        let expected = EvaluationError::InsufficientHistory { need, have };
        match specification.evaluate(&closes) {
            Ok(value) => prop_assert!(have >= need && value.is_finite()),
            Err(error) => prop_assert!(have < need && error == expected),
        }
    }

    /// A close that is not finite never turns into a plausible value.
    #[test]
    fn a_close_that_is_not_finite_is_reported(
        specification in specification(),
        closes in broken_closes(),
    ) {
        prop_assume!(closes.len() >= specification.need() as usize);
        let seen = if specification.indicator().is_recursive() {
            &closes[..]
        } else {
            &closes[closes.len() - specification.need() as usize..]
        };
        let all_finite = seen.iter().all(|close| close.is_finite());
        let non_finite = EvaluationError::NonFinite { specification };
        match specification.evaluate(&closes) {
            Ok(_) => prop_assert!(all_finite),
            Err(error) => prop_assert!(!all_finite && error == non_finite),
        }
    }

    /// The returns of a series of closes and the closes themselves give the
    /// same, but for the scale of prices and the last bits.
    #[test]
    fn returns_and_closes_agree(specification in specification(), closes in closes()) {
        prop_assume!(!closes.is_empty());
        let scaled: Vec<f64> = closes.iter().map(|close| close / closes[0] * 100.0).collect();
        let returns: Vec<f64> =
            closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        match (specification.evaluate(&scaled), specification.evaluate_returns(&returns)) {
            (Ok(left), Ok(right)) => {
                let scale = left.abs().max(scaled.iter().copied().fold(1.0, f64::max));
                prop_assert!((left - right).abs() <= 1e-9 * scale, "{left} {right}");
            }
            (left, right) => prop_assert_eq!(left, right),
        }
    }

    #[test]
    fn values_lie_in_their_ranges(specification in specification(), closes in closes()) {
        if let Ok(value) = specification.evaluate(&closes) {
            match specification.indicator() {
                Indicator::RelativeStrengthIndex | Indicator::MaximumDrawdown => {
                    prop_assert!((0.0..=100.0).contains(&value));
                }
                Indicator::StandardDeviationPrice | Indicator::StandardDeviationReturn => {
                    prop_assert!(value >= 0.0);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_length_of_a_series_is_what_history_allows(
        specification in specification(),
        closes in closes(),
    ) {
        let series: Series = specification.series(&closes);
        let expected = (closes.len() + 1).saturating_sub(specification.need() as usize);
        prop_assert_eq!(series.len(), expected);
        prop_assert_eq!(series.is_empty(), expected == 0);
        prop_assert!(series.at(count(&closes) + 1).is_err(), "there is no value after the end");
    }
}
