//! The flags of `copy`, `mirror`, `move` and `check`.

use std::{ffi::OsString, path::PathBuf};

use blit_config::{DeleteLimit, Period, Size};
use clap::{Args, ValueEnum, ValueHint, builder::FalseyValueParser};

use super::{Limits, Patterns};

/// What `blit copy` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = SLASH_RULE)]
pub(crate) struct CopyArgs {
    /// What to copy, then where to: SRC… DST
    #[arg(required = true, value_name = "SRC… DST", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<OsString>,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) files_from: FilesFrom,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) existing: Existing,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) backup: Backup,
}

/// What `blit mirror` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = SLASH_RULE)]
pub(crate) struct MirrorArgs {
    /// The tree that DST shall equal
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: OsString,
    /// The tree to change
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(crate) target: OsString,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Delete at most N entries or P% of DST's [default: 50% where that is 100 or more]
    #[arg(long, value_name = "N|P%", help_heading = "Safety")]
    pub(crate) max_delete: Option<DeleteLimit>,
    /// Do not ask before deleting; does not lift --max-delete
    #[arg(short, long, help_heading = "Safety")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) backup: Backup,
}

/// What `blit move` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = SLASH_RULE)]
pub(crate) struct MoveArgs {
    /// What to move, then where to: SRC… DST
    #[arg(required = true, value_name = "SRC… DST", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<OsString>,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reading: Reading,
    #[command(flatten)]
    pub(crate) existing: Existing,
    #[command(flatten)]
    pub(crate) writing: Writing,
    /// Do not ask
    #[arg(short, long, help_heading = "Safety")]
    pub(crate) yes: bool,
}

/// What `blit check` takes.
#[derive(Debug, Clone, Args)]
#[command(after_help = SLASH_RULE)]
pub(crate) struct CheckArgs {
    /// One tree
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: OsString,
    /// The other
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(crate) target: OsString,
    #[command(flatten)]
    pub(crate) patterns: Patterns,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) files_from: FilesFrom,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

const SLASH_RULE: &str = "\
A source that ends in / means its contents; otherwise it means the thing itself, by name. \
See: blit help paths";

/// A list of paths.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which entries")]
pub(crate) struct FilesFrom {
    /// Take exactly the relative paths in FILE (- is standard input), one a line or NUL-separated
    #[arg(long, value_name = "FILE")]
    pub(crate) files_from: Option<PathBuf>,
}

/// How trees are read and compared.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How")]
pub(crate) struct Reading {
    /// Compare contents instead of size and modification time
    #[arg(short, long)]
    pub(crate) checksum: bool,
    /// Stay on the source's file system (mirror and move always do)
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
    /// Copy what symbolic links point to
    #[arg(short = 'L', long, hide = true)]
    pub(crate) follow: bool,
    /// Which metadata to keep [default: auto]
    #[arg(long, value_name = "WHAT")]
    pub(crate) preserve: Option<PreserveWord>,
    /// Keep trying that long without progress [default: 2m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) retry_for: Option<Period>,
    /// Say what happens to each entry, one a line
    #[arg(short, long)]
    pub(crate) itemize: bool,
    #[command(flatten)]
    pub(crate) lanes: LaneArgs,
}

/// How data crosses to another machine.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Other machines")]
pub(crate) struct LaneArgs {
    /// Let data cross in clear where the module over there allows it, too (never over the Internet)
    #[arg(long)]
    pub(crate) allow_cleartext: bool,
    /// Send data through the control connection only, for sites that let nothing else pass
    #[arg(long, env = "BLIT_FORCE_GRPC_DATA", value_parser = FalseyValueParser::new())]
    pub(crate) force_grpc_data: bool,
}

/// How trees are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How")]
pub(crate) struct Writing {
    /// Read everything back from DST's storage after writing (move always does)
    #[arg(long)]
    pub(crate) verify: bool,
    /// Move at most so many bytes a second, such as 20M
    #[arg(long, value_name = "RATE")]
    pub(crate) bwlimit: Option<Size>,
    /// Make FIFOs and devices too
    #[arg(long)]
    pub(crate) specials: bool,
    /// When data counts as safe: one barrier a batch, one a file, or none [default: batch]
    #[arg(long, value_name = "WHEN")]
    pub(crate) durability: Option<DurabilityWord>,
    /// Hand it to the daemon of this machine, print its name and return: see blit jobs
    #[arg(long, conflicts_with_all = ["dry_run", "itemize"])]
    pub(crate) detach: bool,
    /// Plan and tell, change nothing
    #[arg(short = 'n', long, help_heading = "Safety")]
    pub(crate) dry_run: bool,
}

/// What becomes of entries that DST has already.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Safety")]
pub(crate) struct Existing {
    /// Leave alone what is newer at DST
    #[arg(short, long)]
    pub(crate) update: bool,
    /// Leave alone whatever DST has
    #[arg(long)]
    pub(crate) ignore_existing: bool,
}

/// Where the old state goes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Safety")]
pub(crate) struct Backup {
    /// Keep what would be overwritten or deleted in DIR, named like DST and on its machine
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) backup_dir: Option<PathBuf>,
}

/// Which metadata to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PreserveWord {
    /// All that both ends can; what is lost is said once.
    Auto,
    /// Everything: an entry fails if anything would be lost.
    All,
    /// Times only.
    Times,
    /// Content only.
    None,
}

/// When data counts as safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurabilityWord {
    /// One barrier for a batch of files.
    Batch,
    /// One barrier for each file.
    File,
    /// When the system gets to it.
    None,
}
