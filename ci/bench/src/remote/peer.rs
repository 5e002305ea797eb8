//! The programs that are compared: what each runs on either side.

use crate::remote::tools::{self, Tools};
use crate::remote::work::Work;
use crate::remote::{Kind, Role, Side, net};
use crate::shell;
use clap::ValueEnum;
use eyre::{OptionExt, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// sshd starts itself again for each call, and wants to be named by its path for that.
const SSHD: &str = "/usr/sbin/sshd";

/// A program other than blit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// A file that is read, digested, sent, received, digested and written in the harness: the limit
    /// in clear.
    Loop,
    /// `rsync -a` with a daemon of its own, in clear.
    RsyncDaemon,
    /// `scp -rp` with an sshd of its own.
    Scp,
    /// One TLS 1.3 stream in the harness, from memory to memory: the limit of what is encrypted.
    Tls,
}

/// Who runs, against itself on the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contender {
    Blit,
    Peer(Peer),
}

/// One run of one contender: what goes where.
pub(crate) struct Run<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) work: Work,
    /// Below the one side's folder.
    pub(crate) source: &'a str,
    /// Below the other's.
    pub(crate) target: &'a str,
    pub(crate) size_bytes: u64,
}

impl Peer {
    /// As the results page calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop with digests",
            Self::RsyncDaemon => "rsync -a, daemon",
            Self::Scp => "scp -rp",
            Self::Tls => "TLS, memory only",
        }
    }

    /// What it says about its version.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn version(self) -> eyre::Result<String> {
        let said = match self {
            Self::Loop => "1 MiB at a time; BLAKE3 of the file, and keyed of each piece".to_owned(),
            Self::Tls => {
                "rustls with aws-lc-rs, 1 MiB at a time; nothing is read or written".to_owned()
            }
            Self::RsyncDaemon => shell::output(Command::new("rsync").arg("--version"))?,
            Self::Scp => {
                ensure!(Path::new(SSHD).exists(), "{SSHD} is not installed");
                shell::output(Command::new("sh").args(["-c", "ssh -V 2>&1"]))?
            }
        };
        Ok(said.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// Whether its copy is one that can be compared.
    pub(crate) fn copies(self) -> bool {
        self != Self::Tls
    }
}

impl Contender {
    /// Where its server listens.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Blit => tools::BLIT_PORT,
            Self::Peer(Peer::RsyncDaemon) => tools::RSYNC_PORT,
            Self::Peer(Peer::Scp) => tools::SSH_PORT,
            Self::Peer(Peer::Loop | Peer::Tls) => tools::LIMIT_PORT,
        }
    }
}

impl Run<'_> {
    /// What runs at the other side.
    pub(crate) fn server(&self, contender: Contender) -> eyre::Result<Vec<OsString>> {
        let tools = self.tools;
        Ok(match contender {
            Contender::Blit => tools.daemon_command(),
            Contender::Peer(Peer::RsyncDaemon) => {
                let mut command = words(&["rsync", "--daemon", "--no-detach"]);
                command.push(format!("--address={}", net::ADDRESS).into());
                command.push(format!("--port={}", tools::RSYNC_PORT).into());
                command.extend(["--config".into(), tools.path("rsyncd.conf").into()]);
                command
            }
            Contender::Peer(Peer::Scp) => {
                let mut command = words(&[SSHD, "-D", "-f"]);
                command.push(tools.path("sshd_config").into());
                command.extend(["-E".into(), tools.path("sshd.log").into()]);
                command
            }
            Contender::Peer(Peer::Loop) => self.limit(Kind::Loop, Side::Listen)?,
            Contender::Peer(Peer::Tls) => self.limit(Kind::Tls, Side::Listen)?,
        })
    }

    /// What runs here. A peer's ends with a sync of the target's file system, because blit's other
    /// side does that before it says that it is done: both are as durable when the clock stops.
    pub(crate) fn client(&self, contender: Contender) -> eyre::Result<Vec<OsString>> {
        let address = net::ADDRESS;
        let peer = match contender {
            Contender::Blit => return Ok(self.blit()),
            Contender::Peer(peer) => peer,
        };
        let command = match peer {
            Peer::RsyncDaemon => {
                let there =
                    |name: &str| format!("rsync://{address}:{}/m/{name}", tools::RSYNC_PORT);
                let mut command = words(&["rsync", "-a"]);
                command.extend(self.ends(there, true));
                command
            }
            Peer::Scp => {
                let there =
                    |name: &str| format!("{address}:{}", self.tools.there().join(name).display());
                let mut command = words(&["scp", "-rpq"]);
                command.extend(self.tools.ssh_options());
                command.extend(self.ends(there, false));
                command
            }
            Peer::Loop => self.limit(Kind::Loop, Side::Dial)?,
            Peer::Tls => return self.limit(Kind::Tls, Side::Dial),
        };
        let mut synced = words(&["sh", "-c", r#"target="$0"; "$@" && sync -f "$target""#]);
        synced.push(self.target_path().into());
        synced.extend(command);
        Ok(synced)
    }

    /// What blit says goes into a file: how it went, and what it counted.
    fn blit(&self) -> Vec<OsString> {
        const SCRIPT: &str =
            r#"export BLIT_STATE="$1"; said="$2"; shift 2; exec "$0" "$@" > "$said" 2>&1"#;
        let there = |name: &str| format!("{}:/m/{name}", net::ADDRESS);
        let mut command = words(&["sh", "-c", SCRIPT]);
        command.push(self.tools.blit.clone().into());
        command.push(self.tools.path("client-state").into());
        command.push(self.said().into());
        command.push("copy".into());
        // The slash: the contents of the source, not the source by name.
        command.extend(self.ends(there, true));
        command.extend(self.work.is_in_clear().then(|| "--allow-cleartext".into()));
        command.extend(self.work.is_update().then(|| "--json".into()));
        command
    }

    /// Where it is kept what blit said.
    pub(crate) fn said(&self) -> PathBuf {
        self.tools.path("said")
    }

    /// Source and target, as a client names them; `there` names what is at the server.
    fn ends(&self, there: impl Fn(&str) -> String, slash: bool) -> [OsString; 2] {
        let here = |name: &str| self.tools.here().join(name).into_os_string();
        let (mut source, target) = match self.work.pulls() {
            true => (there(self.source).into(), here(self.target)),
            false => (here(self.source), there(self.target).into()),
        };
        if slash {
            source.push("/");
        }
        [source, target]
    }

    pub(crate) fn source_path(&self) -> PathBuf {
        match self.work.pulls() {
            true => self.tools.there().join(self.source),
            false => self.tools.here().join(self.source),
        }
    }

    pub(crate) fn target_path(&self) -> PathBuf {
        match self.work.pulls() {
            true => self.tools.here().join(self.target),
            false => self.tools.there().join(self.target),
        }
    }

    fn limit(&self, kind: Kind, side: Side) -> eyre::Result<Vec<OsString>> {
        let sends = (side == Side::Dial) != self.work.pulls();
        let (role, folder) = match sends {
            true => (Role::Send, self.source_path()),
            false => (Role::Receive, self.target_path()),
        };
        let mut command = vec![std::env::current_exe()?.into(), "limit".into()];
        command.extend([value(kind)?, value(side)?, value(role)?]);
        command.push(net::at(tools::LIMIT_PORT).to_string().into());
        command.push(folder.into());
        command.push(self.size_bytes.to_string().into());
        command.push(self.tools.path("").into());
        Ok(command)
    }
}

/// A value as the harness takes it as an argument.
fn value(it: impl ValueEnum) -> eyre::Result<OsString> {
    let value = it.to_possible_value().ok_or_eyre("it has no name")?;
    Ok(value.get_name().into())
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
