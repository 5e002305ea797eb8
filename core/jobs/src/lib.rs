//! Runs: how far one is, what became of it, how that is told, and those that a daemon does itself.
//!
//! What a run tells is the same whoever does it: `gauge` measures it, `outcome` adds up its sessions,
//! `summary`, `stop` and `tell` put it into events and errors. The command line uses these for the runs
//! that it does, and `run` for those that a daemon does: **jobs**. `spec` says what a job is to do, `feed`
//! hands what it tells to whoever watches, `record` keeps it on disk, and `book` knows all of them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod book;
mod feed;
mod gauge;
mod id;
mod local;
mod outcome;
mod record;
mod run;
mod shown;
mod spec;
mod stop;
mod summary;
mod tell;

pub use blit_control::jobs::JobState;
pub use book::{Begun, Book, Keep, RUNNING_MAX};
pub use feed::{Feed, Said, WATCHERS_MAX, Watch};
pub use gauge::{Figures, Gauge, TICK, TOLD_EVERY, progress_event};
pub use id::{new_id, timestamp};
pub use local::{connect, from_registry, open};
pub use outcome::{Group, Outcome};
pub use record::{Record, RecordError};
pub use run::{End, Sessions, Wishes, run};
pub use shown::{join_shown, shown, with_slash};
pub use spec::{BadSpec, FarEnd, Leg, Spec};
pub use stop::{Stopped, resolved_target};
pub use summary::{nothing_came, summary};
pub use tell::{not_entered, plan_event, problem_event, stalled};

use blit_engine::Verb;

/// The verb as it is typed.
#[must_use]
pub fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Check => "check",
        Verb::Copy => "copy",
        Verb::Mirror => "mirror",
        Verb::Move => "move",
    }
}
