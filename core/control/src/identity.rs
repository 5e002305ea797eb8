//! Who this machine is: an Ed25519 key, and nothing else.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use crate::private_file;

/// What a full id begins with.
const PREFIX: &str = "blit1";

/// How many characters of an id people compare at a glance: 60 bits.
const SHORT_CHARACTERS: usize = 12;

/// A machine: the SHA-256 of its public key (of the SubjectPublicKeyInfo in DER).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// The machine with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The machine that shows this certificate, in DER; nothing if it is none.
    #[must_use]
    pub fn shown_by(certificate: &[u8]) -> Option<Self> {
        Self::of_certificate(&CertificateDer::from(certificate)).ok()
    }

    /// The machine whose key is in a certificate. Nothing else of the certificate is looked at.
    pub(crate) fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Ok(Self::of_key(&parsed.subject_public_key_info()))
    }

    fn of_key(public_key: &[u8]) -> Self {
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, public_key).as_ref());
        Self(id)
    }

    /// The first characters, for people's eyes; never for comparing by machine.
    #[must_use]
    pub fn short(&self) -> String {
        let text = BASE32_NOPAD.encode(&self.0);
        let characters: Vec<char> = text.chars().take(SHORT_CHARACTERS).collect();
        let groups: Vec<String> = characters.chunks(4).map(|it| it.iter().collect()).collect();
        groups.join("-")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&self.0).to_lowercase())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

/// The text is no id of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the id of a machine: it begins with {PREFIX} and has {} characters more",
    52
)]
pub struct BadNodeId;

impl FromStr for NodeId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<Self, BadNodeId> {
        let rest = text.strip_prefix(PREFIX).ok_or(BadNodeId)?;
        let bytes = base32().decode(rest.as_bytes()).map_err(|_| BadNodeId)?;
        bytes.try_into().map(Self).map_err(|_| BadNodeId)
    }
}

/// Base 32 in any case.
pub(crate) fn base32() -> Encoding {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification
        .translate
        .from
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification
        .translate
        .to
        .push_str("abcdefghijklmnopqrstuvwxyz");
    // The specification is a constant of this function.
    specification.encoding().unwrap_or(BASE32_NOPAD)
}

/// Why this machine has no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The key file cannot be read or written.
    #[error("the key of this machine, {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no key of ours.
    #[error("{0} holds no key; to begin anew, move it away and pair again")]
    Broken(PathBuf),
}

/// The key of this machine.
#[derive(Clone)]
pub struct Identity {
    id: NodeId,
    pub(crate) certified: Arc<CertifiedKey>,
}

/// Where the key of a state directory is.
pub(crate) fn key_path(state: &Path) -> PathBuf {
    state.join("identity").join("node.key")
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.id.short())
    }
}

impl Identity {
    /// Reads the key in the directory `state`, or makes one: the first network use.
    ///
    /// # Errors
    /// [`IdentityError`] if there is a file that is none of ours, or others may read it.
    pub fn load_or_create(state: &Path) -> Result<Self, IdentityError> {
        if let Some(identity) = Self::load(state)? {
            return Ok(identity);
        }
        let path = key_path(state);
        let failed = |source| IdentityError::File {
            path: path.clone(),
            source,
        };
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .map_err(|error| failed(io::Error::other(error)))?;
        private_file::write(&path, key.serialize_pem().as_bytes()).map_err(failed)?;
        Self::of(&key).ok_or_else(|| IdentityError::Broken(path.clone()))
    }

    /// Reads the key in the directory `state`; `None` if there is none yet.
    ///
    /// # Errors
    /// [`IdentityError`] if there is a file that is none of ours, or others may read it.
    pub fn load(state: &Path) -> Result<Option<Self>, IdentityError> {
        let path = key_path(state);
        let pem = match private_file::read(&path) {
            Ok(pem) => pem,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::File { path, source }),
        };
        let identity = Self::of_pem(&pem);
        identity.map(Some).ok_or(IdentityError::Broken(path))
    }

    /// The machine with that key, as it stands in its file.
    pub(crate) fn of_pem(pem: &[u8]) -> Option<Self> {
        let pem = std::str::from_utf8(pem).ok()?;
        Self::of(&rcgen::KeyPair::from_pem(pem).ok()?)
    }

    fn of(key: &rcgen::KeyPair) -> Option<Self> {
        // gRPC and QUIC stacks want a certificate. Peers believe its key only.
        let certificate = rcgen::CertificateParams::new(vec!["blit".to_owned()])
            .ok()?
            .self_signed(key)
            .ok()?;
        let certificate = certificate.der().clone();
        let id = NodeId::shown_by(&certificate)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(match &private {
            PrivateKeyDer::Pkcs8(der) => der,
            _ => return None,
        });
        let certified = CertifiedKey::new(vec![certificate], signer.ok()?);
        Some(Self {
            id,
            certified: Arc::new(certified),
        })
    }

    /// Who this machine is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// A proof that this machine said `message`; nothing if its key cannot sign.
    #[must_use]
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Signature> {
        let schemes = [rustls::SignatureScheme::ED25519];
        let signer = self.certified.key.choose_scheme(&schemes)?;
        let key = ParsedCertificate::try_from(self.certified.cert.first()?).ok()?;
        Some(Signature {
            key: key.subject_public_key_info().to_vec(),
            signature: signer.sign(message).ok()?,
        })
    }

    /// Whether this machine made that signature of `message`.
    #[must_use]
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = self.certified.cert.first();
        let key = key.and_then(|key| ParsedCertificate::try_from(key).ok());
        let said = key.map(|key| Signature {
            key: key.subject_public_key_info().to_vec(),
            signature: signature.to_vec(),
        });
        said.is_some_and(|said| said.of(message) == Some(self.id))
    }

    /// Replaces the key in the directory `state` by a new one. The old one stays beside it, and nobody
    /// uses it. Answers who this machine was, and who it is.
    ///
    /// # Errors
    /// [`IdentityError`]; then it is who it was.
    pub fn rotate(state: &Path) -> Result<(NodeId, NodeId), IdentityError> {
        let old = Self::load_or_create(state)?;
        Self::keep(state)?;
        let path = key_path(state);
        let failed = |source| IdentityError::File {
            path: path.clone(),
            source,
        };
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
            .map_err(|error| failed(io::Error::other(error)))?;
        let new = Self::of(&key).ok_or_else(|| IdentityError::Broken(path.clone()))?;
        private_file::write(&path, key.serialize_pem().as_bytes()).map_err(failed)?;
        Ok((old.id, new.id))
    }

    /// Keeps the key in the directory `state` beside itself, under a name of its own.
    pub(crate) fn keep(state: &Path) -> Result<(), IdentityError> {
        let path = key_path(state);
        let failed = |source| IdentityError::File {
            path: path.clone(),
            source,
        };
        let pem = private_file::read(&path).map_err(failed)?;
        let old = Self::of_pem(&pem).ok_or_else(|| IdentityError::Broken(path.clone()))?;
        let kept = path.with_extension(format!("key.{}", old.id.short()));
        private_file::write(&kept, &pem).map_err(failed)
    }
}

/// What a machine said, provably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Its public key, a SubjectPublicKeyInfo in DER.
    pub(crate) key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const KEY_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

impl Signature {
    /// Who said it; `None` if nobody did.
    pub(crate) fn of(&self, message: &[u8]) -> Option<NodeId> {
        let key = self.key.strip_prefix(&KEY_PREFIX)?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(message, &self.signature).ok()?;
        Some(NodeId::of_key(&self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_keeps_its_key() {
        let state = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(state.path()).unwrap();
        let second = Identity::load_or_create(state.path()).unwrap();
        assert_eq!(first.id(), second.id());
        let other = tempfile::tempdir().unwrap();
        assert_ne!(
            first.id(),
            Identity::load_or_create(other.path()).unwrap().id()
        );
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        Identity::load_or_create(state.path()).unwrap();
        let path = state.path().join("identity/node.key");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Identity::load_or_create(state.path()).is_err());
    }

    #[test]
    fn what_a_machine_said_is_proved_and_nothing_else() {
        let state = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(state.path()).unwrap();
        let said = identity.sign(b"this").unwrap();
        assert_eq!(said.of(b"this"), Some(identity.id()));
        assert_eq!(said.of(b"that"), None);
        let other = tempfile::tempdir().unwrap();
        let other = Identity::load_or_create(other.path()).unwrap();
        let forged = Signature {
            key: other.sign(b"this").unwrap().key,
            ..said
        };
        assert_eq!(forged.of(b"this"), None);
    }

    #[test]
    fn a_new_key_takes_the_place_of_the_old_one_which_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(state.path()).unwrap().id();
        let (old, new) = Identity::rotate(state.path()).unwrap();
        assert!(old == first && new != old);
        assert_eq!(Identity::load_or_create(state.path()).unwrap().id(), new);
        let folder = state.path().join("identity");
        let kept = folder.join(format!("node.key.{}", old.short()));
        std::fs::rename(kept, folder.join("node.key")).unwrap();
        assert_eq!(Identity::load_or_create(state.path()).unwrap().id(), old);
    }

    #[test]
    fn an_id_is_read_back_in_any_case() {
        let id = NodeId::from_bytes([0xa5; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let shouted = id.to_string().replacen("blit1", "", 1).to_uppercase();
        assert_eq!(format!("blit1{shouted}").parse(), Ok(id));
        assert_eq!("blit1abc".parse::<NodeId>(), Err(BadNodeId));
        assert_eq!(id.short().len(), 14);
    }
}
