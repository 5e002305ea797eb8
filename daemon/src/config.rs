//! What the daemon is to export, and where: flags over `daemon.toml`.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use blit_config::Paths;
use blit_wire::Access;
use eyre::WrapErr;
use serde::Deserialize;

use crate::args::Args;

/// The port of control and data.
const PORT: u16 = 9_031;

const SYSTEM_FILE: &str = "/etc/blit/daemon.toml";

/// What is wrong with what was configured.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadConfig(pub(crate) String);

/// What holds.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) listen: Vec<String>,
    pub(crate) state: PathBuf,
    pub(crate) modules: Vec<ModuleConfig>,
}

/// One exported tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleConfig {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) comment: String,
    /// Names of paired machines; `*` is all of them.
    pub(crate) peers: Vec<String>,
    /// Whether owners and modes of a peer's files are kept as they are.
    pub(crate) keeps_owner: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    daemon: DaemonSection,
    #[serde(default)]
    module: Vec<ModuleSection>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DaemonSection {
    name: Option<String>,
    listen: Option<Vec<String>>,
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModuleSection {
    name: String,
    path: PathBuf,
    #[serde(default)]
    access: AccessWord,
    #[serde(default)]
    comment: String,
    #[serde(default = "all_peers")]
    peers: Vec<String>,
    #[serde(default)]
    owner: OwnerWord,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AccessWord {
    AddOnly,
    #[default]
    ReadOnly,
    ReadWrite,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OwnerWord {
    #[default]
    Daemon,
    Preserve,
}

fn all_peers() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Reads what holds.
pub(crate) fn load(args: &Args) -> eyre::Result<Config> {
    let file = read(args.config.as_deref())?;
    let mut modules: Vec<ModuleConfig> = file.module.into_iter().map(from_section).collect();
    for typed in &args.modules {
        modules.push(from_typed(typed)?);
    }
    let mut names = BTreeSet::new();
    for module in &modules {
        check_name(&module.name)?;
        if !module.path.is_absolute() {
            let (name, path) = (&module.name, module.path.display());
            return Err(bad(format!(
                "module {name}: {path} is not an absolute path"
            )));
        }
        if !names.insert(&module.name) {
            return Err(bad(format!("two modules are called {}", module.name)));
        }
    }
    let named = args.name.clone().or(file.daemon.name);
    let listen = match args.listen.is_empty() {
        true => file.daemon.listen,
        false => Some(args.listen.clone()),
    };
    let state = args.state_dir.clone().or(file.daemon.state_dir);
    Ok(Config {
        name: named.unwrap_or_else(host_name),
        listen: listen.unwrap_or_else(|| vec![format!("[::]:{PORT}")]),
        state: match state {
            Some(state) => state,
            None => usual_state()?,
        },
        modules,
    })
}

fn read(chosen: Option<&Path>) -> eyre::Result<File> {
    let path = chosen.unwrap_or(Path::new(SYSTEM_FILE));
    let text = match std::fs::read_to_string(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && chosen.is_none() => {
            return Ok(File::default());
        }
        other => other.wrap_err_with(|| bad(format!("cannot read {}", path.display())))?,
    };
    // The parser's own words name the line and show it.
    toml::from_str(&text).map_err(|error| bad(format!("{}: {error}", path.display())))
}

fn from_section(section: ModuleSection) -> ModuleConfig {
    ModuleConfig {
        name: section.name,
        path: section.path,
        access: match section.access {
            AccessWord::AddOnly => Access::AddOnly,
            AccessWord::ReadOnly => Access::ReadOnly,
            AccessWord::ReadWrite => Access::ReadWrite,
        },
        comment: section.comment,
        peers: section.peers,
        keeps_owner: section.owner == OwnerWord::Preserve,
    }
}

/// `NAME=PATH[:rw|:add]`.
fn from_typed(typed: &str) -> eyre::Result<ModuleConfig> {
    let usage = || {
        bad(format!(
            "--module {typed}: write NAME=PATH, NAME=PATH:rw or NAME=PATH:add"
        ))
    };
    let (name, rest) = typed.split_once('=').ok_or_else(usage)?;
    let (path, access) = match rest.rsplit_once(':') {
        Some((path, "rw")) => (path, Access::ReadWrite),
        Some((path, "add")) => (path, Access::AddOnly),
        Some((path, "ro")) => (path, Access::ReadOnly),
        _ => (rest, Access::ReadOnly),
    };
    let path = std::path::absolute(path).wrap_err_with(usage)?;
    Ok(ModuleConfig {
        name: name.to_owned(),
        path,
        access,
        comment: String::new(),
        peers: all_peers(),
        keeps_owner: false,
    })
}

fn check_name(name: &str) -> eyre::Result<()> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if begins && name.len() <= 63 && name.chars().all(plain) {
        return Ok(());
    }
    Err(bad(format!(
        "a module cannot be called {name:?}: a letter first, then letters, digits, - _ . and at most 63 of them"
    )))
}

fn bad(text: String) -> eyre::Report {
    BadConfig(text).into()
}

fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

fn usual_state() -> eyre::Result<PathBuf> {
    let paths = Paths::of_this_user();
    let paths = paths.ok_or_else(|| bad("no home directory: say --state-dir".to_owned()))?;
    Ok(paths.daemon_state())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn loaded(words: &[&str]) -> eyre::Result<Config> {
        let words = std::iter::once("blit-daemon").chain(words.iter().copied());
        load(&Args::parse_from(words))
    }

    #[test]
    fn modules_are_read_only_unless_they_say_otherwise() {
        let config = loaded(&[
            "--config=/dev/null",
            "--module=a=/srv/a",
            "--module=b=/srv/b:rw",
            "--module=c=/srv/c:add",
        ]);
        let access: Vec<_> = config.unwrap().modules.iter().map(|it| it.access).collect();
        assert_eq!(
            access,
            [Access::ReadOnly, Access::ReadWrite, Access::AddOnly]
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("daemon.toml");
        std::fs::write(&file, "[daemon]\nname = \"nas\"\nlisen = [\"x\"]\n").unwrap();
        let error = loaded(&["--config", file.to_str().unwrap()]).unwrap_err();
        assert!(error.is::<BadConfig>());
        let text = error.to_string();
        assert!(text.contains("line 3") && text.contains("lisen"), "{text}");
    }

    #[test]
    fn names_that_could_be_paths_or_twice_are_refused() {
        for module in ["../x=/srv", "=/srv", "1=/srv", "a b=/srv"] {
            assert!(loaded(&["--config=/dev/null", "--module", module]).is_err());
        }
        let twice = ["--config=/dev/null", "--module=a=/x", "--module=a=/y"];
        assert!(loaded(&twice).is_err());
    }
}
