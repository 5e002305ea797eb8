//! Why a run stopped before its end, in the user's terms.

use blit_contract::{DeletionPlan, ErrorKind, Problem, Side};
use blit_engine::{MaxDelete, Overlap, Stop, Verb};

use super::{
    Trip,
    legs::{Leg, with_slash},
    options,
    outcome::Outcome,
    verb_word,
};
use crate::{
    app::App,
    errors::{Changed, Slug, UserError, cause_of, from_contract, internal},
    peers::from_refusal,
    ui::shown,
    units,
};

/// Why it stopped, what it changed until then, and what to do.
pub(super) fn explain(
    app: &App,
    trip: &Trip,
    outcome: &Outcome,
    stop: &Stop,
    leg: &Leg,
) -> UserError {
    let error = reason(app, trip, stop, leg);
    if error.state.is_some() {
        return error;
    }
    match outcome.changed_anything {
        false => error.unchanged(),
        true => error
            .state(format!(
                "{} complete; nothing is half-written under its final name",
                units::counted(outcome.copied(), "entry is", "entries are")
            ))
            .changed(Changed::Some),
    }
}

fn reason(app: &App, trip: &Trip, stop: &Stop, leg: &Leg) -> UserError {
    let target = with_slash(&leg.target);
    match stop {
        Stop::Brake {
            plan,
            source_is_empty,
        } => brake(app, trip, leg, *plan, *source_is_empty),
        Stop::Cancelled => app
            .stop
            .error()
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
                verb_word(trip.request.verb),
                units::entries(plan.entries)
            ),
        )
        .unchanged()
        .next("look with -n, then add -y"),
        Stop::Failed(problem) => failed(leg, problem),
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
        Stop::Overlap { how, .. } => overlap(trip, leg, *how),
        Stop::Internal(error) => internal(cause_of(error)),
        _ => internal("the session stopped for a reason that this command does not know"),
    }
}

fn brake(
    app: &App,
    trip: &Trip,
    leg: &Leg,
    plan: DeletionPlan,
    source_is_empty: bool,
) -> UserError {
    let limit = options::of(app, &trip.request).map(|options| options.max_delete);
    let cause = match limit {
        _ if source_is_empty => format!(
            "source {} is empty; is it mounted?",
            trip.sources[0].shown()
        ),
        Ok(MaxDelete::Entries(entries)) => {
            format!("--max-delete allows {}", units::entries(entries))
        }
        Ok(MaxDelete::Percent(percent)) => format!("--max-delete allows {percent}%"),
        _ => "that is more than half of them".to_owned(),
    };
    UserError::new(
        Slug::DeleteBrake,
        format!(
            "refusing to delete {} of {} below {}",
            units::count(plan.entries),
            units::entries(plan.of_entries),
            leg.resolved_target()
        ),
    )
    .cause(cause)
    .unchanged()
    .next("if you mean it: add --max-delete 100%")
}

fn failed(leg: &Leg, problem: &Problem) -> UserError {
    let directory = match problem.side {
        Side::Source => &leg.source,
        Side::Target => &leg.target,
    };
    let place = match problem.path.is_root() {
        true => shown(directory.as_os_str()),
        false => format!("{}{}", with_slash(directory), problem.path),
    };
    if problem.side == Side::Target && problem.error.kind() == ErrorKind::NoSpace {
        return from_contract(Side::Target, &with_slash(&leg.target), &problem.error);
    }
    if leg.remote.is_some() {
        return from_session(&place, problem);
    }
    from_contract(problem.side, &place, &problem.error)
}

/// With a daemon there are more reasons: it may say no, or be gone.
fn from_session(place: &str, problem: &Problem) -> UserError {
    match problem.error.kind() {
        ErrorKind::Denied | ErrorKind::Unreachable | ErrorKind::ReadOnly => {
            from_refusal(place, &problem.error)
        }
        _ => from_contract(problem.side, place, &problem.error),
    }
}

fn overlap(trip: &Trip, leg: &Leg, how: Overlap) -> UserError {
    let source = match &*trip.sources {
        [one] => one.shown(),
        _ => with_slash(&leg.source),
    };
    let target = leg.resolved_target();
    let every_run = match trip.request.verb {
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

#[cfg(test)]
mod tests;
