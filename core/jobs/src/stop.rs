//! Why a run stopped before its end, in the user's terms.

use std::path::Path;

use blit_config::units;
use blit_contract::{DeletionPlan, ErrorKind, Problem, Side};
use blit_engine::{MaxDelete, Overlap, Stop, Top, Verb};
use blit_events::{Changed, Slug, UserError, cause_of, from_contract, from_refusal, internal};

use crate::{
    Outcome,
    shown::{join_shown, shown, with_slash},
    verb_word,
};

/// What has to be known of a run to say why it stopped.
#[derive(Debug)]
pub struct Stopped<'a> {
    /// What it was to do.
    pub verb: Verb,
    /// How much it might delete.
    pub max_delete: MaxDelete,
    /// All that was to be read, for people.
    pub sources: Vec<String>,
    /// The directories that the session read and wrote.
    pub directories: (&'a Path, &'a Path),
    /// What of the source.
    pub top: &'a Top,
    /// Whether another machine took part.
    pub is_far: bool,
}

impl Outcome {
    /// The error with what was changed until then.
    #[must_use]
    pub fn with_state(&self, error: UserError) -> UserError {
        if error.state.is_some() {
            return error;
        }
        match self.changed_anything {
            false => error.unchanged(),
            true => error
                .state(format!(
                    "{} complete; nothing is half-written under its final name",
                    units::counted(self.copied(), "entry is", "entries are")
                ))
                .changed(Changed::Some),
        }
    }
}

impl Stopped<'_> {
    /// Why, and what to do.
    #[must_use]
    pub fn reason(&self, stop: &Stop) -> UserError {
        let target = with_slash(self.directories.1);
        match stop {
            Stop::Brake {
                plan,
                source_is_empty,
            } => self.brake(*plan, *source_is_empty),
            Stop::Cancelled => UserError::new(Slug::RunStopped, "stopped")
                .next("run the same command again; it continues"),
            Stop::Declined(plan) => UserError::new(
                Slug::DeleteDeclined,
                format!("you said no to deleting {}", units::entries(plan.entries)),
            )
            .unchanged(),
            Stop::Unconfirmed(plan) => UserError::new(
                Slug::DeleteUnconfirmed,
                format!(
                    "{} would delete {} and nobody is here to confirm",
                    verb_word(self.verb),
                    units::entries(plan.entries)
                ),
            )
            .unchanged()
            .next("look with -n, then add -y"),
            Stop::Failed(problem) => self.failed(problem),
            Stop::NoRoom {
                needed_bytes,
                free_bytes,
            } => UserError::new(
                Slug::SpaceFull,
                format!(
                    "not enough room: needs {}, {target} has {} free",
                    units::size(*needed_bytes),
                    units::size(*free_bytes)
                ),
            )
            .unchanged()
            .next("make room, or choose another destination"),
            Stop::Overlap { how, .. } => self.overlap(*how),
            Stop::Internal(error) => internal(cause_of(error)),
            _ => internal("the session stopped for a reason that this program does not know"),
        }
    }

    /// Where a problem is, for people.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> String {
        let directory = match problem.side {
            Side::Source => self.directories.0,
            Side::Target => self.directories.1,
        };
        match problem.path.is_root() {
            true => shown(directory.as_os_str()),
            false => format!("{}{}", with_slash(directory), problem.path),
        }
    }

    fn failed(&self, problem: &Problem) -> UserError {
        if self.is_far && is_of_daemon(problem) {
            return from_refusal(&self.place(problem), &problem.error);
        }
        if problem.side == Side::Target && problem.error.kind() == ErrorKind::NoSpace {
            let target = with_slash(self.directories.1);
            return from_contract(Side::Target, &target, &problem.error);
        }
        from_contract(problem.side, &self.place(problem), &problem.error)
    }

    fn brake(&self, plan: DeletionPlan, source_is_empty: bool) -> UserError {
        let cause = match self.max_delete {
            _ if source_is_empty => {
                let source = self.sources.first().map_or("", |source| source.as_str());
                format!("source {source} is empty; is it mounted?")
            }
            MaxDelete::Entries(entries) => {
                format!("--max-delete allows {}", units::entries(entries))
            }
            MaxDelete::Percent(percent) => format!("--max-delete allows {percent}%"),
            MaxDelete::Default => "that is more than half of them".to_owned(),
        };
        UserError::new(
            Slug::DeleteBrake,
            format!(
                "refusing to delete {} of {} below {}",
                units::count(plan.entries),
                units::entries(plan.of_entries),
                resolved_target(self.directories.1, self.top)
            ),
        )
        .cause(cause)
        .unchanged()
        .next("if you mean it: add --max-delete 100%")
    }

    fn overlap(&self, how: Overlap) -> UserError {
        let source = match &*self.sources {
            [one] => one.clone(),
            _ => with_slash(self.directories.0),
        };
        let target = resolved_target(self.directories.1, self.top);
        let every_run = match self.verb {
            Verb::Check => "every run would compare it with itself",
            _ => "every run would copy the copy",
        };
        let (message, cause) = match how {
            Overlap::Same => (
                "source and destination are the same",
                format!("{source} and {target} are one place"),
            ),
            Overlap::SourceInside => (
                "source is inside the destination",
                format!("{source} is below {target}; it would be replaced by what is in it"),
            ),
            Overlap::TargetInside => (
                "destination is inside the source",
                format!("{target} is below {source}; {every_run}"),
            ),
        };
        UserError::new(Slug::PathOverlap, message)
            .cause(cause)
            .unchanged()
            .next("choose another destination")
    }
}

/// With a daemon there are more reasons: it may say no, or be gone.
fn is_of_daemon(problem: &Problem) -> bool {
    let kind = problem.error.kind();
    matches!(
        kind,
        ErrorKind::Denied | ErrorKind::Unreachable | ErrorKind::ReadOnly
    )
}

/// Where the tree itself will be, for people: the target directory, or the one entry in it.
#[must_use]
pub fn resolved_target(directory: &Path, top: &Top) -> String {
    match top {
        Top::Names(names) if names.len() == 1 => join_shown(directory, &names[0].target),
        _ => with_slash(directory),
    }
}
