//! Sessions with a daemon: what SRC… and DST mean where one of them is elsewhere.

mod between;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use blit_bundled::Lanes;
use blit_contract::{Cx, Entry, Name, Peer, RelPath, Side, Store};
use blit_control::Client;
use blit_engine::{HalfRole, RemoteJob, RemoteStore, Source, Target, Top, TopName};
use blit_jobs::FarEnd;
use blit_lanes::same_machine_proof;
use blit_reach::{Machine, RemotePlace};
use blit_wire::{LaneWishes, PathList, Role, Rules, Status};

use super::{Request, Trip, ask, detach, legs, legs::Leg, listen::Listener, options};
use crate::{
    app::App,
    errors::{Changed, Result, Slug, UserError},
    filter, peers,
    places::{self, Place},
};

/// The remote end of a leg.
#[derive(Debug, Clone)]
pub(crate) struct RemoteEnd {
    client: Arc<Client>,
    side: Side,
    /// The directory that is read or written there.
    directory: RemotePlace,
    /// The machine that is read, where this one is written and neither is this machine.
    from: Option<Box<RemoteEnd>>,
}

impl RemoteEnd {
    /// Whether the directory is the one that is written.
    pub(super) fn is_target(&self) -> bool {
        self.side == Side::Target
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.directory.machine
    }

    /// The same for a daemon that goes there in place of this process.
    pub(super) fn far(&self, request: &Request) -> Result<FarEnd, UserError> {
        Ok(FarEnd {
            machine: detach::key_of(self.client.info().identity)?,
            role: match self.side {
                Side::Source => Role::Source,
                Side::Target => Role::Target,
            },
            place: self.directory.wire(),
            clear: request.reading.lanes.allow_cleartext,
        })
    }

    fn store(&self) -> Arc<dyn Store> {
        let peer: Arc<dyn Peer> = Arc::<Client>::clone(&self.client);
        Arc::new(RemoteStore::new(peer, self.directory.wire()))
    }

    /// The directory there, if it is written.
    pub(super) fn target(&self) -> Option<&RemotePlace> {
        (self.side == Side::Target).then_some(&self.directory)
    }

    pub(super) fn machine_name(&self) -> &str {
        self.directory.machine.name()
    }

    /// What the machine says of itself.
    pub(super) async fn status(&self, app: &App) -> Result<Status, UserError> {
        let cx = Cx::new(app.stop.cancel.clone());
        let status = blit_engine::ask_status(&cx, &*self.client).await;
        let refused = |error| peers::from_refusal(self.machine_name(), &error).unchanged();
        status.map_err(refused)
    }
}

/// A leg with another machine.
pub(super) struct Way<'a> {
    pub(super) leg: &'a Leg,
    pub(super) end: &'a RemoteEnd,
    pub(super) rules: Rules,
}

/// Whether any of the places is on another machine.
pub(super) fn is_remote(sources: &[Place], target: &Place) -> bool {
    target.remote.is_some() || sources.iter().any(|source| source.remote.is_some())
}

/// Works out the sessions.
///
/// # Errors
/// Several sources are elsewhere, or they are not there.
pub(super) async fn legs(
    app: &App,
    sources: &[Place],
    target: &Place,
    lanes: &Arc<Lanes>,
) -> Result<Vec<Leg>> {
    match (&target.remote, sources) {
        (Some(there), _) if sources.iter().all(|source| source.remote.is_none()) => {
            push(app, sources, (target, there), lanes).await
        }
        (to, [source]) => match (&source.remote, to) {
            (Some(from), None) => Ok(vec![pull(app, (source, from), target, lanes).await?]),
            (Some(from), Some(to)) => Ok(vec![
                between::leg(app, (source, from), (target, to), lanes).await?,
            ]),
            (None, _) => Err(mixed().into()),
        },
        _ => Err(mixed().into()),
    }
}

fn mixed() -> UserError {
    UserError::new(
        Slug::NetUnavailable,
        "this version moves one remote source at a time",
    )
    .unchanged()
    .next("run one command for each source")
}

async fn push(
    app: &App,
    sources: &[Place],
    (target, there): (&Place, &RemotePlace),
    lanes: &Arc<Lanes>,
) -> Result<Vec<Leg>> {
    let client = peers::connect(app, &there.machine, lanes).await?;
    let found = look(app, &client, there, there.wire()).await?;
    let is_directory = found.as_ref().is_some_and(Entry::is_directory);
    // What the slash rule asks of the destination: whether it is a directory.
    let stand_in = Place {
        is_contents: target.is_contents || is_directory,
        remote: None,
        ..target.clone()
    };
    let renamed = there.split();
    let legs = legs::legs(sources, &stand_in)?;
    let legs = legs.into_iter().map(|mut leg| {
        let directory = match (&leg.top, &renamed) {
            // A single file under a new name: into the directory above.
            (Top::Names(names), Some((above, name)))
                if names.len() == 1 && names[0].target == *name && leg.target != target.path =>
            {
                above.clone()
            }
            _ => there.clone(),
        };
        leg.target = PathBuf::from(directory.shown());
        leg.remote = Some(RemoteEnd {
            client: Arc::clone(&client),
            side: Side::Target,
            directory,
            from: None,
        });
        leg
    });
    Ok(legs.collect())
}

async fn pull(
    app: &App,
    (source, there): (&Place, &RemotePlace),
    target: &Place,
    lanes: &Arc<Lanes>,
) -> Result<Leg> {
    let Read {
        client,
        directory,
        name,
        found,
    } = read(app, (source, there), lanes).await?;
    let (top, into) = match name {
        None => (Top::Contents, target.path.clone()),
        Some(name) => {
            let (name, into) = named(name, &found, target);
            (Top::Names(vec![name]), into)
        }
    };
    Ok(Leg {
        source: PathBuf::from(directory.shown()),
        top,
        target: into,
        remote: Some(RemoteEnd {
            client,
            side: Side::Source,
            directory,
            from: None,
        }),
    })
}

/// A source on another machine, looked at.
struct Read {
    client: Arc<Client>,
    directory: RemotePlace,
    /// Which entry of the directory; `None` for all of it.
    name: Option<Name>,
    found: Entry,
}

async fn read(
    app: &App,
    (source, there): (&Place, &RemotePlace),
    lanes: &Arc<Lanes>,
) -> Result<Read> {
    let client = peers::connect(app, &there.machine, lanes).await?;
    let asked = match source.is_contents {
        true => there.wire(),
        false => there.wire_entry(),
    };
    let found = look(app, &client, there, asked).await?;
    let found = found.ok_or_else(|| {
        UserError::new(
            Slug::PathNotFound,
            format!("source not found: {}", source.shown()),
        )
        .unchanged()
    })?;
    let (directory, name) = match there.split().filter(|_| !source.is_contents) {
        None if !found.is_directory() => {
            return Err(UserError::new(
                Slug::PathNotDirectory,
                format!("not a directory: {}", source.shown()),
            )
            .unchanged()
            .into());
        }
        None => (there.clone(), None),
        Some((directory, name)) => (directory, Some(name)),
    };
    Ok(Read {
        client,
        directory,
        name,
        found,
    })
}

/// A single file may get a new name; everything else keeps its own.
fn named(name: Name, found: &Entry, target: &Place) -> (TopName, PathBuf) {
    let may_rename = !found.is_directory() && !target.is_contents && !target.path.is_dir();
    match target.split().filter(|_| may_rename) {
        Some((parent, new)) => {
            let top = TopName {
                source: name,
                target: new,
            };
            (top, parent)
        }
        None => (TopName::same(name), target.path.clone()),
    }
}

async fn look(
    app: &App,
    client: &Arc<Client>,
    place: &RemotePlace,
    asked: blit_wire::Place,
) -> Result<Option<Entry>> {
    let peer: Arc<dyn Peer> = Arc::<Client>::clone(client);
    let store = RemoteStore::new(peer, asked);
    let cx = Cx::new(app.stop.cancel.clone());
    let found = store.stat(&cx, &RelPath::ROOT).await;
    Ok(found.map_err(|error| peers::from_refusal(&place.shown(), &error).unchanged())?)
}

/// How long to wait before the other machine is looked for again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs the session of a leg; when the other machine is lost, once more, until `--retry-for` is over.
/// Answers whether it stopped before its end.
pub(super) async fn follow(
    app: &App,
    trip: &Trip,
    way: Way<'_>,
    listener: &mut Listener<'_>,
    is_last: bool,
) -> Result<bool> {
    let retry_for = app.settings().transfer.retry_for.duration;
    if let Some(list) = &way.rules.list {
        check_list(app, list, &way).await?;
    }
    let mut end = way.end.clone();
    let mut is_relayed = false;
    loop {
        let has_stopped = match &end.from {
            Some(from) => {
                let job = between::job(app, trip, &way, (from, &end), listener)?;
                let session = between::run(app, trip, (from, &end), job, &mut is_relayed);
                listener.follow(session, is_last).await
            }
            None => {
                let job = job(app, trip, &way, &end, listener)?;
                listener.follow(blit_engine::run_remote(job), is_last).await
            }
        };
        let may_retry = has_stopped && !retry_for.is_zero() && !app.stop.cancel.is_cancelled();
        if !may_retry || !listener.take_lost() {
            return Ok(has_stopped);
        }
        let host = end.directory.machine.name();
        let hosts = match &end.from {
            Some(from) => format!("{} or {host}", from.directory.machine.name()),
            None => host.to_owned(),
        };
        app.ui.warn(
            Slug::NetUnreachable,
            &format!("the connection to {hosts} was lost; trying again"),
        );
        end.client = reconnect(app, &end.directory, &trip.lanes, retry_for).await?;
        if let Some(from) = &mut end.from {
            from.client = reconnect(app, &from.directory, &Arc::default(), retry_for).await?;
        }
    }
}

/// Reaches the machine again.
async fn reconnect(
    app: &App,
    there: &RemotePlace,
    lanes: &Arc<Lanes>,
    retry_for: Duration,
) -> Result<Arc<Client>> {
    let began = Instant::now();
    loop {
        let error = match peers::connect(app, &there.machine, lanes).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        if app.stop.cancel.is_cancelled() {
            return Err(app.stop.error().into());
        }
        // Anything else than silence does not change by itself.
        if error.slug != Slug::NetUnreachable || began.elapsed() >= retry_for {
            return Err(error
                .changed(Changed::Unknown)
                .state("what is there under its final name is complete")
                .next("run the same command again; it continues")
                .into());
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// What tells the daemon that this process runs on its own machine, if it does.
fn machine_of(client: &Client) -> Option<[u8; 32]> {
    same_machine_proof(&client.info().channel_binding?)
}

/// Looks for the listed paths where the source is.
async fn check_list(app: &App, list: &PathList, way: &Way<'_>) -> Result<()> {
    let source: Arc<dyn Store> = match (&way.end.from, way.end.side) {
        (Some(from), _) => from.store(),
        (None, Side::Target) => {
            places::open(&app.registry, Side::Source, &way.leg.source, |it| it)?
        }
        (None, Side::Source) => way.end.store(),
    };
    super::check_list(app, list, &*source, &way.leg.top).await
}

/// The session of a leg.
fn job(
    app: &App,
    trip: &Trip,
    way: &Way<'_>,
    end: &RemoteEnd,
    listener: &mut Listener<'_>,
) -> Result<RemoteJob> {
    let (request, leg) = (&trip.request, way.leg);
    let mut options = options::of(app, request)?;
    options.select = filter::compile(&way.rules)?;
    let is_writing = !options.is_read_only();
    let (role, top) = match end.side {
        Side::Target => {
            let is_moving = request.verb == blit_engine::Verb::Move && is_writing;
            let store = places::open(&app.registry, Side::Source, &leg.source, |config| {
                config.with_writable(is_moving)
            })?;
            let top = leg.top.clone();
            (HalfRole::Source(Source { store, top }), Top::Contents)
        }
        Side::Source => {
            let store = super::open_target(app, trip, leg, is_writing)?;
            (HalfRole::Target(Target { store }), leg.top.clone())
        }
    };
    let below = legs::with_slash(&leg.target);
    let peer: Arc<dyn Peer> = Arc::<Client>::clone(&end.client);
    Ok(RemoteJob {
        peer,
        place: end.directory.wire(),
        top,
        lanes: wishes(request, end),
        role,
        rules: way.rules.clone(),
        token: None,
        backup: kept(trip),
        planner: app.planner()?,
        options,
        confirm: ask::confirm(app, request.yes, below, listener.has_plan()),
        history: app.memory.history(),
        events: listener.sender(),
        progress: listener.next_progress(),
        cancel: app.stop.cancel.clone(),
    })
}

/// Where the other machine keeps what it replaces or deletes.
fn kept(trip: &Trip) -> Option<blit_wire::Place> {
    let backup = trip.backup.as_ref()?.remote.as_ref()?;
    Some(backup.wire())
}

fn wishes(request: &Request, end: &RemoteEnd) -> LaneWishes {
    LaneWishes {
        clear: request.reading.lanes.allow_cleartext,
        machine: machine_of(&end.client),
    }
}
