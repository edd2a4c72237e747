//! Prices that nobody has ever seen, the same on every machine.

use alchemiser_events::{Decimal, Price, Symbol};

/// A generator of numbers that look random: `SplitMix64` (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    /// Numbers of their own for each seed and name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a, which never changes; the hasher of the standard library may.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    /// The next number, at least 0 and below 1.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// So many closes of a random walk from 100: daily returns of 0.03 % on average
/// with a standard deviation of 1 %. Closes are cents, one at least. A symbol's closes do not depend on which others there are.
pub(crate) fn random_walk(seed: u64, symbol: &Symbol, sessions: usize) -> Vec<Price> {
    const DRIFT: f64 = 0.0003;
    const VOLATILITY: f64 = 0.01;

    let mut noise = Noise::new(seed, symbol.as_str());
    let mut close = 100.0;
    (0..sessions)
        .filter_map(|_| {
            let price = cents(close);
            // Twelve numbers of variance 1/12 make one of variance 1. Unlike an
            // exponential, sums and products are the same on every machine.
            let shock: f64 = (0..12).map(|_| noise.next() - 0.5).sum();
            close *= 1.0 + DRIFT + VOLATILITY * shock;
            price
        })
        .collect()
}

/// A price to the cent, at least one.
pub(crate) fn cents(price: f64) -> Option<Price> {
    let cents = (price * 100.0).round().clamp(1.0, 1e15);
    Price::new(Decimal::new(cents as i64, 2)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Scenario files hold weights that follow from these.
    #[test]
    fn walks_never_change() {
        let walk = |seed, symbol| {
            let closes = random_walk(seed, &Symbol::parse(symbol).unwrap(), 4);
            let texts: Vec<String> = closes.iter().map(Price::to_string).collect();
            texts.join(" ")
        };
        insta::assert_snapshot!(
            [walk(7, "SPY"), walk(7, "TLT"), walk(8, "SPY")].join("\n"),
            @""
        );
    }

    #[test]
    fn walks_have_the_moments_that_are_promised() {
        let symbol = Symbol::parse("SPY").unwrap();
        let closes: Vec<f64> = random_walk(1, &symbol, 10_000)
            .iter()
            .map(|price| price.to_string().parse().unwrap())
            .collect();
        let returns: Vec<f64> = closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        let variance = returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (variance / returns.len() as f64).sqrt();
        assert!((mean - 0.0003).abs() < 0.0003, "{mean}");
        assert!((deviation - 0.01).abs() < 0.0005, "{deviation}");
    }
}
