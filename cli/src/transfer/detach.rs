//! `--detach`: the daemon of this machine does it, as a job.

use std::path::{Path, PathBuf};

use blit_jobs::{Leg, Spec};

use super::{Trip, options};
use crate::{
    app::App,
    commands::jobs,
    errors::{Result, Slug, UserError},
    exit::Exit,
};

/// Hands the run over, and says what it is called from now on.
pub(super) async fn hand_over(app: &App, trip: &Trip) -> Result<Exit> {
    let spec = spec(app, trip)?;
    let mut daemon = jobs::daemon().await?;
    let started = daemon.start_job(spec.to_message()).await;
    let started = started.map_err(|refusal| jobs::from_refusal("", refusal))?;
    app.ui.say(match started.resumes {
        true => "it goes on where it was interrupted; follow it with: blit jobs watch",
        false => "follow it with: blit jobs watch",
    });
    jobs::tell_one(app, started.id, "running")
}

/// The same wherever it is done: with whole paths.
fn spec(app: &App, trip: &Trip) -> Result<Spec> {
    let options = options::of(app, &trip.request)?;
    let rules = trip.rules()?;
    let legs = trip.legs.iter().map(|leg| {
        Ok(Leg {
            source: whole(&leg.source)?,
            top: leg.top.clone(),
            target: whole(&leg.target)?,
            rules: trip.rules_in(leg, &rules),
        })
    });
    let sources = trip.sources.iter().map(|source| whole(&source.path));
    Ok(Spec {
        legs: legs.collect::<Result<_, UserError>>()?,
        sources: sources.collect::<Result<_, UserError>>()?,
        target: whole(&trip.target.path)?,
        terms: options.terms(),
        yes: trip.request.yes,
        bytes_per_sec: options.bytes_per_sec,
    })
}

fn whole(path: &Path) -> Result<PathBuf, UserError> {
    std::path::absolute(path).map_err(|cause| {
        UserError::new(Slug::RunFailed, "this directory has no path any more")
            .cause(cause.to_string())
            .unchanged()
    })
}
