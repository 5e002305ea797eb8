//! The hidden names of unfinished work.

use crate::{ContentHasher, Entry, Name};

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

    /// The partial name for a file that shall become `entry`, in whatever directory: of another version of
    /// the file, or of another file, it is another one. It finds what was kept, and proves nothing.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let mut version = b"blit: a partial of ".to_vec();
        version.extend_from_slice(&entry.size.to_le_bytes());
        version.extend_from_slice(&entry.modified.as_nanos().to_le_bytes());
        for number in [entry.mode, entry.uid, entry.gid] {
            version.extend_from_slice(&number.to_le_bytes());
        }
        version.extend_from_slice(entry.name.as_bytes());
        let digest = ContentHasher::digest(&version);
        let half = digest.first_chunk().copied().unwrap_or_default();
        Self::new(u128::from_le_bytes(half))
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
    use crate::{Kind, Time};

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

    #[test]
    fn each_version_of_a_file_has_its_own_partial() {
        let name = |text: &'static [u8]| Name::new(text).unwrap();
        let entry = |change: fn(&mut Entry)| {
            let mut entry = Entry::new(name(b"f"), Kind::File);
            change(&mut entry);
            PartialName::of(&entry)
        };
        let first = entry(|_| ());
        assert!(PartialName::recognises(first.name().as_bytes()));
        assert_eq!(first, entry(|_| ()));
        assert_eq!(first, entry(|entry| entry.identity.inode = 7));
        let others: [fn(&mut Entry); 4] = [
            |entry| entry.size = 1,
            |entry| entry.modified = Time::new(0, 1),
            |entry| entry.mode = 0o600,
            |entry| entry.name = Name::new(*b"g").unwrap(),
        ];
        for other in others {
            assert_ne!(first, entry(other));
        }
    }
}
