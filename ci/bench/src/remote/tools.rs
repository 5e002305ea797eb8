//! What the servers need beside them: settings, keys, a pairing. All of it is made anew in the folder
//! of the run, and nothing of it is the machine's own.

use crate::remote::server::Server;
use crate::remote::{limit, net};
use crate::shell;
use eyre::{Context, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where blit's daemon listens.
pub(crate) const BLIT_PORT: u16 = 9031;
/// Where rsync's does.
pub(crate) const RSYNC_PORT: u16 = 8730;
/// Where sshd does.
pub(crate) const SSH_PORT: u16 = 2222;
/// Where a limit does.
pub(crate) const LIMIT_PORT: u16 = 9100;

/// The directory without which sshd does not start.
const SSHD_DIRECTORY: &str = "/run/sshd";

/// The folder of a run: `here` and `there` hold the trees of the two sides.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
    pub(crate) blit: PathBuf,
}

impl Tools {
    /// Makes everything, and pairs blit with its daemon.
    pub(crate) fn make(folder: &Path, blit: &Path) -> eyre::Result<Self> {
        let tools = Self {
            folder: folder.canonicalize()?,
            blit: blit.to_owned(),
        };
        fs::create_dir(tools.here())?;
        fs::create_dir(tools.there())?;
        fs::write(tools.path("daemon.toml"), tools.blit_settings())?;
        fs::write(tools.path("rsyncd.conf"), tools.rsync_settings())?;
        limit::make_keys(&tools.folder)?;
        tools
            .pair()
            .wrap_err("blit and its daemon cannot be paired")?;
        Ok(tools)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The client's trees.
    pub(crate) fn here(&self) -> PathBuf {
        self.path("here")
    }

    /// The server's trees.
    pub(crate) fn there(&self) -> PathBuf {
        self.path("there")
    }

    pub(crate) fn daemon(&self) -> PathBuf {
        self.blit.with_file_name("blit-daemon")
    }

    /// The command that starts blit's daemon.
    pub(crate) fn daemon_command(&self) -> Vec<OsString> {
        let mut command = vec![self.daemon().into()];
        command.extend(["--state-dir".into(), self.path("daemon-state").into()]);
        command.extend(["--config".into(), self.path("daemon.toml").into()]);
        command
    }

    fn blit_settings(&self) -> String {
        let listen = net::at(BLIT_PORT);
        format!(
            "[log]\nlevel = \"error\"\n[daemon]\nname = \"there\"\nlisten = [\"{listen}\"]\n\
             [[module]]\nname = \"m\"\npath = {:?}\naccess = \"read-write\"\nowner = \"preserve\"\n\
             security = \"trusted-network\"\nnetworks = [\"{}/32\"]\n",
            self.there(),
            net::ADDRESS,
        )
    }

    fn rsync_settings(&self) -> String {
        format!(
            "use chroot = no\nuid = 0\ngid = 0\nlog file = {}\n[m]\npath = {}\nread only = no\n",
            self.path("rsyncd.log").display(),
            self.there().display(),
        )
    }

    fn pair(&self) -> eyre::Result<()> {
        let server = Server::start(&self.daemon_command(), BLIT_PORT)?;
        let blit = || {
            let mut command = Command::new(&self.blit);
            command.env("BLIT_STATE", self.path("client-state"));
            command.env("BLIT_DAEMON_STATE", self.path("daemon-state"));
            command
        };
        let said = shell::output(blit().arg("pair"))?;
        let invitation = said
            .split_whitespace()
            .find(|it| it.starts_with("blit-join-"));
        let host = net::at(BLIT_PORT).to_string();
        let mut join = blit();
        shell::output(join.args(["pair", &host]).args(invitation))?;
        server.stop()?;
        Ok(())
    }

    /// Makes the keys and the settings of an sshd, unless they are there.
    pub(crate) fn make_ssh(&self) -> eyre::Result<()> {
        if self.path("sshd_config").exists() {
            return Ok(());
        }
        for name in ["host-key", "client-key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            shell::output(keygen.arg(self.path(name)))?;
        }
        let host_key = fs::read_to_string(self.path("host-key.pub"))?;
        let known = format!("[{}]:{SSH_PORT} {host_key}", net::ADDRESS);
        fs::write(self.path("known-hosts"), known)?;
        fs::create_dir_all(SSHD_DIRECTORY).wrap_err(SSHD_DIRECTORY)?;
        let settings = format!(
            "ListenAddress {}:{SSH_PORT}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
             Subsystem sftp internal-sftp\n",
            net::ADDRESS,
            self.path("host-key").display(),
            self.path("client-key.pub").display(),
        );
        fs::write(self.path("sshd_config"), settings)?;
        Ok(())
    }

    /// The options of a client of that sshd, which knows nothing of the user's own keys and hosts.
    pub(crate) fn ssh_options(&self) -> Vec<OsString> {
        let option = |name: &str, path: PathBuf| {
            let mut text = OsString::from(format!("-o{name}="));
            text.push(path);
            text
        };
        let mut options: Vec<OsString> = ["-F", "none", "-oBatchMode=yes", "-oIdentitiesOnly=yes"]
            .map(OsString::from)
            .to_vec();
        options.push(option("IdentityFile", self.path("client-key")));
        options.push(option("UserKnownHostsFile", self.path("known-hosts")));
        options.push(format!("-oPort={SSH_PORT}").into());
        options
    }

    /// Whether what blit said is that its data went by the way that is measured.
    pub(crate) fn check_way(&self, said: &str, is_in_clear: bool) -> eyre::Result<()> {
        let ways = match is_in_clear {
            true => ["over tcp, in clear", r#""security":"clear""#],
            false => ["over tcp, encrypted", r#""security":"encrypted""#],
        };
        ensure!(
            ways.iter().any(|way| said.contains(way)),
            "blit took another way: {said}"
        );
        Ok(())
    }
}
