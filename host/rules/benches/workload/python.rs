//! The random numbers of Python's `random` module, so that the workload is
//! byte for byte what a Python program of the same few lines makes.

const WORDS: usize = 624;

/// The Mersenne Twister (MT19937), seeded and drawn from as Python does.
pub(crate) struct Random {
    state: [u32; WORDS],
    next: usize,
}

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [0_u32; WORDS];
        state[0] = 19_650_218;
        for index in 1..WORDS {
            let last = state[index - 1];
            state[index] = 1_812_433_253_u32
                .wrapping_mul(last ^ last >> 30)
                .wrapping_add(index as u32);
        }
        let mut index = 1;
        for _ in 0..WORDS {
            let last = state[index - 1];
            state[index] =
                (state[index] ^ (last ^ last >> 30).wrapping_mul(1_664_525)).wrapping_add(seed);
            index += 1;
            if index == WORDS {
                state[0] = state[WORDS - 1];
                index = 1;
            }
        }
        for _ in 1..WORDS {
            let last = state[index - 1];
            state[index] = (state[index] ^ (last ^ last >> 30).wrapping_mul(1_566_083_941))
                .wrapping_sub(index as u32);
            index += 1;
            if index == WORDS {
                state[0] = state[WORDS - 1];
                index = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: WORDS }
    }

    fn word(&mut self) -> u32 {
        if self.next == WORDS {
            for index in 0..WORDS {
                let high = self.state[index] & 0x8000_0000;
                let low = self.state[(index + 1) % WORDS] & 0x7fff_ffff;
                let mixed = high | low;
                let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[index] = self.state[(index + 397) % WORDS] ^ mixed >> 1 ^ odd;
            }
            self.next = 0;
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    pub(crate) fn bits(&mut self, count: u32) -> u128 {
        let mut bits = 0;
        for start in (0..count).step_by(32) {
            let word = self.word() >> 32_u32.saturating_sub(count - start);
            bits |= u128::from(word) << start;
        }
        bits
    }

    /// `randrange(from, to)`.
    pub(crate) fn range(&mut self, from: u64, to: u64) -> u64 {
        let size = to - from;
        let bits = u64::BITS - size.leading_zeros();
        loop {
            let drawn = self.bits(bits) as u64;
            if drawn < size {
                return from + drawn;
            }
        }
    }

    /// `random()`.
    pub(crate) fn unit(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `round(uniform(from, to), …)` is left to [`round`].
    pub(crate) fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn choice<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        &list[self.range(0, list.len() as u64) as usize]
    }

    /// `choices(list, k=count)`.
    pub(crate) fn choices<T: Clone>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let size = list.len() as f64;
        (0..count)
            .map(|_| list[(self.unit() * size) as usize].clone())
            .collect()
    }

    /// `sample(list, count)`, of a short list.
    pub(crate) fn sample<T: Clone>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let mut pool = list.to_vec();
        (0..count)
            .map(|_| {
                let drawn = self.range(0, pool.len() as u64) as usize;
                pool.swap_remove(drawn)
            })
            .collect()
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            let other = self.range(0, index as u64 + 1) as usize;
            list.swap(index, other);
        }
    }
}

/// `round(value, decimals)`.
pub(crate) fn round(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().unwrap_or(value)
}
