//! What is worth keeping of a state directory, in one file: who is known, and which disks; the key only
//! for whoever asks for it, and under a passphrase.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Identity, IdentityError, NodeId, Peers, PeersError,
    identity::key_path,
    peers::PEERS,
    private_file,
    sealed_key::{Cost, SealedKey},
};

/// What the first line begins with.
const MAGIC: &str = "blit-state";

/// The form that this program writes, and the newest that it reads.
///
/// 1: what is known. 2: that, and perhaps the key.
const FORM: u32 = 2;

/// No passphrase is shorter.
const PASSPHRASE_BYTES_MIN: usize = 12;

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
    /// There is no key in it.
    #[error("there is no key in it: it was written without --with-identity")]
    NoKey,
    /// The key of this machine cannot be read or sealed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An older form has no place for a key.
    #[error("form {0} has no place for a key: leave out --with-identity, or the form")]
    NoPlaceForKey(u32),
    /// This program does not write that form.
    #[error("there is no form {0}: this program writes the forms 1 to {FORM}")]
    NoSuchForm(u32),
    /// What is to seal the key would soon be guessed.
    #[error("the passphrase is too short: it needs {PASSPHRASE_BYTES_MIN} bytes")]
    ShortPassphrase,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// The key does not open.
    #[error("the key in it does not open: another passphrase, or it was changed")]
    WrongPassphrase,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<SealedKey>,
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
            key: None,
        })
    }

    /// The same with the key in the directory `state`, which `passphrase` opens.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn with_key(self, state: &Path, passphrase: &str) -> Result<Self, SnapshotError> {
        self.sealed(state, passphrase, Cost::USUAL)
    }

    fn sealed(mut self, state: &Path, passphrase: &str, cost: Cost) -> Result<Self, SnapshotError> {
        if passphrase.len() < PASSPHRASE_BYTES_MIN {
            return Err(SnapshotError::ShortPassphrase);
        }
        let path = key_path(state);
        let pem = private_file::read(&path).map_err(|source| failed(&path, source))?;
        let pem = Zeroizing::new(pem);
        let sealed = SealedKey::seal(&pem, &self.machine, passphrase, cost);
        self.key = Some(sealed.ok_or(SnapshotError::NoRandom)?);
        Ok(self)
    }

    /// As the bytes of a file of that form; by itself of the newest.
    ///
    /// # Errors
    /// [`SnapshotError`] if that form has no place for what is in it.
    pub fn to_bytes(&self, form: Option<u32>) -> Result<Vec<u8>, SnapshotError> {
        let form = form.unwrap_or(FORM);
        match form {
            1 if self.key.is_some() => return Err(SnapshotError::NoPlaceForKey(form)),
            1..=FORM => {}
            _ => return Err(SnapshotError::NoSuchForm(form)),
        }
        let body = serde_json::to_string_pretty(self).unwrap_or_default();
        let sum = blake3::hash(body.as_bytes()).to_hex();
        Ok(format!("{MAGIC} {form} {} {sum}\n{body}", body.len()).into_bytes())
    }

    /// Writes it to a file that only its owner can read, whole or not at all.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn write(&self, path: &Path, form: Option<u32>) -> Result<(), SnapshotError> {
        let bytes = self.to_bytes(form)?;
        let written = std::path::absolute(path);
        let written = written.and_then(|path| private_file::write(&path, &bytes));
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
        let form = match form.ok_or(broken("it does not say its form"))? {
            0 => return Err(broken("its form")),
            form @ 1..=FORM => form,
            newer => return Err(SnapshotError::Newer(newer)),
        };
        let length = words.next().and_then(|it| it.parse().ok());
        if length != Some(body.len()) {
            return Err(broken("it has another length than it says"));
        }
        if words.next() != Some(&blake3::hash(body.as_bytes()).to_hex()) {
            return Err(broken("it has another digest than it says"));
        }
        let snapshot: Self = serde_json::from_str(body).map_err(|_| broken("its fields"))?;
        // What a form does not have is none of it, whoever put it there.
        if form == 1 && snapshot.key.is_some() {
            return Err(broken("its fields"));
        }
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

    /// Whose key is in it; nobody's without one.
    #[must_use]
    pub fn key_of(&self) -> Option<&str> {
        self.key.is_some().then_some(&*self.machine)
    }

    /// The key that `passphrase` opens.
    ///
    /// # Errors
    /// [`SnapshotError`]
    pub fn open_key(&self, passphrase: &str) -> Result<OpenedKey, SnapshotError> {
        let sealed = self.key.as_ref().ok_or(SnapshotError::NoKey)?;
        let pem = sealed.open(&self.machine, passphrase);
        let pem = pem.ok_or(SnapshotError::WrongPassphrase)?;
        let identity = Identity::of_pem(&pem).filter(|it| it.id().to_string() == self.machine);
        let identity = identity.ok_or(SnapshotError::Broken("its key"))?;
        let id = identity.id();
        Ok(OpenedKey { id, pem })
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

/// The key of a machine, out of an export.
#[derive(Debug)]
pub struct OpenedKey {
    id: NodeId,
    pem: Zeroizing<Vec<u8>>,
}

impl OpenedKey {
    /// Whose key it is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// From now on the machine with the directory `state` is the one whose key it is. The key that it had
    /// stays beside it, and nobody uses it.
    ///
    /// # Errors
    /// [`SnapshotError`]; then it is who it was.
    pub fn restore(&self, state: &Path) -> Result<(), SnapshotError> {
        match Identity::load(state)? {
            Some(old) if old.id() == self.id => return Ok(()),
            Some(_) => Identity::keep(state)?,
            None => {}
        }
        let path = key_path(state);
        private_file::write(&path, &self.pem).map_err(|source| failed(&path, source))
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
        let taken = Snapshot::take(&one, "me").unwrap();
        taken.write(&file, None).unwrap();
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
        let text = Snapshot::take(state.path(), "me").unwrap().to_bytes(None);
        let text = String::from_utf8(text.unwrap()).unwrap();
        Snapshot::from_bytes(text.as_bytes()).unwrap();
        let newer = text.replacen("blit-state 2 ", "blit-state 3 ", 1);
        let newer = Snapshot::from_bytes(newer.as_bytes()).unwrap_err();
        assert!(matches!(newer, SnapshotError::Newer(3)), "{newer}");
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
        let bytes = snapshot.to_bytes(None).unwrap();
        assert!(Snapshot::from_bytes(&bytes).is_err());
    }

    /// As the first program that exported wrote it.
    const OF_FORM_1: &str = include_str!("snapshot/form-1.txt");

    #[test]
    fn an_export_of_an_older_program_is_taken_over_and_can_be_written_for_one() {
        let state = tempfile::tempdir().unwrap();
        let old = Snapshot::from_bytes(OF_FORM_1.as_bytes()).unwrap();
        old.restore(state.path()).unwrap();
        let peers = Peers::load(state.path()).unwrap();
        assert_eq!(peers.named("nas").unwrap().addresses, ["192.0.2.7:9031"]);
        assert_eq!(old.to_bytes(Some(1)).unwrap(), OF_FORM_1.as_bytes());
        let new = Snapshot::from_bytes(&old.to_bytes(None).unwrap()).unwrap();
        assert_eq!(new, old);
        for form in [0, 3] {
            assert!(
                matches!(old.to_bytes(Some(form)), Err(SnapshotError::NoSuchForm(it)) if it == form)
            );
        }
    }

    #[test]
    fn the_key_goes_along_only_sealed_and_makes_the_other_state_the_same_machine() {
        const PASSPHRASE: &str = "correct horse battery";
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let id = Identity::load_or_create(&one).unwrap().id();
        let before = Identity::load_or_create(&two).unwrap().id();
        let plain = Snapshot::take(&one, &id.to_string()).unwrap();
        assert!(matches!(
            plain.open_key(PASSPHRASE),
            Err(SnapshotError::NoKey)
        ));
        let short = plain.clone().sealed(&one, "hunter2", Cost::LITTLE);
        assert!(matches!(short, Err(SnapshotError::ShortPassphrase)));
        let sealed = plain.sealed(&one, PASSPHRASE, Cost::LITTLE).unwrap();
        assert!(matches!(
            sealed.to_bytes(Some(1)),
            Err(SnapshotError::NoPlaceForKey(1))
        ));
        let bytes = sealed.to_bytes(None).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("PRIVATE KEY"), "{text}");
        let read = Snapshot::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(read.key_of(), Some(&*id.to_string()));
        let wrong = read.open_key("incorrect horse battery");
        assert!(matches!(wrong, Err(SnapshotError::WrongPassphrase)));
        read.open_key(PASSPHRASE).unwrap().restore(&two).unwrap();
        assert_eq!(Identity::load(&two).unwrap().unwrap().id(), id);
        let kept = two.join(format!("identity/node.key.{}", before.short()));
        assert!(kept.exists(), "{}", kept.display());
        // Nothing but the key is in an export of another machine's name.
        let mut other = read;
        other.machine = before.to_string();
        assert!(matches!(
            other.open_key(PASSPHRASE),
            Err(SnapshotError::WrongPassphrase)
        ));
    }
}
