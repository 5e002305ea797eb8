//! The flags of `ls`, `find`, `du`, `df` and `rm`.

use std::ffi::OsString;

use clap::{Args, ValueEnum, ValueHint};

use super::{Limits, Patterns};

/// What `blit ls` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct LsArgs {
    /// The directory
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) path: OsString,
    /// Show type, mode, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Enter directories
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

/// What `blit find` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct FindArgs {
    /// Where to search
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) path: OsString,
    /// Which names; with a slash in it, which paths
    #[arg(value_name = "GLOB")]
    pub(crate) glob: Option<OsString>,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Show type, mode, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Stay on one file system
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

/// What `blit du` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct DuArgs {
    /// The directory
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) path: OsString,
    /// Show every directory, not only those directly in PATH
    #[arg(short, long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    /// Stay on one file system
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    #[command(flatten)]
    pub(crate) rows: Rows,
}

/// What `blit df` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct DfArgs {
    /// Where; `HOST:` is every module of a machine
    #[arg(value_name = "PATH|HOST:", default_value = ".", value_hint = ValueHint::AnyPath)]
    pub(crate) path: OsString,
}

/// What `blit rm` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct RmArgs {
    /// What to delete
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<OsString>,
    /// Delete directories with all that is in them
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Tell what would be deleted, change nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// How rows are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rows")]
pub(crate) struct Rows {
    /// Sort the rows (reads all of them first)
    #[arg(long, value_name = "KEY")]
    pub(crate) sort: Option<SortKey>,
    /// Show at most N rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// End rows with NUL instead of a line feed
    #[arg(short = '0', long)]
    pub(crate) null: bool,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    /// By path, as bytes.
    Name,
    /// The largest first.
    Size,
    /// The newest first.
    Time,
}
