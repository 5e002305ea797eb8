//! Why a run stopped before its end, in the user's terms.

use blit_contract::{ErrorKind, Problem};
use blit_engine::Stop;
use blit_jobs::{Outcome, Stopped};

use super::{Trip, legs::Leg, options};
use crate::{app::App, errors::UserError, peers::from_refusal};

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
    };
    let error = match stop {
        Stop::Cancelled => app
            .stop
            .error()
            .next("run the same command again; it continues"),
        Stop::Failed(problem) if leg.remote.is_some() && is_of_daemon(problem) => {
            from_refusal(&stopped.place(problem), &problem.error)
        }
        _ => stopped.reason(stop),
    };
    outcome.with_state(error)
}

/// With a daemon there are more reasons: it may say no, or be gone.
fn is_of_daemon(problem: &Problem) -> bool {
    let kind = problem.error.kind();
    matches!(
        kind,
        ErrorKind::Denied | ErrorKind::Unreachable | ErrorKind::ReadOnly
    )
}

#[cfg(test)]
mod tests;
