//! What is wrong with the settings, where, and what was probably meant.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use super::Origin;

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}", plain(.file.display()))]
    File {
        /// Which one.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is no TOML.
    #[error("{}, line {line}: {}", plain(.file.display()), plain(message))]
    Syntax {
        /// Which one.
        file: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What was expected there.
        message: String,
    },
    /// There is no such key.
    #[error("unknown key \"{}\" in {origin}", plain(key))]
    UnknownKey {
        /// What was written.
        key: String,
        /// Where.
        origin: Origin,
        /// The key that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A key cannot have this value.
    #[error("bad value for \"{}\" in {origin}: {}", plain(key), plain(message))]
    Value {
        /// The key.
        key: String,
        /// Where.
        origin: Origin,
        /// What was expected.
        message: String,
    },
}

/// What a file says, as it may be quoted: nothing of it steers the terminal of whoever reads of it.
#[must_use]
pub fn plain(said: impl Display) -> String {
    let mut plain = String::new();
    for c in said.to_string().chars() {
        match c.is_control() && !matches!(c, '\n' | '\t') {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    plain
}

impl ConfigError {
    /// The stable word for documentation and scripts.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::File { .. } => "config.file",
            Self::Syntax { .. } => "config.syntax",
            Self::UnknownKey { .. } => "config.key",
            Self::Value { .. } => "config.value",
        }
    }

    /// The key that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        match self {
            Self::UnknownKey { suggestion, .. } => *suggestion,
            _ => None,
        }
    }

    /// The file and the line, if it is about one.
    #[must_use]
    pub fn place(&self) -> Option<(&Path, usize)> {
        match self {
            Self::File { .. } => None,
            Self::Syntax { file, line, .. } => Some((file, *line)),
            Self::UnknownKey { origin, .. } | Self::Value { origin, .. } => match origin {
                Origin::File { file, line } => Some((file, *line)),
                _ => None,
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        match self.suggestion() {
            Some(key) => format!("did you mean \"{key}\"?"),
            None => "see all keys and where they are set with: blit config show".into(),
        }
    }

    /// The same for a key that stands in `[[section]]`.
    pub(super) fn below(mut self, section: &str) -> Self {
        if let Self::Value { key, .. } = &mut self {
            *key = match key.is_empty() {
                true => section.to_owned(),
                false => format!("{section}.{key}"),
            };
        }
        self
    }

    pub(super) fn from_figment(error: &figment::Error, origin: impl Fn(&str) -> Origin) -> Self {
        let key = error.path.join(".");
        Self::Value {
            origin: origin(&key),
            key,
            message: error.kind.to_string(),
        }
    }
}
