//! Made-up prices, the same on every machine: in the tests of plugins as in the
//! scenarios that the host runs.
//!
//! *Invariant:* this crate does no I/O.

/// A random walk of closes: the same for the same arguments, on every machine.
///
/// It begins at 100. Each close is the one before times 1 + r, rounded to four
/// decimals; the returns r are independent, with a mean of 0.03 % and a standard
/// deviation of 1.2 %, about those of a stock index. r is the sum of twelve
/// uniform numbers, which is close to normal and never beyond six standard
/// deviations. The walks of several symbols are independent, and adding
/// a symbol changes none of the others.
///
/// ```
/// use alchemiser_random_walk::random_walk;
///
/// assert_eq!(random_walk(7, "SPY", 3), [100.0, 101.568, 100.1237]);
/// ```
#[must_use]
pub fn random_walk(seed: u64, symbol: &str, sessions: usize) -> Vec<f64> {
    const MEAN: f64 = 0.0003;
    const DEVIATION: f64 = 0.012;
    /// No price falls to zero by rounding.
    const LEAST: f64 = 0.01;

    let mut noise = Noise::new(seed, symbol);
    std::iter::successors(Some(100.0_f64), |close| {
        let normal = (0..12).map(|_| noise.uniform()).sum::<f64>() - 6.0;
        let next = close * (1.0 + MEAN + DEVIATION * normal);
        Some((next * 10_000.0).round().max(LEAST * 10_000.0) / 10_000.0)
    })
    .take(sessions)
    .collect()
}

/// Numbers that look random: SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014) from a state made of a seed and a name.
#[derive(Clone, Debug)]
pub struct Noise {
    state: u64,
}

impl Noise {
    /// The name enters by its FNV-1a hash, which never changes.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
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
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn a_walk_is_given_by_its_arguments() {
        let walk = random_walk(7, "SPY", 1000);
        assert_eq!(walk, random_walk(7, "SPY", 1000));
        assert_eq!(walk[..500], random_walk(7, "SPY", 500));
        assert_ne!(walk, random_walk(8, "SPY", 1000));
        assert_ne!(walk, random_walk(7, "TLT", 1000));
        assert!(random_walk(7, "SPY", 0).is_empty());
    }

    #[test]
    fn returns_are_spread_as_documented() {
        let walk = random_walk(1, "SPY", 100_001);
        assert!(walk.iter().all(|close| *close > 0.0));
        let returns: Vec<f64> = walk
            .windows(2)
            .map(|pair| pair[1] / pair[0] - 1.0)
            .collect();
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>();
        let deviation = (variance / returns.len() as f64).sqrt();
        assert!((mean - 0.0003).abs() < 0.0002, "{mean}");
        assert!((deviation - 0.012).abs() < 0.0002, "{deviation}");
    }
}
