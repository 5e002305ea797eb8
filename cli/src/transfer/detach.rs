//! `--detach`: the daemon of this machine does it, as a job.

use std::path::{Path, PathBuf};

use blit_control::{JobRefusal, LocalClient, NodeId};
use blit_jobs::{Leg, Spec};
use blit_reach::Machine;

use super::{Request, Trip, options};
use crate::{
    app::App,
    commands::jobs,
    errors::{Result, Slug, UserError},
    exit::Exit,
    peers,
    places::Place,
};

/// Refuses what a daemon cannot do for its user.
pub(super) fn refuse(
    request: &Request,
    sources: &[Place],
    target: &Place,
) -> Result<(), UserError> {
    if !request.writing.detach {
        return Ok(());
    }
    let refuse = |message: &str, next: &str| {
        Err(UserError::new(Slug::UsageUnavailable, message)
            .unchanged()
            .next(next))
    };
    let mut far = sources.iter().filter_map(|source| source.remote.as_ref());
    let mut all = far.clone().chain(&target.remote);
    // A daemon starts no programs.
    if all.any(|place| matches!(place.machine, Machine::Ssh(_))) {
        return refuse(
            "--detach cannot be used over ssh",
            "run the command without it, or pair the two machines: blit pair",
        );
    }
    if far.next().is_some() && target.remote.is_some() {
        return refuse(
            "--detach cannot be used between two other machines yet",
            "run it on one of the two, or without --detach",
        );
    }
    if request.reading.lanes.force_grpc_data {
        return refuse(
            "--force-grpc-data cannot be used with --detach yet",
            "run the command without one of them",
        );
    }
    Ok(())
}

/// Hands the run over, and says what it is called from now on.
pub(super) async fn hand_over(app: &App, trip: &Trip) -> Result<Exit> {
    let spec = spec(app, trip)?;
    let mut daemon = jobs::daemon().await?;
    let started = match daemon.start_job(spec.to_message()).await {
        Ok(started) => started,
        Err(JobRefusal::Unpaired(why)) => {
            return Err(unacquainted(trip, &mut daemon, why).await.into());
        }
        Err(refusal) => return Err(jobs::Whose::default().refused("", refusal).into()),
    };
    app.ui.say(match started.resumes {
        true => "it goes on where it was interrupted; follow it with: blit jobs watch",
        false => "follow it with: blit jobs watch",
    });
    jobs::tell_one(app, started.id, "running")
}

/// The daemon has a key of its own: that this user is paired with a machine is not enough.
async fn unacquainted(trip: &Trip, daemon: &mut LocalClient, why: String) -> UserError {
    let far = trip.legs.iter().find_map(|leg| leg.remote.as_ref());
    let host = far.map_or("the other machine", |far| far.machine().name());
    let error = UserError::new(
        Slug::AuthUnpaired,
        format!("the daemon of this machine cannot go to {host}"),
    )
    .cause(why)
    .unchanged();
    let (Ok(known), Ok(own)) = (peers::known(host), daemon.status().await) else {
        return error.next("let the two know each other: blit remote add --daemon, on both");
    };
    let address = known.addresses.first().cloned().unwrap_or_default();
    error.next(format!(
        "here: blit remote add --daemon {host} {} {address}   and on {host}: blit remote add --daemon {} {}",
        known.id, own.name, own.id
    ))
}

/// The same wherever it is done: with whole paths.
fn spec(app: &App, trip: &Trip) -> Result<Spec> {
    let options = options::of(app, &trip.request)?;
    let rules = trip.rules()?;
    let legs = trip.legs.iter().map(|leg| {
        let far = leg.remote.as_ref().map(|end| end.far(&trip.request));
        let far = far.transpose()?;
        let (is_read_here, is_written_here) = match &leg.remote {
            None => (true, true),
            Some(end) => (end.is_target(), !end.is_target()),
        };
        Ok(Leg {
            source: whole(&leg.source, is_read_here)?,
            top: leg.top.clone(),
            target: whole(&leg.target, is_written_here)?,
            rules: trip.rules_in(leg, &rules),
            far,
        })
    });
    let place = |place: &Place| whole(&place.path, place.remote.is_none());
    Ok(Spec {
        legs: legs.collect::<Result<_, UserError>>()?,
        sources: trip.sources.iter().map(place).collect::<Result<_, _>>()?,
        target: place(&trip.target)?,
        terms: options.terms(),
        yes: trip.request.yes,
        bytes_per_sec: options.bytes_per_sec,
        retry_for: app.settings().transfer.retry_for.duration,
    })
}

/// A machine that ssh reaches has no key that a daemon could know it by.
pub(super) fn key_of(identity: Option<[u8; 32]>) -> Result<NodeId, UserError> {
    let unknown = || UserError::new(Slug::UsageUnavailable, "--detach needs a paired machine");
    identity
        .map(NodeId::from_bytes)
        .ok_or_else(|| unknown().unchanged())
}

/// A path of this machine does not depend on where the command was typed; a place elsewhere never does.
fn whole(path: &Path, is_here: bool) -> Result<PathBuf, UserError> {
    if !is_here {
        return Ok(path.to_owned());
    }
    std::path::absolute(path).map_err(|cause| {
        UserError::new(Slug::RunFailed, "this directory has no path any more")
            .cause(cause.to_string())
            .unchanged()
    })
}
