//! The keys of a session's lanes.

use zeroize::Zeroizing;

/// What both ends of a control connection exported from it for their lanes. Never shown, never sent.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// The secret of those bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The keys of the lanes of one session: one for hellos, one for what each side sends in clear.
#[derive(Clone)]
pub struct LaneKeys {
    hello: Zeroizing<[u8; 32]>,
    from_client: Zeroizing<[u8; 32]>,
    from_daemon: Zeroizing<[u8; 32]>,
}

impl LaneKeys {
    /// The keys of the session of that number over the control connection of that secret.
    #[must_use]
    pub fn derive(secret: &Secret, session: &[u8; 16]) -> Self {
        let mut material = Zeroizing::new([0; 48]);
        material[..32].copy_from_slice(&*secret.0);
        material[32..].copy_from_slice(session);
        let key = |context| Zeroizing::new(blake3::derive_key(context, &*material));
        Self {
            hello: key("blit 2026-11-21 lanes v1 hello"),
            from_client: key("blit 2026-11-21 lanes v1 client to daemon"),
            from_daemon: key("blit 2026-11-21 lanes v1 daemon to client"),
        }
    }

    /// The keyed digest of `parts`, one after the other: all but the last have fixed lengths.
    pub(crate) fn of_hello(&self, parts: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.hello);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize()
    }

    /// The key of the chunks that one side sends on one stream.
    pub(crate) fn of_stream(&self, is_from_daemon: bool, stream: u32) -> Zeroizing<[u8; 32]> {
        let side = if is_from_daemon {
            &self.from_daemon
        } else {
            &self.from_client
        };
        Zeroizing::new(*blake3::keyed_hash(side, &stream.to_le_bytes()).as_bytes())
    }
}

impl std::fmt::Debug for LaneKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LaneKeys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_side_and_stream_has_a_key_of_its_own() {
        let secret = Secret::new([7; 32]);
        let (one, other) = (
            LaneKeys::derive(&secret, &[1; 16]),
            LaneKeys::derive(&secret, &[2; 16]),
        );
        let all = [
            one.hello.clone(),
            other.hello.clone(),
            one.of_stream(true, 0),
            one.of_stream(false, 0),
            one.of_stream(false, 1),
            other.of_stream(false, 1),
        ];
        let different: std::collections::HashSet<[u8; 32]> = all.iter().map(|key| **key).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        let secret = Secret::new([0x5e; 32]);
        let keys = LaneKeys::derive(&secret, &[0; 16]);
        assert_eq!(format!("{secret:?} {keys:?}"), "Secret LaneKeys");
    }
}
