//! Made-up prices, the same on every machine and as in the SDK's tests.

use alchemiser_events::{Decimal, Price, Symbol};

/// Numbers that look random: `SplitMix64` (Steele, Lea and Flood, "Fast
/// splittable pseudorandom number generators", 2014) from a state made of a seed
/// and a name.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    state: u64,
}

impl Noise {
    /// The name enters by its FNV-1a hash, which never changes.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut noise = Self { state: seed };
        noise.state = noise.next() ^ hash;
        noise
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to below 1, with 53 random bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// So many closes of a random walk from 100, each rounded to four decimals: the
/// walk that the SDK's `testing::random_walk` makes of the same arguments. Daily
/// returns have a mean of 0.03 % and a standard deviation of 1.2 %. A symbol's
/// closes do not depend on which others there are.
pub(crate) fn random_walk(seed: u64, symbol: &Symbol, sessions: usize) -> Vec<Price> {
    const MEAN: f64 = 0.0003;
    const DEVIATION: f64 = 0.012;
    /// No price falls to zero by rounding.
    const LEAST: f64 = 0.01;

    let mut noise = Noise::new(seed, symbol.as_str());
    std::iter::successors(Some(100.0_f64), |close| {
        // Sums and products are the same on every machine, unlike logarithms.
        let normal = (0..12).map(|_| noise.uniform()).sum::<f64>() - 6.0;
        let next = close * (1.0 + MEAN + DEVIATION * normal);
        Some((next * 10_000.0).round().max(LEAST * 10_000.0) / 10_000.0)
    })
    .take(sessions)
    .filter_map(price)
    .collect()
}

/// A price to four decimals, one hundredth of a cent at least.
pub(crate) fn price(price: f64) -> Option<Price> {
    let units = (price * 10_000.0).round().clamp(1.0, 1e15);
    Price::new(Decimal::new(units as i64, 4)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn walk(seed: u64, symbol: &str, sessions: usize) -> Vec<Price> {
        random_walk(seed, &Symbol::parse(symbol).unwrap(), sessions)
    }

    /// The SDK documents these three.
    #[test]
    fn a_walk_is_that_of_the_sdk() {
        let closes: Vec<String> = walk(7, "SPY", 3).iter().map(Price::to_string).collect();
        assert_eq!(closes, ["100", "101.568", "100.1237"]);
    }

    #[test]
    fn a_walk_is_given_by_its_arguments() {
        let closes = walk(7, "SPY", 300);
        assert_eq!(closes.len(), 300);
        assert_eq!(closes[..100], walk(7, "SPY", 100));
        assert_ne!(closes, walk(8, "SPY", 300));
        assert_ne!(closes, walk(7, "TLT", 300));
    }
}
