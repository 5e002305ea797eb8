//! The settings of the command line: built in, file, environment and flags.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use blit_contract::{Durability, Preserve};
use figment::{Figment, providers::Serialized, value::Value};
use serde::{Deserialize, Serialize};

use crate::{
    DeleteLimit, Paths, Period, RemoteProgram,
    layers::{ConfigError, Keys, Layers, Origin},
};

const DEFAULTS: &str = include_str!("settings/defaults.toml");

static KEYS: Keys = Keys {
    plain: &[
        "completion.remote",
        "history.enabled",
        "output.color",
        "output.progress",
        "ssh.daemon",
        "ssh.program",
        "transfer.durability",
        "transfer.max_delete",
        "transfer.one_file_system",
        "transfer.preserve",
        "transfer.retry_for",
    ],
    rows: &[],
    separator: "_",
};

/// What the user set, or blit by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settings {
    /// What a shell is told while a command is typed.
    pub completion: CompletionSettings,
    /// What is remembered.
    pub history: HistorySettings,
    /// What is shown.
    pub output: OutputSettings,
    /// How machines are reached over ssh.
    pub ssh: SshSettings,
    /// How entries are moved.
    pub transfer: TransferSettings,
}

/// What a shell is told while a command is typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionSettings {
    /// Whether paired machines are asked for their modules and names.
    pub remote: bool,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistorySettings {
    /// Whether runs are remembered on this machine.
    pub enabled: bool,
}

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputSettings {
    /// When text is coloured.
    pub color: ColorWhen,
    /// When and how progress is shown.
    pub progress: ProgressWhen,
}

/// How machines are reached over ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SshSettings {
    /// What runs on the other machine.
    pub daemon: RemoteProgram,
    /// What runs here.
    pub program: String,
}

/// How entries are moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TransferSettings {
    /// When data counts as safe.
    pub durability: Durability,
    /// The most that a mirror deletes; by itself it has a brake of its own.
    pub max_delete: Option<DeleteLimit>,
    /// Whether to stay on one file system; by itself each verb has its own way.
    pub one_file_system: Option<bool>,
    /// Which metadata is kept.
    pub preserve: PreserveChoice,
    /// How long a lost connection is tried again.
    pub retry_for: Period,
}

/// When text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorWhen {
    /// Always.
    Always,
    /// On a terminal that can.
    Auto,
    /// Never.
    Never,
}

/// When and how progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressWhen {
    /// A row, always.
    Always,
    /// A row on a terminal.
    Auto,
    /// Never.
    Never,
    /// A line now and then, for logs.
    Plain,
}

/// Which metadata is kept, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PreserveChoice {
    /// Everything, or the entry fails.
    All,
    /// What both ends can keep.
    Auto,
    /// Nothing.
    None,
    /// Times only.
    Times,
}

impl From<PreserveChoice> for Preserve {
    fn from(choice: PreserveChoice) -> Self {
        match choice {
            PreserveChoice::All => Self::ALL,
            PreserveChoice::Auto => Self::AUTO,
            PreserveChoice::None => Self::NONE,
            PreserveChoice::Times => Self::TIMES,
        }
    }
}

/// What was said on the command line; `None` is what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--color`.
    pub color: Option<ColorWhen>,
    /// `--durability`.
    pub durability: Option<Durability>,
    /// `--max-delete`.
    pub max_delete: Option<DeleteLimit>,
    /// `--one-file-system`.
    pub one_file_system: Option<bool>,
    /// `--preserve`.
    pub preserve: Option<PreserveChoice>,
    /// `--progress`.
    pub progress: Option<ProgressWhen>,
    /// `--retry-for`.
    pub retry_for: Option<Period>,
}

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file, and whether it must exist.
    file: Option<(PathBuf, Required)>,
    environment: Vec<(OsString, OsString)>,
    flags: Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Required {
    No,
    Yes,
}

impl Sources {
    /// What this user set: the file of `--config`, which must exist, or else the usual one; the
    /// environment of this process; and the flags.
    #[must_use]
    pub fn of_this_user(config: Option<&Path>, flags: Flags) -> Self {
        let usual = || Paths::of_this_user().map(|paths| (paths.config_file(), Required::No));
        let chosen = config.map(|file| (file.to_owned(), Required::Yes));
        Self {
            file: chosen.or_else(usual),
            environment: std::env::vars_os().collect(),
            flags,
        }
    }

    /// The same with this file, which must exist.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some((file.into(), Required::Yes));
        self
    }

    /// The same with these variables, and no others.
    #[must_use]
    pub fn with_environment<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let owned = |(name, value): (K, V)| (name.into(), value.into());
        self.environment = variables.into_iter().map(owned).collect();
        self
    }

    /// The same with these flags.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Reads every source and merges them.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and line, variable or flag.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let mut layers = Layers::new(&KEYS);
        layers.built_in(DEFAULTS)?;
        if let Some((file, required)) = &self.file {
            layers.file(file, *required == Required::Yes)?;
        }
        layers.environment(&self.environment)?;
        self.flags.put(&mut layers)?;
        Ok(Loaded::new(layers.values()?, |key| layers.origin(key)))
    }
}

impl Flags {
    fn put(&self, to: &mut Layers) -> Result<(), ConfigError> {
        to.flag("output.color", "--color", self.color.as_ref())?;
        to.flag("output.progress", "--progress", self.progress.as_ref())?;
        let durability = self.durability.as_ref();
        to.flag("transfer.durability", "--durability", durability)?;
        let max_delete = self.max_delete.as_ref();
        to.flag("transfer.max_delete", "--max-delete", max_delete)?;
        let one_file_system = self.one_file_system.as_ref();
        to.flag(
            "transfer.one_file_system",
            "--one-file-system",
            one_file_system,
        )?;
        to.flag("transfer.preserve", "--preserve", self.preserve.as_ref())?;
        to.flag("transfer.retry_for", "--retry-for", self.retry_for.as_ref())
    }
}

/// The settings that hold, and who said them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Each key with its value and origin, in alphabetical order.
    pub shown: Vec<Setting>,
}

/// One key as `blit config show` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`.
    pub key: &'static str,
    /// The value as it would be written; `None` if there is none.
    pub value: Option<String>,
    /// Who said it.
    pub origin: Origin,
}

impl Loaded {
    fn new(settings: Settings, origin: impl Fn(&str) -> Origin) -> Self {
        let values = Figment::from(Serialized::defaults(&settings));
        let show = |key: &&'static str| Setting {
            key,
            value: values.find_value(key).ok().and_then(|value| text(&value)),
            origin: origin(key),
        };
        let shown = KEYS.plain.iter().map(show).collect();
        Self { settings, shown }
    }
}

fn text(value: &Value) -> Option<String> {
    let word = value.as_str().map(str::to_owned);
    word.or_else(|| value.to_bool().map(|is_on| is_on.to_string()))
}

#[cfg(test)]
mod tests;
