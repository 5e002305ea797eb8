//! The programs that are compared: how each is called, and how each is installed.

use crate::shell;
use eyre::{Context, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where peers from the crate registry are installed.
const PEERS: &str = "target/peers";

/// A program other than blit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Peer {
    /// One `copy_file_range` loop in the harness: the limit for a single file.
    CopyFileRange,
    /// `cp -a`.
    Cp,
    /// `cpz`, which keeps modes only.
    Cpz,
    /// `rsync -a`.
    Rsync,
    /// Two `tar` with a pipe between them.
    Tar,
    /// The same blit, without reading back.
    Unverified,
    /// A walk through both trees that looks at every entry and does nothing else: the limit for a
    /// mirror that changes nothing.
    Walk,
    /// `xcp -r`.
    Xcp,
}

/// What a program is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a target that does not exist like the source.
    Copy,
    /// Make a target that exists like the source, removing what is extra.
    Mirror,
}

impl Action {
    fn verb(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Mirror => "mirror",
        }
    }
}

/// Who runs.
#[derive(Clone, Debug)]
pub enum Contender {
    /// The blit at this path.
    Blit(PathBuf),
    /// The same, which reads everything back from storage.
    Verifying(PathBuf),
    /// Somebody else.
    Peer(Peer),
}

impl Contender {
    /// As the results page calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Blit(_) | Self::Verifying(_) => "blit",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// The command that does `action`. A peer's ends with a sync of the target's file system,
    /// because blit's does by itself: both are as durable when the clock stops.
    ///
    /// # Errors
    /// When the peer cannot do it.
    pub fn command(
        &self,
        action: Action,
        source: &Path,
        target: &Path,
    ) -> eyre::Result<Vec<OsString>> {
        let blit = match self {
            Self::Blit(path) | Self::Verifying(path) => path,
            Self::Peer(peer) => return peer.command(action, source, target),
        };
        let verb: &[&str] = match action {
            Action::Copy => &["copy"],
            Action::Mirror => &["mirror", "--yes"],
        };
        let mut command = vec![blit.into()];
        command.extend(verb.iter().map(OsString::from));
        // The slash: the contents of the source, not the source by name.
        command.extend([source.join("").into(), target.into()]);
        if let Self::Verifying(_) = self {
            command.push("--verify".into());
        }
        Ok(command)
    }

    /// The first line that it says about its version.
    ///
    /// # Errors
    /// When it does not run.
    pub fn version(&self) -> eyre::Result<String> {
        let program = match self {
            Self::Blit(path) | Self::Verifying(path) => path.clone().into_os_string(),
            Self::Peer(Peer::CopyFileRange) => return Ok("system call".to_owned()),
            Self::Peer(Peer::Unverified) => return Ok("the same".to_owned()),
            Self::Peer(Peer::Walk) => return Ok("system calls".to_owned()),
            Self::Peer(peer) => peer.program(),
        };
        let said = shell::output(Command::new(program).arg("--version"))?;
        Ok(said.lines().next().unwrap_or_default().trim().to_owned())
    }
}

impl Peer {
    /// As the results page calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CopyFileRange => "copy_file_range",
            Self::Cp => "cp -a",
            Self::Cpz => "cpz",
            Self::Rsync => "rsync -a",
            Self::Tar => "tar | tar",
            Self::Unverified => "blit without --verify",
            Self::Walk => "walk",
            Self::Xcp => "xcp -r",
        }
    }

    fn program(self) -> OsString {
        let from_registry = |name| Path::new(PEERS).join("bin").join(name).into_os_string();
        match self {
            Self::CopyFileRange | Self::Unverified | Self::Walk => {
                std::env::current_exe().unwrap_or_default().into_os_string()
            }
            Self::Cp => "cp".into(),
            Self::Cpz => from_registry("cpz"),
            Self::Rsync => "rsync".into(),
            Self::Tar => "tar".into(),
            Self::Xcp => from_registry("xcp"),
        }
    }

    /// A line of shell: `$0` is the program, `$1` the source, `$2` the target.
    fn script(self, action: Action) -> Option<&'static str> {
        match (action, self) {
            (Action::Copy, Self::CopyFileRange) => Some(r#""$0" copy-only-file "$1" "$2""#),
            (Action::Copy, Self::Cp) => Some(r#""$0" -a "$1" "$2""#),
            (Action::Copy, Self::Cpz) => Some(r#""$0" "$1" "$2""#),
            (Action::Copy, Self::Rsync) => Some(r#""$0" -a "$1/" "$2/""#),
            (Action::Copy, Self::Tar) => {
                Some(r#"mkdir "$2" && "$0" -C "$1" -cf - . | "$0" -C "$2" -xpf -"#)
            }
            (Action::Copy, Self::Xcp) => Some(r#""$0" -r "$1" "$2""#),
            (Action::Mirror, Self::Rsync) => Some(r#""$0" -a --delete "$1/" "$2/""#),
            (Action::Mirror, Self::Walk) => Some(r#""$0" walk "$1" "$2""#),
            (Action::Copy, Self::Unverified | Self::Walk) | (Action::Mirror, _) => None,
        }
    }

    fn command(self, action: Action, source: &Path, target: &Path) -> eyre::Result<Vec<OsString>> {
        let Some(script) = self.script(action) else {
            bail!("{} cannot {}", self.name(), action.verb());
        };
        let script = format!(r#"{script} && sync -f "$2""#);
        let mut command = vec!["sh".into(), "-c".into(), script.into(), self.program()];
        command.extend([source.into(), target.into()]);
        Ok(command)
    }

    /// Installs the peer when it is missing: from Debian, or from the crate registry at a pinned
    /// version.
    ///
    /// # Errors
    /// When it is missing and cannot be installed.
    pub fn install(self) -> eyre::Result<()> {
        let program = self.program();
        let is_ours = matches!(self, Self::CopyFileRange | Self::Unverified | Self::Walk);
        if is_ours || shell::exists(&program.to_string_lossy()) {
            return Ok(());
        }
        let installed = match self {
            Self::Cpz => shell::output(&mut from_registry("cpz@3.2.1")),
            Self::Xcp => shell::output(&mut from_registry("xcp@0.24.9")),
            _ => shell::output(
                Command::new("apt-get")
                    .args(["install", "--yes"])
                    .arg(program),
            ),
        };
        installed.wrap_err_with(|| format!("{} cannot be installed", self.name()))?;
        Ok(())
    }
}

fn from_registry(name: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["install", "--locked", "--root", PEERS, name]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(contender: &Contender, action: Action) -> Vec<String> {
        let command = contender
            .command(action, Path::new("/s"), Path::new("/t"))
            .unwrap();
        command
            .iter()
            .map(|it| it.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn blit_is_asked_for_the_contents_of_the_source() {
        let blit = Contender::Blit("target/release/blit".into());
        assert_eq!(
            words(&blit, Action::Copy),
            ["target/release/blit", "copy", "/s/", "/t"]
        );
        assert_eq!(
            words(&blit, Action::Mirror),
            ["target/release/blit", "mirror", "--yes", "/s/", "/t"]
        );
    }

    #[test]
    fn a_blit_that_verifies_is_told_so() {
        let blit = Contender::Verifying("blit".into());
        assert_eq!(
            words(&blit, Action::Copy),
            ["blit", "copy", "/s/", "/t", "--verify"]
        );
    }

    #[test]
    fn a_peer_is_made_as_durable_as_blit() {
        let command = words(&Contender::Peer(Peer::Cp), Action::Copy);
        assert_eq!(
            command,
            [
                "sh",
                "-c",
                r#""$0" -a "$1" "$2" && sync -f "$2""#,
                "cp",
                "/s",
                "/t"
            ]
        );
    }

    #[test]
    fn a_peer_that_cannot_mirror_says_so() {
        let peer = Contender::Peer(Peer::Xcp);
        let error = peer
            .command(Action::Mirror, Path::new("/s"), Path::new("/t"))
            .unwrap_err();
        assert_eq!(error.to_string(), "xcp -r cannot mirror");
    }
}
