//! What a token says: JSON in one spelling.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::NodeId;

/// The version of the claims.
pub(super) const VERSION: u8 = 1;

/// In the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    pub(super) v: u8,
    /// Who made it. Ids are digests of keys, so `sub` is also what the bearer's key is compared with.
    pub(super) iss: Bytes<32>,
    /// Who may show it.
    pub(super) sub: Bytes<32>,
    /// Where it may be shown.
    pub(super) aud: Bytes<32>,
    /// Who asked for it.
    pub(super) by: Bytes<32>,
    /// The digest of the module and the path.
    pub(super) at: Bytes<32>,
    pub(super) op: Vec<Op>,
    /// The digest of everything else that the session is to be.
    pub(super) what: Bytes<32>,
    /// At least.
    pub(super) sec: Security,
    pub(super) sid: Bytes<16>,
    pub(super) jti: Bytes<16>,
    /// Which run of the daemon made it.
    pub(super) run: Bytes<16>,
    /// Seconds of the time of day, for people.
    pub(super) iat: i64,
    pub(super) exp: i64,
    /// Milliseconds that the daemon had run.
    pub(super) up: u64,
}

/// What may be done at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Op {
    Delete,
    Read,
}

/// Who may read what crosses; the stronger is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Security {
    Clear,
    Encrypted,
}

impl Claims {
    /// What stands before them, encoded: but for the id it is always the same.
    pub(super) fn header(&self) -> String {
        let id = self.iss.node();
        let header = format!(r#"{{"alg":"EdDSA","typ":"blit-dp+jwt","kid":"{id}"}}"#);
        BASE64URL_NOPAD.encode(header.as_bytes())
    }

    /// `None` for whatever we would not have written so.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let claims: Self = serde_json::from_slice(bytes).ok()?;
        let is_ours = claims.v == VERSION && claims.write()? == bytes;
        is_ours.then_some(claims)
    }

    pub(super) fn write(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

/// A number of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes<const LENGTH: usize>(pub(super) [u8; LENGTH]);

impl Bytes<32> {
    pub(super) fn node(&self) -> NodeId {
        NodeId::from_bytes(self.0)
    }
}

impl<const LENGTH: usize> Serialize for Bytes<LENGTH> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de, const LENGTH: usize> Deserialize<'de> for Bytes<LENGTH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
        let bytes = bytes.map_err(D::Error::custom)?;
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| D::Error::custom("another length"))
    }
}
