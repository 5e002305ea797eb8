//! A name for a run that sorts by time: 48 bits of milliseconds and 80 random bits, as a ULID.

use std::hash::{BuildHasher, RandomState};

/// A new name for a run that began at `now`.
pub(crate) fn new(now: jiff::Timestamp) -> String {
    let millis = u128::try_from(now.as_millisecond()).unwrap_or_default();
    // The keys of the standard library's hash maps are the randomness that is at hand without a crate.
    let random = || u128::from(RandomState::new().hash_one(now.as_nanosecond()));
    encode(millis << 80 | (random() << 64 | random()) & ((1 << 80) - 1))
}

/// Crockford's base 32: 26 digits.
fn encode(number: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26)
        .rev()
        .map(|at| DIGITS[(number >> (5 * at) & 31) as usize] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_differ() {
        let at = |millis| new(jiff::Timestamp::from_millisecond(millis).unwrap());
        assert!(at(1_000) < at(2_000));
        assert_ne!(at(1_000), at(1_000));
        assert_eq!(encode(0), "0".repeat(26));
    }
}
