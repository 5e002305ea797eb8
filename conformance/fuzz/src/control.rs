//! The files that blit reads back.

use blit_config::{Flags, Keys, Layers, Sources};
use blit_control::{Invitations, KnownPeer, NodeId, Peers};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::text::{is_harmless, utf8};

/// Puts the bytes where the decoder looks for its file: each thread has one folder.
pub(crate) fn with_file(name: &str, bytes: &[u8], then: impl FnOnce(&Path, &Path)) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
    }
    let folder: PathBuf = FOLDER.with(|folder| folder.path().to_owned());
    let file = folder.join(name);
    fs::write(&file, bytes).expect("our own folder");
    let ours = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&file, ours).expect("our own file");
    then(&folder, &file);
}

fn settings(file: &Path) -> Result<blit_config::Loaded, blit_config::ConfigError> {
    let nothing: [(&str, &str); 0] = [];
    Sources::of_this_user(Some(file), Flags::default())
        .with_environment(nothing)
        .load()
}

/// Settings that can be read can be written, and read as the same again.
pub(crate) fn config(bytes: &[u8]) {
    with_file("config.toml", bytes, |_, file| match settings(file) {
        Ok(loaded) => {
            let text = toml::to_string(&loaded.settings).expect("settings are a table");
            fs::write(file, text).expect("our own file");
            let again = settings(file).expect("what we write can be read");
            assert_eq!(again.settings, loaded.settings);
        }
        Err(error) => is_harmless(&error),
    });
}

/// Lines of `NAME=VALUE`: what a shell hands on.
pub(crate) fn environment(bytes: &[u8]) {
    utf8(bytes, |text| {
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let sources = Sources::default().with_environment(variables);
        match sources.load() {
            Ok(loaded) => {
                let again = sources.load().expect("nothing has changed");
                assert_eq!(again.settings, loaded.settings);
            }
            Err(error) => {
                is_harmless(&error);
                is_harmless(&error.next());
            }
        }
    });
}

/// Some keys as the daemon has them: with sections that may stand several times.
static DAEMON: Keys = Keys {
    plain: &["access.allow_from", "daemon.listen", "daemon.name"],
    rows: &["module.access", "module.name", "module.path"],
    separator: "__",
};

/// The layer beneath the daemon's own types.
pub(crate) fn daemon_config(bytes: &[u8]) {
    with_file("daemon.toml", bytes, |_, file| {
        let mut layers = Layers::new(&DAEMON);
        let read = layers.file(file, true);
        let taken = read.and_then(|()| {
            layers.rows::<toml::Table>("module")?;
            layers.values::<toml::Table>()
        });
        if let Err(error) = taken {
            is_harmless(&error);
        }
    });
}

/// What an open invitation is, one more is added to.
pub(crate) fn invitations(bytes: &[u8]) {
    with_file("invitations.toml", bytes, |state, _| {
        let inviter = NodeId::from_bytes([1; 32]);
        let open = Invitations::of(state);
        if open.invite(inviter, Vec::new()).is_ok() {
            let again = open.invite(inviter, Vec::new());
            let is_full = matches!(again, Err(blit_control::InvitationError::TooMany));
            assert!(again.is_ok() || is_full, "what we write can be read");
        }
    });
}

/// Peers that can be read can be shown and written, and read as the same again.
pub(crate) fn peers(bytes: &[u8]) {
    with_file("peers.toml", bytes, |state, _| {
        let all = |peers: &Peers| peers.iter().cloned().collect::<Vec<KnownPeer>>();
        let mut peers = match Peers::load(state) {
            Ok(peers) => peers,
            Err(error) => return is_harmless(&error),
        };
        for peer in peers.iter() {
            let KnownPeer {
                name, how, added, ..
            } = peer;
            let shown = [name, how, added].into_iter().chain(&peer.addresses);
            shown.for_each(is_harmless);
        }
        let Some(first) = peers.iter().next().cloned() else {
            return;
        };
        let before = all(&peers);
        let name = peers.add(first.clone()).expect("our own folder");
        assert_eq!(name, first.name, "who is known keeps its name");
        assert_eq!(all(&peers), before);
        let again = Peers::load(state).expect("what we write can be read");
        assert_eq!(all(&again), before);
    });
}
