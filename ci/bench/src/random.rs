//! Random numbers that a seed repeats exactly, on every machine.

/// SplitMix64: small, fast, and good enough to make file names, sizes and contents.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % (high - low + 1)
    }

    /// A number from `low` to `high` whose logarithm is evenly spread, as sizes of files are.
    pub fn spread(&mut self, low: u64, high: u64) -> u64 {
        let doublings = (high / low).ilog2();
        let floor = low << self.between(0, u64::from(doublings));
        self.between(floor, (floor * 2).min(high))
    }

    /// Fills `bytes` with noise that no disk can compress.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&self.number().to_le_bytes()[..word.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_another_does_not() {
        let first = |seed| Random::new(seed).number();
        assert_eq!(first(7), first(7));
        assert_ne!(first(7), first(8));
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new(1);
        for _ in 0..10_000 {
            assert!((3..=9).contains(&random.between(3, 9)));
            assert!((1_024..=10_240).contains(&random.spread(1_024, 10_240)));
        }
    }

    #[test]
    fn the_end_of_a_buffer_is_filled_too() {
        let mut bytes = [0; 13];
        Random::new(1).fill(&mut bytes);
        assert_ne!(bytes[8..], [0; 5]);
    }
}
