//! Why a run stopped before its end, in the user's terms.

use blit_contract::{ErrorKind, Problem};
use blit_engine::Stop;
use blit_jobs::{Outcome, Stopped};

use super::{Trip, backup, legs::Leg, options};
use crate::{app::App, errors::UserError};

/// Why it stopped, what it changed until then, and what to do.
pub(super) fn explain(
    app: &App,
    trip: &Trip,
    outcome: &Outcome,
    stop: &Stop,
    leg: &Leg,
) -> UserError {
    let options = options::of(app, &trip.request);
    let stopped = Stopped {
        verb: trip.request.verb,
        max_delete: options.map(|it| it.max_delete).unwrap_or_default(),
        sources: trip.sources.iter().map(|source| source.shown()).collect(),
        directories: (&leg.source, &leg.target),
        top: &leg.top,
        is_far: leg.remote.is_some(),
    };
    let error = match stop {
        Stop::Cancelled => app
            .stop
            .error()
            .next("run the same command again; it continues"),
        Stop::Failed(problem) if leg.remote.is_some() && is_of_backup(problem) => {
            backup::refused(problem.error.detail().unwrap_or_default())
        }
        _ => stopped.reason(stop),
    };
    outcome.with_state(error)
}

/// What the daemon does when it refuses the backup directory.
const KEEPING: &str = "open backup directory";

fn is_of_backup(problem: &Problem) -> bool {
    problem.error.op() == KEEPING && problem.error.kind() == ErrorKind::Conflict
}

#[cfg(test)]
mod tests;
