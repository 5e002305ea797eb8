//! Completion: the shell asks, blit answers from the same table that parses.
//!
//! Upstream still calls this engine unstable; it is pinned, and used nowhere but here and in
//! `blit completions`.

use clap_complete::CompleteEnv;

use crate::args::command;

/// Says that this is a question of a shell, and of which.
pub(crate) const VARIABLE: &str = "BLIT_COMPLETE";

/// Answers a question of the shell, if this is one, and then does not return.
pub(crate) fn answer() {
    // Silence on failure: an error in the middle of a line being typed helps nobody.
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(command).var(VARIABLE).complete();
    }
}
