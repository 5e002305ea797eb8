//! What was typed. What it means is worked out by each command.

mod global;
mod habits;
mod listing;
mod select;
mod tools;
mod transfer;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::errors::{Slug, UserError};

pub(crate) use global::{Global, ProgressWhen, When};
pub(crate) use habits::refuse_switches;
pub(crate) use listing::{DfArgs, DuArgs, FindArgs, LsArgs, RmArgs, Rows, SortKey};
pub(crate) use select::{Limits, Patterns};
pub(crate) use tools::{
    CompletionsArgs, ConfigArgs, ConfigVerb, DiagnosticsArgs, DiagnosticsVerb, DoctorArgs,
    HelpArgs, JobsArgs, JobsVerb, ListArgs, PairArgs, PerfArgs, StatusArgs,
};
pub(crate) use transfer::{
    CheckArgs, CopyArgs, DurabilityWord, Existing, MirrorArgs, MoveArgs, PreserveWord, Reading,
    Writing,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "blit",
    version,
    about = "Moves trees of files: exactly, safely and fast",
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 usage, 3 partial, 4 different, 5 not found, 6 refused, \
7 safety stop, 8 unreachable, 9 no room, 10 corrupt, 11 incompatible, 12 plugin, 130/143 stopped. \
See: blit help exit-codes";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Copy; never deletes anything
    #[command(visible_alias = "cp")]
    Copy(CopyArgs),
    /// Make DST equal SRC, deleting what is extra (asks first)
    Mirror(MirrorArgs),
    /// Copy, verify at DST, then remove exactly what was verified
    #[command(visible_alias = "mv")]
    Move(MoveArgs),
    /// Compare, change nothing; exit 4 when different
    Check(CheckArgs),
    /// List a directory
    Ls(LsArgs),
    /// Search by name, size and age
    Find(FindArgs),
    /// Show the size of each directory
    Du(DuArgs),
    /// Show how much room there is
    Df(DfArgs),
    /// Delete (asks; directories need -r)
    Rm(RmArgs),
    /// Show what can be reached: paired machines, and what one of them exports
    List(ListArgs),
    /// Find daemons on the local network
    Scan(blit_admin::ScanArgs),
    /// Let another machine in, or join one that invites this one
    Pair(PairArgs),
    /// Show, add, rename and forget machines; let in those that ask
    Remote(blit_admin::RemoteArgs),
    /// Check the record of who did what with this machine's daemon
    Audit(blit_admin::AuditArgs),
    /// Show or replace the key by which other machines know this one
    Identity(blit_admin::IdentityArgs),
    /// Write who is known into a file, or take it over from one
    State(blit_admin::StateArgs),
    /// Show the effective settings with their origin
    Config(ConfigArgs),
    /// Show how this machine's daemon goes, or what a paired machine says of itself
    Status(StatusArgs),
    /// Show, follow and stop what --detach handed to the daemon, of this machine or another
    Jobs(JobsArgs),
    /// Check this machine, a path, or the way to another machine
    Doctor(DoctorArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Show what blit learned, or a report to paste
    Diagnostics(DiagnosticsArgs),
    /// Explain a verb or a topic: paths, filters, errors, exit-codes, json, env
    Help(HelpArgs),
    /// Not a verb: says which of two is meant
    #[command(hide = true)]
    Sync(SyncArgs),
    /// Write the schema of the JSON output
    #[command(hide = true)]
    Schema,
}

/// Whatever follows `sync`.
#[derive(Debug, clap::Args)]
pub(crate) struct SyncArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// What came of the words that were typed.
pub(crate) enum Parsed {
    /// A command to run.
    Run(Box<Cli>),
    /// Help or version: text for standard output.
    Show(String),
}

/// The command line as clap knows it, with the habits of other tools among its hidden flags.
#[must_use]
pub fn command() -> clap::Command {
    habits::add_to(Cli::command())
}

/// Parses what was typed, program name first.
pub(crate) fn parse(typed: Vec<OsString>) -> Result<Parsed, UserError> {
    let typed = habits::rewrite(typed);
    let matches = match command().try_get_matches_from(typed) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Parsed::Show(error.render().to_string())),
        Err(error) => return Err(from_clap(&error)),
    };
    if let Some((verb, matches)) = matches.subcommand() {
        habits::refuse_habits(verb, matches)?;
    }
    let cli = Cli::from_arg_matches(&matches).map_err(|error| from_clap(&error))?;
    Ok(Parsed::Run(Box::new(cli)))
}

/// Whether the user asked for JSON, also when the rest cannot be parsed.
pub(crate) fn wants_json(typed: &[OsString]) -> bool {
    typed
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "--json")
}

/// Clap's complaint in our shape: its first line, its tip, and where to read on.
fn from_clap(error: &clap::Error) -> UserError {
    use clap::error::ErrorKind;
    let slug = match error.kind() {
        ErrorKind::InvalidSubcommand | ErrorKind::MissingSubcommand => Slug::UsageVerb,
        _ => Slug::UsageFlag,
    };
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let first = paragraphs.next().unwrap_or_default();
    let message = first.trim_start_matches("error: ").replace('\n', " ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut user_error = UserError::new(slug, message);
    let mut next = None;
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.strip_prefix("tip: ") {
            next.get_or_insert(tip.split_whitespace().collect::<Vec<_>>().join(" "));
        } else if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            user_error = user_error.cause(format!("usage: {}", usage.replace('\n', " ")));
        }
    }
    user_error.next(next.unwrap_or_else(|| "blit help shows all verbs and flags".to_owned()))
}

#[cfg(test)]
mod tests;
