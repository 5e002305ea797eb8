//! The machines that this one knows: `peers.toml`, for people to read and for blit to write.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{NodeId, private_file};

/// The name of the file.
pub(crate) const PEERS: &str = "peers.toml";

/// The longest name of a peer.
const NAME_BYTES_MAX: usize = 63;

/// A machine that this one knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPeer {
    /// What it is called here.
    pub name: String,
    /// Its key.
    pub id: NodeId,
    /// Where it was reached, `host:port`, the newest first. Empty for one that only comes here.
    pub addresses: Vec<String>,
    /// How the two came to know each other.
    pub how: String,
    /// When.
    pub added: String,
}

/// Why the peers are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeersError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such name, or it cannot be one.
    #[error("{0}")]
    Name(String),
    /// The file is not what blit writes.
    #[error("{path} is broken: {}", blit_config::plain(reason))]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

/// The machines that this one knows.
#[derive(Debug, Clone)]
pub struct Peers {
    path: PathBuf,
    peers: BTreeMap<String, KnownPeer>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: BTreeMap<String, Record>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    added: String,
    how: String,
    #[serde(default)]
    addresses: Vec<String>,
}

impl Record {
    /// Whether a terminal would obey what is shown of it; it may come from another machine.
    fn steers(&self) -> bool {
        let mut shown = [&self.added, &self.how].into_iter().chain(&self.addresses);
        shown.any(|it| it.contains(char::is_control))
    }
}

impl Peers {
    /// Reads the peers in the directory `state`. Without a file there are none.
    ///
    /// # Errors
    /// [`PeersError`]: a file that cannot be understood is never taken for an empty one.
    pub fn load(state: &Path) -> Result<Self, PeersError> {
        let path = state.join(PEERS);
        match private_file::read(&path) {
            Ok(bytes) => Self::read(path, &bytes),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Self::read(path, b""),
            Err(source) => Err(PeersError::File { path, source }),
        }
    }

    /// Those in a file with this content.
    pub(crate) fn read(path: PathBuf, bytes: &[u8]) -> Result<Self, PeersError> {
        let broken = |reason: String| PeersError::Broken {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes.to_vec()).map_err(|error| broken(error.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|error| broken(error.to_string()))?;
        let peers = file.peer.into_iter().map(|(name, record)| {
            if record.steers() || name.contains(char::is_control) {
                return Err(broken(format!("peer {name} has control characters")));
            }
            let id = record.id.parse();
            let id = id.map_err(|_| broken(format!("peer {name} has no valid id")))?;
            let peer = KnownPeer {
                name: name.clone(),
                id,
                addresses: record.addresses,
                how: record.how,
                added: record.added,
            };
            Ok((name, peer))
        });
        let peers = peers.collect::<Result<_, _>>()?;
        Ok(Self { path, peers })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &KnownPeer> {
        self.peers.values()
    }

    /// The peer of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&KnownPeer> {
        self.peers.get(name)
    }

    /// The peer with that key.
    #[must_use]
    pub fn with_id(&self, id: &NodeId) -> Option<&KnownPeer> {
        self.peers.values().find(|peer| peer.id == *id)
    }

    /// Knows a machine from now on: by `name`, or one like it that is free. One that was known keeps its
    /// name.
    ///
    /// # Errors
    /// [`PeersError::File`], and nothing is changed.
    pub fn add(&mut self, mut peer: KnownPeer) -> Result<String, PeersError> {
        let known = self.with_id(&peer.id).map(|known| known.name.clone());
        peer.name = known.unwrap_or_else(|| self.free_name(&peer.name));
        let name = peer.name.clone();
        self.peers.insert(name.clone(), peer);
        self.save()?;
        Ok(name)
    }

    /// Calls a machine something else.
    ///
    /// # Errors
    /// [`PeersError::Name`] if there is no such machine, or the new name is taken or is none;
    /// [`PeersError::File`]. Nothing is changed then.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), PeersError> {
        let refuse = |reason: String| Err(PeersError::Name(reason));
        if self.peers.contains_key(to) {
            return refuse(format!("another machine is called {to:?}"));
        }
        if self.free_name(to) != to {
            return refuse(format!(
                "{to:?} is no name: letters, digits, - _ . and at most {NAME_BYTES_MAX} of them"
            ));
        }
        let Some(mut peer) = self.peers.remove(from) else {
            return refuse(format!("no machine is called {from:?}"));
        };
        peer.name = to.to_owned();
        self.peers.insert(to.to_owned(), peer);
        self.save()
    }

    /// Forgets a machine; `false` if it was not known.
    ///
    /// # Errors
    /// [`PeersError::File`], and nothing is changed.
    pub fn remove(&mut self, name: &str) -> Result<bool, PeersError> {
        let was_there = self.peers.remove(name).is_some();
        if was_there {
            self.save()?;
        }
        Ok(was_there)
    }

    fn free_name(&self, wanted: &str) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut name: String = wanted.chars().filter(plain).take(NAME_BYTES_MAX).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            name = "peer".to_owned();
        }
        if !self.peers.contains_key(&name) {
            return name;
        }
        let mut number = 2_u64;
        loop {
            let numbered = format!("{name}-{number}");
            if !self.peers.contains_key(&numbered) {
                return numbered;
            }
            number += 1;
        }
    }

    fn save(&self) -> Result<(), PeersError> {
        let record = |peer: &KnownPeer| Record {
            id: peer.id.to_string(),
            added: peer.added.clone(),
            how: peer.how.clone(),
            addresses: peer.addresses.clone(),
        };
        let file = File {
            peer: self
                .peers
                .iter()
                .map(|(name, peer)| (name.clone(), record(peer)))
                .collect(),
        };
        let failed = |source| PeersError::File {
            path: self.path.clone(),
            source,
        };
        let text =
            toml::to_string_pretty(&file).map_err(|error| failed(io::Error::other(error)))?;
        private_file::write(&self.path, text.as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, key: u8) -> KnownPeer {
        KnownPeer {
            name: name.to_owned(),
            id: NodeId::from_bytes([key; 32]),
            addresses: vec!["nas:9031".to_owned()],
            how: "join-token".to_owned(),
            added: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn peers_are_there_again_and_names_are_never_shared() {
        let state = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(state.path()).unwrap();
        assert_eq!(peers.add(peer("nas", 1)).unwrap(), "nas");
        assert_eq!(peers.add(peer("nas", 2)).unwrap(), "nas-2");
        assert_eq!(peers.add(peer("other", 1)).unwrap(), "nas");
        let mut again = Peers::load(state.path()).unwrap();
        assert_eq!(again.iter().count(), 2);
        assert_eq!(
            again.with_id(&NodeId::from_bytes([2; 32])).unwrap().name,
            "nas-2"
        );
        assert!(again.remove("nas").unwrap());
        assert!(!again.remove("nas").unwrap());
    }

    #[test]
    fn a_machine_is_renamed_only_to_what_is_a_name_and_free() {
        let state = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(state.path()).unwrap();
        peers.add(peer("nas", 1)).unwrap();
        peers.add(peer("laptop", 2)).unwrap();
        for (from, to) in [
            ("nas", "laptop"),
            ("nas", "a b"),
            ("nas", ""),
            ("none", "new"),
        ] {
            assert!(peers.rename(from, to).is_err(), "{from} {to}");
        }
        peers.rename("nas", "store").unwrap();
        let again = Peers::load(state.path()).unwrap();
        assert_eq!(
            again.named("store").unwrap().id,
            NodeId::from_bytes([1; 32])
        );
        assert!(again.named("nas").is_none());
    }

    #[test]
    fn a_broken_file_is_no_empty_one() {
        let state = tempfile::tempdir().unwrap();
        private_file::write(&state.path().join("peers.toml"), b"[peer.nas]\nid = 3\n").unwrap();
        assert!(matches!(
            Peers::load(state.path()),
            Err(PeersError::Broken { .. })
        ));
    }

    #[test]
    fn what_would_steer_a_terminal_is_nothing_that_a_machine_is_called() {
        let read = |text: &str| Peers::read("peers.toml".into(), text.as_bytes());
        let id = NodeId::from_bytes([1; 32]);
        let file = |name: &str, how: &str, address: &str| {
            format!(
                "[peer.\"{name}\"]\nid = \"{id}\"\nadded = \"\"\nhow = \"{how}\"\naddresses = [\"{address}\"]\n"
            )
        };
        read(&file("nas", "fingerprint", "nas:9031")).unwrap();
        const CLEARS: &str = "\\u001b[2J";
        for text in [
            file(CLEARS, "", ""),
            file("nas", CLEARS, ""),
            file("nas", "", CLEARS),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains("control characters"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn a_name_from_outside_is_made_plain() {
        let state = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(state.path()).unwrap();
        assert_eq!(peers.add(peer("../\x1b[2J", 1)).unwrap(), "peer");
    }
}
