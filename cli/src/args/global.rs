//! The flags that every verb takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The flags that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct Global {
    /// Write JSON Lines to standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what happens to each entry; twice: also why
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) color: Option<When>,
    /// When to show progress; plain: one line every 30 s
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) progress: Option<ProgressWhen>,
    /// Behave as if nobody were at the terminal
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Read settings from this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// When to do something that suits a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal.
    Auto,
    /// Even into a pipe.
    Always,
    /// Not at all.
    Never,
}

/// When to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    /// On a terminal.
    Auto,
    /// Even into a pipe: one line every 30 s there.
    Always,
    /// One line every 30 s.
    Plain,
    /// Not at all.
    Never,
}
