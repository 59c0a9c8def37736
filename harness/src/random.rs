//! SplitMix64: small, and the same for ever, since a seed that is on record must give the same inputs years later.

/// A stream of numbers from a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed for this purpose: different purposes have independent streams.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a over the purpose, so that a check's inputs do not depend on which other checks run.
        let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ hash)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end - 1`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut random = Random::new(7, "words_arrive");
        assert_eq!(
            [random.next(), random.next()],
            [Random::new(7, "words_arrive").next(), {
                let mut r = Random::new(7, "words_arrive");
                r.next();
                r.next()
            }]
        );
        let mut plain = Random(0);
        assert_eq!(plain.next(), 0xe220_a839_7b1d_cdaf, "the published first number of SplitMix64 for seed 0");
    }

    #[test]
    fn numbers_stay_below_the_end() {
        let mut random = Random::new(1, "");
        assert!((0..1000).all(|_| random.below(10) < 10));
    }
}
