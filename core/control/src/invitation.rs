//! How two machines come to know each other: a line that is pasted once.
//!
//! The line holds the key of the machine that invites, so that whoever joins knows it before the first
//! byte, and a secret, which whoever joins proves to hold, on this very connection. The machine that
//! invites keeps only what the proof is checked with. An invitation serves once, for a quarter of an hour.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::{NodeId, identity::base32, private_file};

/// What every invitation begins with.
const PREFIX: &str = "blit-join-";
const VERSION: u8 = 1;
const SECRET_BYTES: usize = 16;

/// How long an invitation serves, in seconds.
const LIFETIME_SECS: i64 = 15 * 60;

/// How many wrong proofs an invitation survives.
const TRIES: u32 = 3;

/// The most invitations that are open at a time.
const INVITATIONS_MAX: usize = 64;

/// What a peer is invited with.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who invites.
    pub inviter: NodeId,
    /// Where it listens, `host:port`, as far as it knows.
    pub addresses: Vec<String>,
    secret: [u8; SECRET_BYTES],
    expires: i64,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation({})", self.inviter.short())
    }
}

impl std::fmt::Display for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.inviter.as_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        bytes.extend_from_slice(self.addresses.join(",").as_bytes());
        write!(f, "{PREFIX}{}", base32().encode(&bytes))
    }
}

/// Why an invitation does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// The text is none.
    #[error("that is no invitation: it begins with {PREFIX}")]
    NotOne,
    /// Its time is over.
    #[error("that invitation is older than 15 minutes")]
    Expired,
    /// The file of open invitations cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The proof is wrong, or there is no such invitation (any more).
    #[error("that invitation is wrong, used or too old")]
    Refused,
    /// Too many are open.
    #[error("{INVITATIONS_MAX} invitations are open; they end by themselves after 15 minutes")]
    TooMany,
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        const ADDRESSES_BYTES_MAX: usize = 1_024;
        let rest = text.trim().strip_prefix(PREFIX);
        let rest = rest.ok_or(InvitationError::NotOne)?;
        let bytes = base32()
            .decode(rest.as_bytes())
            .map_err(|_| InvitationError::NotOne)?;
        let taken = (|| {
            let (version, rest) = bytes.split_first()?;
            let (inviter, rest) = rest.split_first_chunk::<32>()?;
            let (secret, rest) = rest.split_first_chunk::<SECRET_BYTES>()?;
            let (expires, addresses) = rest.split_first_chunk::<8>()?;
            let addresses = std::str::from_utf8(addresses).ok()?;
            let is_ours = *version == VERSION && addresses.len() <= ADDRESSES_BYTES_MAX;
            is_ours.then(|| Self {
                inviter: NodeId::from_bytes(*inviter),
                addresses: addresses
                    .split(',')
                    .filter(|address| !address.is_empty())
                    .map(str::to_owned)
                    .collect(),
                secret: *secret,
                expires: i64::from_be_bytes(*expires),
            })
        })();
        taken.ok_or(InvitationError::NotOne)
    }
}

impl Invitation {
    /// Which invitation this is; says nothing about its secret.
    pub(crate) fn number(&self) -> [u8; 16] {
        let mut number = [0; 16];
        number.copy_from_slice(&hashed(b"blit join number", &self.secret)[..16]);
        number
    }

    fn key(&self) -> [u8; 32] {
        hashed(b"blit join key", &self.secret)
    }

    /// Proves to hold it, on the connection that `exporter` comes from.
    pub(crate) fn proof(&self, exporter: &[u8; 32], joiner: &NodeId) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key());
        let said = statement(exporter, joiner, &self.inviter);
        hmac::sign(&key, &said).as_ref().to_vec()
    }

    /// Whether its time is over.
    pub(crate) fn is_expired(&self) -> bool {
        now() > self.expires
    }
}

fn hashed(label: &[u8], secret: &[u8]) -> [u8; 32] {
    let mut result = [0; 32];
    result.copy_from_slice(digest(&SHA256, &[label, secret].concat()).as_ref());
    result
}

fn statement(exporter: &[u8; 32], joiner: &NodeId, inviter: &NodeId) -> Vec<u8> {
    [&exporter[..], joiner.as_bytes(), inviter.as_bytes()].concat()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The invitations of a daemon that are open. Whoever may write its state directory may invite.
#[derive(Debug)]
pub struct Invitations {
    path: PathBuf,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    invitation: Vec<Record>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    number: String,
    key: String,
    expires: i64,
    tries: u32,
}

impl Invitations {
    /// The invitations in the directory `state`.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self {
            path: state.join("invitations.toml"),
        }
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`InvitationError`]
    pub fn invite(
        &self,
        inviter: NodeId,
        addresses: Vec<String>,
    ) -> Result<Invitation, InvitationError> {
        let mut secret = [0; SECRET_BYTES];
        let random = SystemRandom::new();
        random
            .fill(&mut secret)
            .map_err(|_| InvitationError::NoRandomness)?;
        let invitation = Invitation {
            inviter,
            addresses,
            secret,
            expires: now() + LIFETIME_SECS,
        };
        let mut open = self.load()?;
        if open.len() >= INVITATIONS_MAX {
            return Err(InvitationError::TooMany);
        }
        open.push(Record {
            number: HEXLOWER.encode(&invitation.number()),
            key: HEXLOWER.encode(&invitation.key()),
            expires: invitation.expires,
            tries: TRIES,
        });
        self.save(open)?;
        Ok(invitation)
    }

    /// Whether somebody could join now.
    #[must_use]
    pub fn is_any_open(&self) -> bool {
        self.load().is_ok_and(|open| !open.is_empty())
    }

    /// Checks a proof. A right one ends the invitation; a wrong one uses up a try.
    pub(crate) fn redeem(
        &self,
        number: &[u8],
        proof: &[u8],
        exporter: &[u8; 32],
        joiner: &NodeId,
        inviter: &NodeId,
    ) -> Result<(), InvitationError> {
        let mut open = self.load()?;
        let number = HEXLOWER.encode(number);
        let found = open.iter().position(|record| record.number == number);
        let at = found.ok_or(InvitationError::Refused)?;
        let record = &mut open[at];
        record.tries = record.tries.saturating_sub(1);
        let key = HEXLOWER.decode(record.key.as_bytes());
        let key = key.map_err(|_| InvitationError::Refused)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        // In constant time.
        let is_right = hmac::verify(&key, &statement(exporter, joiner, inviter), proof).is_ok();
        if is_right || record.tries == 0 {
            open.remove(at);
        }
        self.save(open)?;
        if is_right {
            Ok(())
        } else {
            Err(InvitationError::Refused)
        }
    }

    /// Those whose time is not over.
    fn load(&self) -> Result<Vec<Record>, InvitationError> {
        let failed = |source| InvitationError::File {
            path: self.path.clone(),
            source,
        };
        let bytes = match private_file::read(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let file: File = toml::from_str(&text).map_err(|error| failed(io::Error::other(error)))?;
        let mut open = file.invitation;
        open.retain(|record| record.expires >= now());
        Ok(open)
    }

    fn save(&self, invitation: Vec<Record>) -> Result<(), InvitationError> {
        let failed = |source| InvitationError::File {
            path: self.path.clone(),
            source,
        };
        let text = toml::to_string(&File { invitation });
        let text = text.map_err(|error| failed(io::Error::other(error)))?;
        private_file::write(&self.path, text.as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITER: NodeId = NodeId::from_bytes([1; 32]);
    const JOINER: NodeId = NodeId::from_bytes([2; 32]);
    const CHANNEL: [u8; 32] = [3; 32];

    fn redeem(
        open: &Invitations,
        invitation: &Invitation,
        channel: [u8; 32],
    ) -> Result<(), InvitationError> {
        let proof = invitation.proof(&CHANNEL, &JOINER);
        open.redeem(&invitation.number(), &proof, &channel, &JOINER, &INVITER)
    }

    #[test]
    fn an_invitation_serves_once_and_only_on_its_own_connection() {
        let state = tempfile::tempdir().unwrap();
        let open = Invitations::of(state.path());
        let invitation = open.invite(INVITER, vec!["nas:9031".to_owned()]).unwrap();
        let pasted: Invitation = format!(" {invitation}\n").parse().unwrap();
        assert_eq!(pasted, invitation);
        assert!(redeem(&open, &pasted, [4; 32]).is_err());
        redeem(&open, &pasted, CHANNEL).unwrap();
        assert!(redeem(&open, &pasted, CHANNEL).is_err());
    }

    #[test]
    fn three_wrong_proofs_end_an_invitation() {
        let state = tempfile::tempdir().unwrap();
        let open = Invitations::of(state.path());
        let invitation = open.invite(INVITER, Vec::new()).unwrap();
        for _ in 0..TRIES {
            assert!(redeem(&open, &invitation, [4; 32]).is_err());
        }
        assert!(redeem(&open, &invitation, CHANNEL).is_err());
    }

    #[test]
    fn the_secret_is_not_in_the_file() {
        let state = tempfile::tempdir().unwrap();
        let open = Invitations::of(state.path());
        let invitation = open.invite(INVITER, Vec::new()).unwrap();
        let file = std::fs::read_to_string(state.path().join("invitations.toml")).unwrap();
        assert!(!file.contains(&HEXLOWER.encode(&invitation.secret)));
    }

    #[test]
    fn any_other_text_is_no_invitation() {
        for text in ["", "blit-join-", "blit-join-aaaa", "join", "blit-join-!!"] {
            assert!(text.parse::<Invitation>().is_err(), "{text}");
        }
    }
}
