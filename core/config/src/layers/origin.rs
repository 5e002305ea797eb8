//! Who said a value.

use std::{fmt, path::PathBuf};

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody; it is blit's own.
    BuiltIn,
    /// A variable of the environment.
    Environment(String),
    /// A file.
    File {
        /// Which one.
        file: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Environment(name) => {
                write!(f, "environment variable {}", super::error::plain(name))
            }
            Self::File { file, line } => {
                write!(f, "{}, line {line}", super::error::plain(file.display()))
            }
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
