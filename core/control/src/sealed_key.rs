//! The key of a machine under a passphrase, so that it can leave the machine in an export.
//!
//! Argon2id makes a key of the passphrase, and ChaCha20-Poly1305 seals with it. Each sealing has a salt of its
//! own, and with it a key that never seals anything else; a longer nonce would add nothing.

use aws_lc_rs::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// What each try of a passphrase costs, and costs whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The second of the two that RFC 9106 recommends.
    pub(crate) const USUAL: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// A file that asks for more was not made by us, and is to make this machine sweat.
    fn is_bearable(self) -> bool {
        self.memory_kib <= 256 << 10 && self.passes <= 16 && self.lanes <= 16
    }

    fn key(self, passphrase: &str, salt: &[u8]) -> Option<LessSafeKey> {
        let params = argon2::Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let version = argon2::Version::V0x13;
        let hash = argon2::Argon2::new(argon2::Algorithm::Argon2id, version, params.ok()?);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        hash.hash_password_into(passphrase.as_bytes(), salt, &mut *key)
            .ok()?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
        Some(LessSafeKey::new(key))
    }
}

/// The key of a machine, of use to nobody without the passphrase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedKey {
    cost: Cost,
    salt: String,
    sealed: String,
}

impl SealedKey {
    /// Seals `key`, the key of `machine`; `None` if the system gives no random numbers.
    pub(crate) fn seal(key: &[u8], machine: &str, passphrase: &str, cost: Cost) -> Option<Self> {
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).ok()?;
        let mut sealed = key.to_vec();
        let seal = cost.key(passphrase, &salt)?;
        seal.seal_in_place_append_tag(nonce(), Aad::from(machine.as_bytes()), &mut sealed)
            .ok()?;
        Some(Self {
            cost,
            salt: HEXLOWER.encode(&salt),
            sealed: HEXLOWER.encode(&sealed),
        })
    }

    /// The key of `machine`; `None` with another passphrase, and if anything was changed.
    pub(crate) fn open(&self, machine: &str, passphrase: &str) -> Option<Zeroizing<Vec<u8>>> {
        if !self.cost.is_bearable() {
            return None;
        }
        let salt = HEXLOWER.decode(self.salt.as_bytes()).ok()?;
        let sealed = HEXLOWER.decode(self.sealed.as_bytes()).ok()?;
        let mut sealed = Zeroizing::new(sealed);
        let seal = self.cost.key(passphrase, &salt)?;
        let opened = seal.open_in_place(nonce(), Aad::from(machine.as_bytes()), &mut sealed);
        let length = opened.ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

/// Each key seals once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
impl Cost {
    /// For tests of what is around it.
    pub(crate) const LITTLE: Self = Self {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_for_its_machine_and_not_otherwise() {
        let sealed = SealedKey::seal(b"secret", "nas", "correct horse", Cost::LITTLE).unwrap();
        assert_eq!(&**sealed.open("nas", "correct horse").unwrap(), b"secret");
        assert!(sealed.open("nas", "correct hors").is_none());
        assert!(sealed.open("pc", "correct horse").is_none());
        let again = SealedKey::seal(b"secret", "nas", "correct horse", Cost::LITTLE).unwrap();
        assert_ne!(again.sealed, sealed.sealed, "the same salt twice");
        let mut changed = sealed.clone();
        changed.sealed.replace_range(
            0..2,
            if changed.sealed.starts_with("00") {
                "01"
            } else {
                "00"
            },
        );
        assert!(changed.open("nas", "correct horse").is_none());
    }

    #[test]
    fn a_file_that_asks_for_all_the_memory_is_not_obeyed() {
        let mut sealed = SealedKey::seal(b"secret", "nas", "correct horse", Cost::LITTLE).unwrap();
        sealed.cost.memory_kib = u32::MAX;
        assert!(sealed.open("nas", "correct horse").is_none());
    }
}
