//! The hidden names of unfinished work.

use crate::Name;

/// Digits of RFC 4648 base 32 in lower case.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const PREFIX: &[u8] = b".blit~";
const RANDOM_DIGITS: usize = 16;
const CHECK_DIGITS: usize = 6;

/// The name of an unfinished file: `.blit~` and 22 digits, whatever the final name is.
///
/// A suffix on a 255-byte name would not fit (ENAMETOOLONG), so the length is fixed. The last six
/// digits check the sixteen before them: a user's own `.blit~…` file is user data, not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialName(Name);

impl PartialName {
    /// The partial name for 80 random bits, the low ones of `random`.
    #[must_use]
    pub fn new(random: u128) -> Self {
        let mut bytes = PREFIX.to_vec();
        for at in 0..RANDOM_DIGITS {
            bytes.push(DIGITS[(random >> (at * 5)) as usize & 31]);
        }
        let check = checksum(&bytes[PREFIX.len()..]);
        bytes.extend_from_slice(&check);
        match Name::new(bytes) {
            Ok(name) => Self(name),
            Err(_) => unreachable!("28 letters and digits are a name"),
        }
    }

    /// Whether `name` is one that [`PartialName::new`] makes.
    #[must_use]
    pub fn recognises(name: &[u8]) -> bool {
        let Some(digits) = name.strip_prefix(PREFIX) else {
            return false;
        };
        digits.len() == RANDOM_DIGITS + CHECK_DIGITS
            && digits[..RANDOM_DIGITS].iter().all(|d| DIGITS.contains(d))
            && checksum(&digits[..RANDOM_DIGITS]) == digits[RANDOM_DIGITS..]
    }

    /// The name itself.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0
    }
}

/// FNV-1a: no secret is kept here, only an accident is told from our own work.
fn checksum(digits: &[u8]) -> [u8; CHECK_DIGITS] {
    let hash = digits.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    std::array::from_fn(|at| DIGITS[(hash >> (at * 5 + 20)) as usize & 31])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_partials_are_told_from_a_users_files() {
        for random in [0, 1, u128::MAX, 0x1234_5678_9abc_def0_1234] {
            let name = PartialName::new(random);
            assert_eq!(name.name().as_bytes().len(), 28);
            assert!(PartialName::recognises(name.name().as_bytes()));
        }
        for foreign in [
            &b".blit~"[..],
            b".blit~notes",
            b".blit~aaaaaaaaaaaaaaaaaaaaaa",
            b"blit",
        ] {
            assert!(!PartialName::recognises(foreign));
        }
    }
}
