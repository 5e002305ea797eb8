//! What is worth keeping of a state directory, in one file: who is known, and which disks. Not the key.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{NodeId, Peers, PeersError, peers::PEERS, private_file};

/// What the first line begins with.
const MAGIC: &str = "blit-state";

/// The form that this program writes, and the newest that it reads.
const FORM: u32 = 1;

/// Nothing that we write is longer.
const BYTES_MAX: u64 = 16 << 20;

/// The file systems of optional modules.
const DISKS: &str = "disks.toml";

/// How many earlier contents of a file are kept when it is replaced.
const GENERATIONS: u32 = 3;

/// Why a file is no snapshot, or is not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not as it was written.
    #[error("it is no export of blit, or it was changed: {0}")]
    Broken(&'static str),
    /// A later program has written it.
    #[error(
        "it has form {0}, and this program reads form {FORM}: take the program that wrote it, or a newer one"
    )]
    Newer(u32),
    /// The known machines in it are none.
    #[error(transparent)]
    Peers(#[from] PeersError),
}

/// What is worth keeping of a state directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// When it was taken.
    pub made: String,
    /// Of which machine.
    pub machine: String,
    peers: String,
    disks: String,
}

impl Snapshot {
    /// What is in the directory `state` now.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn take(state: &Path, machine: &str) -> Result<Self, SnapshotError> {
        Ok(Self {
            made: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
            machine: machine.to_owned(),
            peers: text(&state.join(PEERS))?,
            disks: text(&state.join(DISKS))?,
        })
    }

    /// As the bytes of a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = serde_json::to_string_pretty(self).unwrap_or_default();
        let sum = blake3::hash(body.as_bytes()).to_hex();
        format!("{MAGIC} {FORM} {} {sum}\n{body}", body.len()).into_bytes()
    }

    /// Writes it to a file that only its owner can read, whole or not at all.
    ///
    /// # Errors
    /// [`SnapshotError::File`]
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        let written = std::path::absolute(path);
        let written = written.and_then(|path| private_file::write(&path, &self.to_bytes()));
        written.map_err(|source| failed(path, source))
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn read(path: &Path) -> Result<Self, SnapshotError> {
        let found = fs::metadata(path).map_err(|source| failed(path, source))?;
        if found.len() > BYTES_MAX {
            return Err(SnapshotError::Broken("it is too long"));
        }
        Self::from_bytes(&fs::read(path).map_err(|source| failed(path, source))?)
    }

    /// What such bytes say. Whoever wrote them, nothing but names and keys comes out.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let broken = SnapshotError::Broken;
        let text = std::str::from_utf8(bytes).map_err(|_| broken("it is no text"))?;
        let (head, body) = text
            .split_once('\n')
            .ok_or(broken("it has one line only"))?;
        let mut words = head.split(' ');
        if words.next() != Some(MAGIC) {
            return Err(broken("it does not say what it is"));
        }
        let form = words.next().and_then(|it| it.parse().ok());
        match form.ok_or(broken("it does not say its form"))? {
            FORM => {}
            other => return Err(SnapshotError::Newer(other)),
        }
        let length = words.next().and_then(|it| it.parse().ok());
        if length != Some(body.len()) {
            return Err(broken("it has another length than it says"));
        }
        if words.next() != Some(&blake3::hash(body.as_bytes()).to_hex()) {
            return Err(broken("it has another digest than it says"));
        }
        let snapshot: Self = serde_json::from_str(body).map_err(|_| broken("its fields"))?;
        snapshot.peers()?;
        toml::from_str::<BTreeMap<String, String>>(&snapshot.disks)
            .map_err(|_| broken("its disks"))?;
        Ok(snapshot)
    }

    fn peers(&self) -> Result<Peers, SnapshotError> {
        Ok(Peers::read(PEERS.into(), self.peers.as_bytes())?)
    }

    /// What would be otherwise in the directory `state`, a line each: `+` comes, `-` goes, `~` changes.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn differences(&self, state: &Path) -> Result<Vec<String>, SnapshotError> {
        let ids = |peers: &Peers| -> BTreeMap<String, NodeId> {
            peers
                .iter()
                .map(|peer| (peer.name.clone(), peer.id))
                .collect()
        };
        let (now, then) = (ids(&Peers::load(state)?), ids(&self.peers()?));
        let mut lines = Vec::new();
        for (name, id) in &now {
            match then.get(name) {
                None => lines.push(format!("- {name}\t{id}")),
                Some(other) if other != id => lines.push(format!("~ {name}\t{id} → {other}")),
                Some(_) => {}
            }
        }
        let new = then.iter().filter(|(name, _)| !now.contains_key(*name));
        lines.extend(new.map(|(name, id)| format!("+ {name}\t{id}")));
        if text(&state.join(DISKS))? != self.disks {
            lines.push(format!("~ {DISKS}"));
        }
        Ok(lines)
    }

    /// Takes it over into the directory `state`. What was there is kept beside it, three generations of
    /// it.
    ///
    /// # Errors
    /// [`SnapshotError`]; each file is the old or the new one.
    pub fn restore(&self, state: &Path) -> Result<(), SnapshotError> {
        for (name, content) in [(PEERS, &self.peers), (DISKS, &self.disks)] {
            let path = state.join(name);
            if text(&path)? == *content {
                continue;
            }
            keep(&path).map_err(|source| failed(&path, source))?;
            private_file::write(&path, content.as_bytes())
                .map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }
}

/// Keeps what a file says now as its generation 1; what was 1 is 2.
fn keep(path: &Path) -> io::Result<()> {
    let generation = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..GENERATIONS).rev() {
        match fs::rename(generation(number), generation(number + 1)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
    }
    match fs::read(path) {
        Ok(content) => private_file::write(&generation(1), &content),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Nothing, if there is no such file.
fn text(path: &Path) -> Result<String, SnapshotError> {
    match fs::read_to_string(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|source| failed(path, source)),
    }
}

fn failed(path: &Path, source: io::Error) -> SnapshotError {
    let path = path.to_owned();
    SnapshotError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KnownPeer;

    fn know(state: &Path, name: &str, key: u8) {
        let mut peers = Peers::load(state).unwrap();
        peers.remove(name).unwrap();
        let peer = KnownPeer {
            name: name.to_owned(),
            id: NodeId::from_bytes([key; 32]),
            addresses: Vec::new(),
            how: "fingerprint".to_owned(),
            added: String::new(),
        };
        peers.add(peer).unwrap();
    }

    #[test]
    fn what_was_taken_is_there_again_and_what_was_instead_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        know(&one, "nas", 1);
        know(&one, "laptop", 2);
        let file = folder.path().join("export");
        Snapshot::take(&one, "me").unwrap().write(&file).unwrap();
        let read = Snapshot::read(&file).unwrap();
        know(&two, "nas", 3);
        know(&two, "old", 4);
        let differences = read.differences(&two).unwrap();
        let signs: Vec<&str> = differences
            .iter()
            .map(|it| it.split('\t').next().unwrap())
            .collect();
        assert_eq!(signs, ["~ nas", "- old", "+ laptop"]);
        read.restore(&two).unwrap();
        assert!(read.differences(&two).unwrap().is_empty());
        let kept = fs::read_to_string(two.join("peers.toml.1")).unwrap();
        assert!(kept.contains("old"), "{kept}");
        // The same once more changes nothing, and four others leave three.
        read.restore(&two).unwrap();
        assert!(!two.join("peers.toml.2").exists());
        for key in 10..14 {
            know(&two, "nas", key);
            read.restore(&two).unwrap();
        }
        assert!(two.join("peers.toml.3").exists() && !two.join("peers.toml.4").exists());
    }

    #[test]
    fn what_was_changed_cut_or_is_of_a_later_form_is_refused() {
        let state = tempfile::tempdir().unwrap();
        know(state.path(), "nas", 1);
        let text =
            String::from_utf8(Snapshot::take(state.path(), "me").unwrap().to_bytes()).unwrap();
        Snapshot::from_bytes(text.as_bytes()).unwrap();
        let newer = text.replacen("blit-state 1 ", "blit-state 2 ", 1);
        let newer = Snapshot::from_bytes(newer.as_bytes()).unwrap_err();
        assert!(matches!(newer, SnapshotError::Newer(2)), "{newer}");
        for at in 0..text.len() {
            let cut = Snapshot::from_bytes(&text.as_bytes()[..at]);
            assert!(cut.is_err(), "{at}");
        }
        let changed = text.replace("nas", "nbs");
        assert!(Snapshot::from_bytes(changed.as_bytes()).is_err());
    }

    #[test]
    fn machines_that_are_none_are_not_taken_over() {
        let snapshot = Snapshot {
            peers: "[peer.nas]\nid = \"nonsense\"\nadded = \"\"\nhow = \"\"\n".to_owned(),
            ..Snapshot::default()
        };
        assert!(Snapshot::from_bytes(&snapshot.to_bytes()).is_err());
    }
}
