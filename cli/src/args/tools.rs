//! The flags of the verbs that look after blit itself.

use std::ffi::OsString;

use clap::{Args, Subcommand, ValueHint};

/// What `blit config` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

/// What to do with the settings.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Show each setting, its value and where it comes from
    Show,
    /// Show where the settings file is
    Path,
    /// Check the settings file
    Check,
}

/// What `blit doctor` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArgs {
    /// A paired machine to check, or a directory, here or there: writes a hidden file into it and removes it
    #[arg(value_name = "HOST|PATH", value_hint = ValueHint::DirPath)]
    pub(crate) place: Option<OsString>,
}

/// What `blit completions` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: blit_complete::Shell,
}

/// What `blit diagnostics` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct DiagnosticsArgs {
    #[command(subcommand)]
    pub(crate) verb: DiagnosticsVerb,
}

/// What to show.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DiagnosticsVerb {
    /// Show what earlier runs measured; it never leaves this machine
    Perf(PerfArgs),
    /// Print a report to paste; it holds no names of yours
    Dump,
}

/// What `blit diagnostics perf` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct PerfArgs {
    /// Keep measurements from now on
    #[arg(long, conflicts_with_all = ["off", "clear"])]
    pub(crate) on: bool,
    /// Keep no measurements from now on
    #[arg(long, conflicts_with = "clear")]
    pub(crate) off: bool,
    /// Forget all measurements (asks)
    #[arg(long)]
    pub(crate) clear: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What `blit help` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct HelpArgs {
    /// A verb, or a topic: paths, filters, errors, errors/SLUG, exit-codes, json, env
    #[arg(value_name = "VERB|TOPIC")]
    pub(crate) about: Option<String>,
}

/// What `blit jobs` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    pub(crate) verb: JobsVerb,
}

/// What to do with the jobs of this machine's daemon, or of another's that lets this one.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JobsVerb {
    /// Show the jobs that run, and those that are remembered
    List {
        /// The paired machine; without it: this one
        #[arg(value_name = "HOST")]
        host: Option<String>,
    },
    /// Follow a job to its end, and exit as it did
    Watch {
        /// Which job, on this machine; or the paired machine
        #[arg(value_name = "HOST|ID")]
        first: Option<String>,
        /// Which job there; without it the one that began last
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
    /// Stop a job; what it has done stays, and is complete
    Cancel {
        /// Which job, on this machine; or the paired machine
        #[arg(value_name = "HOST|ID")]
        first: String,
        /// Which job there
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
}

/// What `blit status` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The paired machine; without it: the daemon of this one
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,
}

/// `blit list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The machine whose modules are wanted; without it: the paired machines
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,
}

/// `blit pair`.
#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    /// The machine that invites this one; without it: invite another machine to this one's daemon
    #[arg(value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// The line that `blit pair` shows over there
    #[arg(value_name = "INVITATION", requires = "host")]
    pub(crate) invitation: Option<String>,
    /// Know the machine by its key, and ask to be let in there: for scripts
    #[arg(
        long,
        value_name = "blit1…",
        requires = "host",
        conflicts_with = "invitation"
    )]
    pub(crate) peer_id: Option<String>,
}
