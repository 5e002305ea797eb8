//! A name for a run that sorts by time: 48 bits of milliseconds and 80 random bits, as a ULID.

use std::hash::{BuildHasher, RandomState};

/// How many characters a name has.
const LENGTH: usize = 26;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn timestamp(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

/// Whether a run can be called so.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|digit| DIGITS.contains(&digit))
}

/// A new name for a run that began at `now`.
#[must_use]
pub fn new_id(now: jiff::Timestamp) -> String {
    let millis = u128::try_from(now.as_millisecond()).unwrap_or_default();
    // The keys of the standard library's hash maps are the randomness that is at hand without a crate.
    let random = || u128::from(RandomState::new().hash_one(now.as_nanosecond()));
    encode(millis << 80 | (random() << 64 | random()) & ((1 << 80) - 1))
}

/// Crockford's base 32: 26 digits.
fn encode(number: u128) -> String {
    (0..LENGTH)
        .rev()
        .map(|at| DIGITS[(number >> (5 * at) & 31) as usize] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_differ() {
        let at = |millis| new_id(jiff::Timestamp::from_millisecond(millis).unwrap());
        assert!(at(1_000) < at(2_000));
        assert_ne!(at(1_000), at(1_000));
        assert_eq!(encode(0), "0".repeat(26));
        assert!(is_id(&at(1_000)));
        for none in ["", "../x", &"I".repeat(26), &at(1_000)[1..]] {
            assert!(!is_id(none), "{none}");
        }
    }
}
