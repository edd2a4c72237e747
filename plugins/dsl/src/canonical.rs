//! The canonical form of a portfolio.

use crate::program::SymbolId;

/// A symbol and its share of a portfolio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Holding {
    pub(crate) symbol: SymbolId,
    pub(crate) weight: f64,
}

/// One, in units of the last decimal that weights are rounded to.
const ONE: u64 = 10_000_000_000;

/// Scales weights to a sum of one, rounds each to 10 decimals, half to even,
/// drops those that become zero, and gives the largest what the rounding left
/// over; of several largest the first.
///
/// The result adds up to exactly one as decimals; each weight is the number
/// nearest to its decimal. That makes portfolios comparable: the noise in the
/// last bits, which depends on the order of summation, is gone.
///
/// `None` if the weights do not add up to a positive finite number.
pub(crate) fn canonical(holdings: &[Holding]) -> Option<Vec<Holding>> {
    let total: f64 = holdings.iter().map(|holding| holding.weight).sum();
    if !total.is_finite() || total <= 0.0 {
        return None;
    }
    let mut rounded: Vec<(SymbolId, u64)> = holdings
        .iter()
        .map(|holding| (holding.symbol, units(holding.weight / total)))
        .filter(|(_, units)| *units > 0)
        .collect();
    let sum: u64 = rounded.iter().map(|(_, units)| units).sum();
    // The last of several equal maxima in reverse order is the first.
    let (_, largest) = rounded.iter_mut().rev().max_by_key(|(_, units)| *units)?;
    *largest = (*largest + ONE).checked_sub(sum)?;
    let canonical = rounded.into_iter().map(|(symbol, units)| Holding {
        symbol,
        weight: units as f64 / ONE as f64,
    });
    Some(canonical.collect())
}

/// A weight from 0 to 1 in units of the last decimal, rounded half to even on
/// the exact value of the binary number.
fn units(weight: f64) -> u64 {
    const MANTISSA_BITS: u32 = 52;
    const EXPONENT_BIAS: u32 = 1023;

    // weight = mantissa / 2^shift exactly; subnormal numbers round to zero.
    let exponent = (weight.to_bits() >> MANTISSA_BITS) as u32;
    let fraction = weight.to_bits() & ((1 << MANTISSA_BITS) - 1);
    let mantissa = u128::from(fraction | 1 << MANTISSA_BITS);
    let shift = EXPONENT_BIAS + MANTISSA_BITS - exponent;
    // The product has 53 + 34 bits at most, so a larger shift leaves less
    // than half a unit.
    let product = mantissa * u128::from(ONE);
    if shift > 88 {
        return 0;
    }
    let quotient = (product >> shift) as u64;
    let remainder = product & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    let is_odd = quotient % 2 == 1;
    quotient + u64::from(remainder > half || remainder == half && is_odd)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::program::Builder;
    use proptest::prelude::*;

    fn portfolio(weights: &[f64]) -> Vec<Holding> {
        let mut builder = Builder::default();
        weights
            .iter()
            .enumerate()
            .map(|(index, &weight)| Holding {
                symbol: builder.symbol(&index.to_string()),
                weight,
            })
            .collect()
    }

    fn texts(weights: &[f64]) -> Vec<String> {
        canonical(&portfolio(weights))
            .unwrap()
            .iter()
            .map(|holding| format!("{:.10}", holding.weight))
            .collect()
    }

    #[test]
    fn the_first_of_the_largest_takes_the_rest() {
        let third = 1.0 / 3.0;
        let expected = ["0.3333333334", "0.3333333333", "0.3333333333"];
        assert_eq!(texts(&[third, third, third]), expected);
        let sixth = 1.0 / 6.0;
        let expected = ["0.1666666667", "0.6666666666", "0.1666666667"];
        assert_eq!(texts(&[sixth, 4.0 * sixth, sixth]), expected);
    }

    #[test]
    fn weights_that_round_to_zero_are_dropped() {
        assert_eq!(texts(&[1e-11, 1.0, 0.0, 1e-310]), ["1.0000000000"]);
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        // 2^-11 = 0.00048828125 has 11 decimals, the last of which is a 5.
        assert_eq!(units(f64::powi(2.0, -11)), 4_882_812);
        assert_eq!(units(3.0 * f64::powi(2.0, -11)), 14_648_438);
        assert_eq!(units(1.0), ONE);
        assert_eq!(units(0.0), 0);
    }

    #[test]
    fn a_sum_that_is_no_positive_number_has_no_canonical_form() {
        assert_eq!(canonical(&portfolio(&[])), None);
        assert_eq!(canonical(&portfolio(&[0.0])), None);
        assert_eq!(canonical(&portfolio(&[f64::MAX, f64::MAX])), None);
        assert_eq!(canonical(&portfolio(&[f64::NAN])), None);
    }

    proptest! {
        #[test]
        fn rounds_as_decimal_formatting_does(weight in 0.0..=1.0_f64) {
            let text = format!("{weight:.10}").replace('.', "");
            prop_assert_eq!(units(weight), text.parse::<u64>().unwrap());
        }

        #[test]
        fn sums_to_one_and_stays(weights in prop::collection::vec(0.0..1.0_f64, 1..30)) {
            prop_assume!(weights.iter().sum::<f64>() > 0.0);
            let once = canonical(&portfolio(&weights)).unwrap();
            let sum: u64 = once.iter().map(|holding| (holding.weight * 1e10).round() as u64).sum();
            prop_assert_eq!(sum, ONE);
            prop_assert_eq!(canonical(&once).unwrap(), once);
        }
    }
}
