//! A machine with a daemon, one of several.

use std::{fs, path::PathBuf};

use blit_conform::Scratch;
use blit_control::Identity;

use crate::bench::{Daemon, client};

/// One of the machines: a daemon with a module `m` that can be written, `ro` that cannot, and `own` that only
/// the client sees.
pub(crate) struct Node {
    pub(crate) scratch: Scratch,
    pub(crate) daemon: Daemon,
}

impl Node {
    /// With this at the beginning of its configuration.
    pub(crate) fn start(head: &str) -> Self {
        let scratch = Scratch::new();
        let daemon = Self::daemon(&scratch, head, "127.0.0.1:0");
        Self { scratch, daemon }
    }

    fn daemon(scratch: &Scratch, head: &str, listen: &str) -> Daemon {
        let mut text = head.to_owned();
        for (name, more) in [
            ("m", "access = \"read-write\"\nowner = \"preserve\""),
            ("ro", ""),
            ("own", "peers = [\"nobody\"]"),
        ] {
            let path = scratch.directory(name);
            text += &format!("[[module]]\nname = {name:?}\npath = {path:?}\n{more}\n");
        }
        let config = scratch.path("daemon.toml");
        fs::write(&config, text).unwrap();
        let listen = format!("--listen={listen}");
        let arguments = ["--config".into(), config.into(), listen.into()];
        Daemon::start(&[], &scratch.path("daemon-state"), &arguments)
    }

    /// Kills it, and starts it anew.
    pub(crate) fn restart(&mut self, head: &str) {
        self.daemon.kill();
        let listen = format!("127.0.0.1:{}", self.daemon.port());
        self.daemon = Self::daemon(&self.scratch, head, &listen);
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.scratch.path("daemon-state")
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::load_or_create(&self.state()).unwrap()
    }

    pub(crate) fn module(&self) -> PathBuf {
        self.scratch.path("m")
    }

    /// Has this daemon know that one.
    pub(crate) fn knows(&self, name: &str, other: &Self, addresses: &[&str]) {
        let id = other.identity().id().to_string();
        let words = ["remote", "--daemon", "add", name, &id];
        client(&self.scratch)
            .args([&words[..], addresses].concat())
            .run()
            .succeeds();
    }

    /// The lines of its log in which all these words are.
    pub(crate) fn noted(&self, words: &[&str]) -> Vec<String> {
        let log = fs::read_to_string(self.state().join("audit/audit.jsonl")).unwrap();
        let lines = log.lines();
        let lines = lines.filter(|line| words.iter().all(|word| line.contains(word)));
        lines.map(str::to_owned).collect()
    }
}
