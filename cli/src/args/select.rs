//! Which entries take part.

use std::{ffi::OsString, path::PathBuf};

use blit_config::{Age, Size};
use clap::Args;

/// Entries by name.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which entries")]
pub(crate) struct Patterns {
    /// Leave out what matches (gitignore rules); a matching directory is not entered
    #[arg(long, value_name = "GLOB", action = clap::ArgAction::Append)]
    pub(crate) exclude: Vec<OsString>,
    /// Leave out what matches a line of FILE
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append)]
    pub(crate) exclude_from: Vec<PathBuf>,
    /// Take only files that match; excludes still win
    #[arg(long, value_name = "GLOB", action = clap::ArgAction::Append)]
    pub(crate) include: Vec<OsString>,
}

impl Patterns {
    /// Whether there is no pattern.
    pub(crate) fn is_empty(&self) -> bool {
        self.exclude.is_empty() && self.exclude_from.is_empty() && self.include.is_empty()
    }
}

/// Files by size and age.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which entries")]
pub(crate) struct Limits {
    /// Take only files of at least this size (20M, 1.5GiB)
    #[arg(long, value_name = "SIZE")]
    pub(crate) min_size: Option<Size>,
    /// Take only files of at most this size
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<Size>,
    /// Take only what changed after this age or date (7d, 2026-11-01)
    #[arg(long, value_name = "AGE", alias = "max-age")]
    pub(crate) newer_than: Option<Age>,
    /// Take only what changed before this age or date
    #[arg(long, value_name = "AGE", alias = "min-age")]
    pub(crate) older_than: Option<Age>,
}

impl Limits {
    /// Whether any limit was given.
    pub(crate) fn is_some(&self) -> bool {
        self.min_size.is_some()
            || self.max_size.is_some()
            || self.newer_than.is_some()
            || self.older_than.is_some()
    }
}
