//! What a strategy answers, and how two answers differ.

use alchemiser_events::{Decimal, ErrorDetail, Symbol, Weight};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What came of asking a strategy.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Its weights.
    Weights(BTreeMap<Symbol, Weight>),
    /// It says that it cannot answer, or wants to hold what cannot be held.
    Error(ErrorDetail),
    /// The host ended the call, or refused the answer.
    Defect {
        /// What the plugin did.
        detail: ErrorDetail,
        /// What to do about it; may be empty.
        advice: String,
    },
}

impl Answer {
    /// Whether another answer is the same, weights within a tolerance.
    #[must_use]
    pub fn is_alike(&self, other: &Self, tolerance: Decimal) -> bool {
        match (self, other) {
            (Self::Weights(left), Self::Weights(right)) => {
                differences(left, right, tolerance).is_empty()
            }
            (Self::Error(left), Self::Error(right)) => left == right,
            (Self::Defect { detail: left, .. }, Self::Defect { detail: right, .. }) => {
                left.class == right.class
            }
            _ => false,
        }
    }

    /// The error, whoever says it.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorDetail> {
        match self {
            Self::Weights(_) => None,
            Self::Error(detail) | Self::Defect { detail, .. } => Some(detail),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights(weights) => {
                let held: Vec<String> = weights
                    .iter()
                    .filter(|(_, weight)| !weight.is_zero())
                    .map(|(symbol, weight)| format!("{symbol} {}", shown(weight.decimal())))
                    .collect();
                if held.is_empty() {
                    formatter.write_str("nothing held")
                } else {
                    formatter.write_str(&held.join(", "))
                }
            }
            Self::Error(detail) | Self::Defect { detail, .. } => {
                write!(formatter, "{} ({})", detail.class, detail.message)
            }
        }
    }
}

/// Something that was expected to be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The symbol, or the field.
    pub name: String,
    /// What was expected; `None` for nothing.
    pub expected: Option<String>,
    /// What there is.
    pub got: Option<String>,
    /// What there is less what was expected, of numbers.
    pub difference: Option<String>,
}

impl Difference {
    /// Of two numbers, where a number that is not there is 0; `None` if they are
    /// alike.
    pub(crate) fn of_numbers(
        name: impl fmt::Display,
        expected: Option<Decimal>,
        got: Option<Decimal>,
        tolerance: Decimal,
    ) -> Option<Self> {
        let difference = got.unwrap_or_default() - expected.unwrap_or_default();
        (difference.abs() > tolerance).then(|| Self {
            name: name.to_string(),
            expected: expected.map(shown),
            got: got.map(shown),
            difference: Some(shown(difference)),
        })
    }
}

/// How weights differ, by symbol. A weight of 0 is none.
pub(crate) fn differences(
    expected: &BTreeMap<Symbol, Weight>,
    got: &BTreeMap<Symbol, Weight>,
    tolerance: Decimal,
) -> Vec<Difference> {
    let symbols: BTreeSet<&Symbol> = expected.keys().chain(got.keys()).collect();
    let weight = |weights: &BTreeMap<Symbol, Weight>, symbol| {
        weights.get(symbol).map(|weight| weight.decimal())
    };
    symbols
        .into_iter()
        .filter_map(|symbol| {
            let expected = weight(expected, symbol);
            Difference::of_numbers(symbol, expected, weight(got, symbol), tolerance)
        })
        .collect()
}

/// A number to at most ten decimals, as weights are shown elsewhere; a smaller
/// one as it is.
pub(crate) fn shown(number: Decimal) -> String {
    let rounded = number.round_dp(10).normalize();
    if rounded.is_zero() && !number.is_zero() {
        return number.normalize().to_string();
    }
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn weights(pairs: &[(&str, &str)]) -> BTreeMap<Symbol, Weight> {
        pairs
            .iter()
            .map(|(symbol, weight)| {
                let weight = Weight::new(weight.parse().unwrap()).unwrap();
                (Symbol::parse(symbol).unwrap(), weight)
            })
            .collect()
    }

    #[test]
    fn a_missing_weight_is_zero() {
        let tolerance = Decimal::new(1, 9);
        let expected = weights(&[("A", "0.5"), ("B", "0.25"), ("C", "0")]);
        let got = weights(&[("A", "0.5000000005"), ("D", "0.25")]);
        let rows: Vec<String> = differences(&expected, &got, tolerance)
            .iter()
            .map(|row| {
                let text = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
                let [expected, got] = [&row.expected, &row.got].map(text);
                format!("{} {expected} {got} {}", row.name, text(&row.difference))
            })
            .collect();
        assert_eq!(rows, ["B 0.25 - -0.25", "D - 0.25 0.25"]);
    }
}
