//! Sessions between two other machines.

use std::{path::PathBuf, sync::Arc};

use blit_between::{Between, End};
use blit_bundled::Lanes;
use blit_contract::{Error, Side};
use blit_control::Client;
use blit_engine::{Audience, Top, TopName};
use blit_lanes::Used;
use blit_reach::RemotePlace;
use blit_wire::Report;

use super::{RemoteEnd, Way, kept, look, read, wishes};
use crate::{
    app::App,
    errors::{Result, Slug},
    peers,
    places::Place,
    transfer::{Trip, ask, legs, legs::Leg, listen::Listener, options},
};

/// From one other machine to another.
pub(super) async fn leg(
    app: &App,
    source: (&Place, &RemotePlace),
    (target, there): (&Place, &RemotePlace),
    lanes: &Arc<Lanes>,
) -> Result<Leg> {
    // What the summary says of lanes is about those to the target.
    let reading = Arc::new(Lanes {
        only_in_band: lanes.only_in_band,
        may_be_clear: lanes.may_be_clear,
        ..Lanes::default()
    });
    let read = read(app, source, &reading).await?;
    let client = peers::connect(app, &there.machine, lanes).await?;
    let at_target = look(app, &client, there, there.wire()).await?;
    let is_directory = target.is_contents || at_target.is_some_and(|it| it.is_directory());
    let may_rename = !read.found.is_directory() && !is_directory;
    let (top, directory) = match (read.name, there.split().filter(|_| may_rename)) {
        (None, _) => (Top::Contents, there.clone()),
        (Some(source), Some((above, target))) => {
            (Top::Names(vec![TopName { source, target }]), above)
        }
        (Some(name), None) => (Top::Names(vec![TopName::same(name)]), there.clone()),
    };
    let from = RemoteEnd {
        client: read.client,
        side: Side::Source,
        directory: read.directory,
        from: None,
    };
    Ok(Leg {
        source: PathBuf::from(from.directory.shown()),
        top,
        target: PathBuf::from(directory.shown()),
        remote: Some(RemoteEnd {
            client,
            side: Side::Target,
            directory,
            from: Some(Box::new(from)),
        }),
    })
}

/// The session of a leg between two other machines.
pub(super) fn job(
    app: &App,
    trip: &Trip,
    way: &Way<'_>,
    (from, to): (&RemoteEnd, &RemoteEnd),
    listener: &mut Listener<'_>,
) -> Result<Between> {
    let request = &trip.request;
    let end = |end: &RemoteEnd| End {
        peer: Arc::<Client>::clone(&end.client),
        place: end.directory.wire(),
        lanes: wishes(request, end),
    };
    let below = legs::with_slash(&way.leg.target);
    Ok(Between {
        source: end(from),
        top: way.leg.top.clone(),
        target: end(to),
        backup: kept(trip),
        rules: way.rules.clone(),
        options: options::of(app, request)?,
        // Who lets nothing but the control connection pass means this machine's.
        may_delegate: !trip.lanes.only_in_band,
        audience: Audience {
            confirm: ask::confirm(app, request.yes, below, listener.has_plan()),
            events: listener.sender(),
            progress: listener.next_progress(),
        },
        cancel: app.stop.cancel.clone(),
    })
}

/// Runs it; says once if all data passes this machine, and keeps by what way it went if it does not.
pub(super) async fn run(
    app: &App,
    trip: &Trip,
    ends: (&RemoteEnd, &RemoteEnd),
    job: Between,
    is_relayed: &mut bool,
) -> Report {
    let [from, to] = [ends.0, ends.1].map(|it| it.directory.machine.name());
    let relays = |why: &Error| {
        tracing::info!(%why, "relayed");
        if !std::mem::replace(is_relayed, true) {
            let text = "do not speak to each other: all data passes this machine";
            let text = format!("{from} and {to} {text}");
            app.ui.warn(Slug::NetRelayed, &text);
        }
    };
    let report = job.run(relays).await;
    if let Some(used) = report.lanes {
        trip.lanes.uses.tell(Used {
            transport: used.transport,
            security: used.security,
            lanes: used.lanes,
        });
    }
    report
}
