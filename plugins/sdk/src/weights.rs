//! A strategy's answer.

use crate::error::{Error, Result};
use crate::symbol::spelling;
use std::fmt;
use std::ops::Deref;

/// A share of the portfolio, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Ticker.
    pub symbol: String,
    /// Share, 0 to 1; those of an answer add up to at most 1.
    pub weight: f64,
}

impl Weight {
    /// A share of the portfolio.
    pub fn new(symbol: impl Into<String>, weight: f64) -> Self {
        Self {
            symbol: symbol.into(),
            weight,
        }
    }
}

/// What to hold: a share of the portfolio for each symbol. What the shares
/// leave of 1 stays uninvested.
///
/// It cannot hold anything that the host would refuse. A weight that is
/// negative or not finite, a symbol that is none or is there already, and a sum
/// above 1 are refused where they are added, with an error of the class
/// `WeightError` that names symbol and numbers.
///
/// ```
/// use alchemiser_sdk::Weights;
///
/// assert_eq!(Weights::nothing(), []);
/// assert_eq!(Weights::all_in("SPY")?, [("SPY", 1.0)]);
/// assert_eq!(Weights::equal(["SPY", "TLT"])?, [("SPY", 0.5), ("TLT", 0.5)]);
/// // Two of four places are taken; half of the portfolio stays uninvested.
/// assert_eq!(Weights::equal_parts(4, ["SPY", "TLT"])?, [("SPY", 0.25), ("TLT", 0.25)]);
/// assert_eq!(Weights::proportional([("SPY", 3.0), ("TLT", 1.0)])?, [("SPY", 0.75), ("TLT", 0.25)]);
///
/// let mut weights = Weights::nothing();
/// weights.add("SPY", 0.75)?;
/// let refused = weights.add("TLT", 0.5).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "WeightError: `TLT` with 0.5 brings the sum of the weights to 1.25, which is above 1"
/// );
/// # Ok::<(), alchemiser_sdk::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(Vec<Weight>);

impl Weights {
    /// How far above 1 a weight, or all together, may come out of binary sums;
    /// the host has the same.
    const OVERSHOOT: f64 = 1e-9;

    /// Everything stays uninvested.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Everything in one symbol.
    ///
    /// # Errors
    /// The text is no symbol.
    pub fn all_in(symbol: impl Into<String>) -> Result<Self> {
        Self::nothing().with(symbol, 1.0)
    }

    /// The same share of the whole for each symbol; nothing if there are none.
    ///
    /// # Errors
    /// See [`Weights`].
    pub fn equal<S: Into<String>>(symbols: impl IntoIterator<Item = S>) -> Result<Self> {
        let symbols: Vec<S> = symbols.into_iter().collect();
        Self::equal_parts(symbols.len(), symbols)
    }

    /// One part of `places` for each symbol. Places that no symbol takes stay
    /// uninvested.
    ///
    /// # Errors
    /// There are more symbols than places; else see [`Weights`].
    pub fn equal_parts<S: Into<String>>(
        places: usize,
        symbols: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let mut weights = Self::nothing();
        let part = 1.0 / places as f64;
        for symbol in symbols {
            let symbol = symbol.into();
            if weights.len() == places {
                let message =
                    format!("no place is left for `{symbol}`; there is room for {places}");
                return Err(refusal(&symbol, message));
            }
            weights.add(symbol, part)?;
        }
        Ok(weights)
    }

    /// The whole, divided in proportion to scores that are 0 or more.
    ///
    /// # Errors
    /// A score is negative or not finite, or all of them are 0, which says
    /// nothing about proportions; else see [`Weights`].
    pub fn proportional<S: Into<String>>(
        scores: impl IntoIterator<Item = (S, f64)>,
    ) -> Result<Self> {
        let scores: Vec<(String, f64)> = scores
            .into_iter()
            .map(|(symbol, score)| (symbol.into(), score))
            .collect();
        for (symbol, score) in &scores {
            if !score.is_finite() || *score < 0.0 {
                let message = format!("`{symbol}` has the score {score}, and must have 0 or more");
                return Err(refusal(symbol, message));
            }
        }
        // Relative to the largest, so that the sum is finite.
        let largest = scores.iter().map(|(_, score)| *score).fold(0.0, f64::max);
        let total: f64 = scores.iter().map(|(_, score)| score / largest).sum();
        let mut weights = Self::nothing();
        for (symbol, score) in scores {
            if largest == 0.0 {
                let message = "all scores are 0, so there is nothing to divide by";
                return Err(refusal(&symbol, message));
            }
            weights.add(symbol, score / largest / total)?;
        }
        Ok(weights)
    }

    /// Adds a symbol and its share, 0 to 1.
    ///
    /// # Errors
    /// See [`Weights`]; what has been added before stays as it is.
    pub fn add(&mut self, symbol: impl Into<String>, weight: f64) -> Result<()> {
        let symbol = symbol.into();
        let Some(spelt) = spelling(&symbol) else {
            return Err(refusal(&symbol, format!("`{symbol}` is not a symbol")));
        };
        if !weight.is_finite() || !(0.0..=1.0 + Self::OVERSHOOT).contains(&weight) {
            let message = format!("`{symbol}` has the weight {weight}, and must have 0 to 1");
            return Err(refusal(&symbol, message));
        }
        let is_same = |other: &&Weight| spelling(&other.symbol).as_ref() == Some(&spelt);
        if let Some(other) = self.iter().find(is_same) {
            let message = format!("`{symbol}` has two weights, {} and {weight}", other.weight);
            return Err(refusal(&symbol, message));
        }
        let sum = self.sum() + weight;
        if sum > 1.0 + Self::OVERSHOOT {
            let message = format!(
                "`{symbol}` with {weight} brings the sum of the weights to {sum}, which is above 1"
            );
            return Err(refusal(&symbol, message));
        }
        self.0.push(Weight { symbol, weight });
        Ok(())
    }

    /// The same with one symbol more; see [`add`](Self::add).
    ///
    /// # Errors
    /// See [`Weights`].
    pub fn with(mut self, symbol: impl Into<String>, weight: f64) -> Result<Self> {
        self.add(symbol, weight)?;
        Ok(self)
    }

    /// The sum of all shares.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.iter().map(|weight| weight.weight).sum()
    }

    /// The share of a symbol; 0 if it is not held.
    #[must_use]
    pub fn of(&self, symbol: &str) -> f64 {
        let spelt = spelling(symbol);
        self.iter()
            .find(|weight| spelling(&weight.symbol) == spelt)
            .map_or(0.0, |weight| weight.weight)
    }

    /// Weights that are known to be right. The host checks them all the same.
    #[doc(hidden)]
    #[must_use]
    pub fn unchecked(weights: Vec<Weight>) -> Self {
        Self(weights)
    }

    pub(crate) fn into_inner(self) -> Vec<Weight> {
        self.0
    }
}

fn refusal(symbol: &str, message: impl Into<String>) -> Error {
    Error {
        symbol: Some(symbol.to_owned()),
        ..Error::new("WeightError", message)
    }
}

/// The weights in the order in which they were added.
impl Deref for Weights {
    type Target = [Weight];

    fn deref(&self) -> &[Weight] {
        &self.0
    }
}

impl<const LENGTH: usize> PartialEq<[(&str, f64); LENGTH]> for Weights {
    fn eq(&self, other: &[(&str, f64); LENGTH]) -> bool {
        self.0 == other.map(|(symbol, weight)| Weight::new(symbol, weight))
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("nothing");
        }
        for (place, Weight { symbol, weight }) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(formatter, "{comma}{symbol} {weight}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(answer: Result<impl fmt::Debug>) -> (String, String) {
        let error = answer.unwrap_err();
        assert_eq!(error.class, "WeightError");
        (error.symbol.unwrap(), error.message)
    }

    #[test]
    fn what_the_host_would_refuse_is_refused() {
        let held = || Weights::nothing().with("SPY", 0.75).unwrap();
        for (symbol, weight, message) in [
            (
                "TLT",
                -0.5,
                "`TLT` has the weight -0.5, and must have 0 to 1",
            ),
            (
                "TLT",
                1.25,
                "`TLT` has the weight 1.25, and must have 0 to 1",
            ),
            (
                "TLT",
                f64::NAN,
                "`TLT` has the weight NaN, and must have 0 to 1",
            ),
            (
                "TLT",
                f64::INFINITY,
                "`TLT` has the weight inf, and must have 0 to 1",
            ),
            ("spy", 0.25, "`spy` has two weights, 0.75 and 0.25"),
            ("S P Y", 0.25, "`S P Y` is not a symbol"),
            ("", 0.25, "`` is not a symbol"),
            (
                "TLT",
                0.250_000_002,
                "`TLT` with 0.250000002 brings the sum of the weights to 1.000000002, which is above 1",
            ),
        ] {
            let mut weights = held();
            let (about, said) = refused(weights.add(symbol, weight));
            assert_eq!((about.as_str(), said.as_str()), (symbol, message));
            assert_eq!(weights, held(), "nothing is half added");
        }
    }

    #[test]
    fn binary_sums_may_come_out_a_little_above_one() {
        let tenths = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
        assert_eq!(Weights::equal(tenths).unwrap().len(), 10);
        let weights = Weights::nothing().with("SPY", 0.5).unwrap();
        assert!(weights.clone().with("TLT", 0.500_000_000_9).is_ok());
        assert!(weights.with("TLT", 0.500_000_001_1).is_err());
        assert!(Weights::nothing().with("TLT", 1.000_000_000_9).is_ok());
    }

    #[test]
    fn parts_and_places() {
        assert_eq!(Weights::equal::<&str>([]).unwrap(), []);
        assert_eq!(Weights::equal_parts::<&str>(0, []).unwrap(), []);
        let (symbol, message) = refused(Weights::equal_parts(1, ["SPY", "TLT"]));
        assert_eq!(symbol, "TLT");
        assert_eq!(message, "no place is left for `TLT`; there is room for 1");
        let (symbol, _) = refused(Weights::equal(["SPY", "SPY"]));
        assert_eq!(symbol, "SPY");
    }

    #[test]
    fn proportions() {
        assert_eq!(Weights::proportional::<&str>([]).unwrap(), []);
        assert_eq!(
            Weights::proportional([("A", 1.0), ("B", 0.0)]).unwrap(),
            [("A", 1.0), ("B", 0.0)]
        );
        assert_eq!(
            Weights::proportional([("A", f64::MAX), ("B", f64::MAX)]).unwrap(),
            [("A", 0.5), ("B", 0.5)]
        );
        for (score, message) in [
            (-1.0, "`A` has the score -1, and must have 0 or more"),
            (f64::NAN, "`A` has the score NaN, and must have 0 or more"),
            (0.0, "all scores are 0, so there is nothing to divide by"),
        ] {
            let (symbol, said) = refused(Weights::proportional([("A", score)]));
            assert_eq!((symbol.as_str(), said.as_str()), ("A", message));
        }
    }

    #[test]
    fn what_is_held_can_be_read() {
        let weights = Weights::nothing().with("brk/b", 0.5).unwrap();
        assert!((weights.of("BRK.B") - 0.5).abs() < f64::EPSILON);
        assert!(weights.of("SPY").abs() < f64::EPSILON);
        assert_eq!(weights.to_string(), "brk/b 0.5");
        assert_eq!(Weights::nothing().to_string(), "nothing");
        assert_eq!(weights[0], Weight::new("brk/b", 0.5));
    }
}
