//! `copy`, `mirror`, `move` and `check`: from what was typed to how it ended.

mod ask;
mod backup;
mod detach;
mod hint;
mod legs;
mod listen;
mod options;
mod remote;
mod stop;
mod summary;

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use blit_bundled::Lanes;
use blit_contract::{Cx, RelPath, Side, Store};
use blit_engine::{Job, Source, Target, Top, Verb};
use blit_jobs::Outcome;
use blit_wire::{Anchor, PathList, Rules};
use futures_util::StreamExt;

use crate::{
    app::App,
    args::{Existing, Limits, Patterns, Reading, Writing},
    errors::{Result, Slug, UserError},
    events::{self, Event, PathField},
    exit::Exit,
    filter,
    places::{self, Place},
};

use legs::Leg;
use listen::Listener;

pub(crate) use blit_jobs::verb_word;

/// What the user asked for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) sources: Vec<OsString>,
    pub(crate) target: OsString,
    pub(crate) patterns: Patterns,
    pub(crate) limits: Limits,
    pub(crate) files_from: Option<PathBuf>,
    pub(crate) reading: Reading,
    pub(crate) writing: Writing,
    pub(crate) existing: Existing,
    pub(crate) backup_dir: Option<PathBuf>,
    pub(crate) yes: bool,
}

impl Request {
    /// A request without any choice.
    pub(crate) fn new(verb: Verb, sources: Vec<OsString>, target: OsString) -> Self {
        Self {
            verb,
            sources,
            target,
            patterns: Patterns::default(),
            limits: Limits::default(),
            files_from: None,
            reading: Reading::default(),
            writing: Writing::default(),
            existing: Existing::default(),
            backup_dir: None,
            yes: false,
        }
    }
}

/// A request whose places are known.
struct Trip {
    request: Request,
    sources: Vec<Place>,
    target: Place,
    /// Where the old state goes.
    backup: Option<Place>,
    legs: Vec<Leg>,
    /// The ways to other machines.
    lanes: Arc<Lanes>,
}

/// Does what was asked, and says how it went.
pub(crate) async fn run(app: &App, request: Request) -> Result<Exit> {
    options::refuse(&request)?;
    let trip = Trip::plan(app, request).await?;
    backup::refuse_inside(&trip)?;
    backup::check_keeper(app, &trip).await?;
    app.stop.gently();
    if !hint::ask_about_slash(app, &trip).await? {
        return Err(UserError::new(Slug::PathHint, "stopped before the start")
            .unchanged()
            .into());
    }
    if trip.request.writing.detach {
        return detach::hand_over(app, &trip).await;
    }
    app.ui.tell(Event::Start(trip.start()));
    let outcome = trip.go(app).await?;
    summary::conclude(app, &trip, outcome)
}

impl Trip {
    async fn plan(app: &App, request: Request) -> Result<Self> {
        let place = |typed: &OsString| Place::parse(&app.registry, typed);
        let sources = request
            .sources
            .iter()
            .map(place)
            .collect::<Result<Vec<_>, _>>()?;
        let target = place(&request.target)?;
        let backup = backup::place(&app.registry, &request, &target)?;
        let lanes = Arc::new(Lanes {
            only_in_band: request.reading.lanes.force_grpc_data,
            may_be_clear: request.reading.lanes.allow_cleartext,
            ..Lanes::default()
        });
        let legs = if remote::is_remote(&sources, &target) {
            detach::refuse(&request, &sources, &target)?;
            remote::legs(app, &sources, &target, &lanes).await?
        } else {
            legs::legs(&sources, &target)?
        };
        Ok(Self {
            request,
            sources,
            target,
            backup,
            legs,
            lanes,
        })
    }

    fn start(&self) -> events::Start {
        let field = |path: &std::path::Path| PathField::new(path.as_os_str().as_encoded_bytes());
        events::Start {
            verb: verb_word(self.request.verb),
            version: env!("CARGO_PKG_VERSION"),
            sources: self
                .sources
                .iter()
                .map(|place| field(&place.path))
                .collect(),
            target: field(&self.target.path),
            dry_run: self.request.writing.dry_run,
        }
    }

    /// What the user said of what takes part.
    fn rules(&self) -> Result<Rules, UserError> {
        let mut rules = filter::rules(&self.request.patterns, &self.request.limits)?;
        let file = self.request.files_from.as_deref();
        rules.list = file.map(filter::read_list).transpose()?;
        if self.legs.iter().any(|leg| leg.remote.is_some()) {
            filter::check_crossing(&rules)?;
        }
        Ok(rules)
    }

    /// The rules as they hold in a leg.
    fn rules_in(&self, leg: &Leg, rules: &Rules) -> Rules {
        let anchor = match leg.top {
            Top::Contents => Anchor::Root,
            Top::Names(_) if self.sources.len() == 1 => Anchor::Entry,
            Top::Names(_) => Anchor::Entries,
        };
        Rules {
            anchor,
            ..rules.clone()
        }
    }

    /// Runs one session after the other, up to the first that stops.
    async fn go(&self, app: &App) -> Result<Outcome> {
        let rules = self.rules()?;
        let mut listener = Listener::new(app, self);
        for (at, leg) in self.legs.iter().enumerate() {
            let is_last = at + 1 == self.legs.len();
            let rules = self.rules_in(leg, &rules);
            let has_stopped = match &leg.remote {
                Some(end) => {
                    let way = remote::Way { leg, end, rules };
                    remote::follow(app, self, way, &mut listener, is_last).await?
                }
                None => {
                    let job = self.job(app, leg, &rules, &mut listener).await?;
                    listener.follow(blit_engine::run(job), is_last).await
                }
            };
            if has_stopped {
                break;
            }
        }
        Ok(listener.finish())
    }

    async fn job(
        &self,
        app: &App,
        leg: &Leg,
        rules: &Rules,
        listener: &mut Listener<'_>,
    ) -> Result<Job> {
        let request = &self.request;
        let mut options = options::of(app, request)?;
        let is_writing = !options.is_read_only();
        let source = places::open(&app.registry, Side::Source, &leg.source, |config| {
            config.with_writable(request.verb == Verb::Move && is_writing)
        })?;
        let target = open_target(app, self, leg, is_writing)?;
        if let Some(list) = &rules.list {
            check_list(app, list, &*source, &leg.top).await?;
        }
        options.select = filter::compile(rules)?;
        let planner = app.planner()?;
        let cx = Cx::new(app.stop.cancel.clone());
        let connections = blit_jobs::connect(&app.registry, &cx).await?;
        let source = Source {
            store: source,
            top: leg.top.clone(),
        };
        let target = Target { store: target };
        let mut job = Job::new(
            source,
            planner,
            connections,
            target,
            options,
            listener.sender(),
        );
        let below = legs::with_slash(&leg.target);
        job.confirm = ask::confirm(app, request.yes, below, listener.has_plan());
        job.history = app.memory.history();
        job.progress = listener.next_progress();
        job.cancel = app.stop.cancel.clone();
        Ok(job)
    }
}

/// The tree that is written on this machine.
fn open_target(app: &App, trip: &Trip, leg: &Leg, is_writing: bool) -> Result<Arc<dyn Store>> {
    let store = places::open(&app.registry, Side::Target, &leg.target, |config| {
        let config = config.with_writable(is_writing).with_create_root(true);
        match &trip.backup {
            // It would be made at once.
            Some(backup) if is_writing => config.with_backup(&backup.path),
            _ => config,
        }
    })?;
    Ok(store)
}

/// How many listed paths are looked at together: another machine is a round trip away.
const LOOKS: usize = 16;

/// A listed path that is not there is an error before anything is changed.
async fn check_list(app: &App, list: &PathList, source: &dyn Store, top: &Top) -> Result<()> {
    let cx = Cx::new(app.stop.cancel.clone());
    let tops: Vec<RelPath> = match top {
        Top::Contents => vec![RelPath::ROOT],
        Top::Names(names) => names
            .iter()
            .map(|name| RelPath::ROOT.join(name.source.clone()))
            .collect(),
    };
    let (cx, tops) = (&cx, &tops);
    let looks = list.iter().map(|path| async move {
        for top in tops {
            let whole = path
                .components()
                .into_iter()
                .fold(top.clone(), |whole, name| whole.join(name.clone()));
            if matches!(source.stat(cx, &whole).await, Ok(Some(_))) {
                return None;
            }
        }
        Some(path)
    });
    // In order, so that the first that is missing is the one that is told.
    let looks = futures_util::stream::iter(looks).buffered(LOOKS);
    match std::pin::pin!(looks.filter_map(std::future::ready))
        .next()
        .await
    {
        None => Ok(()),
        Some(path) => Err(UserError::new(
            Slug::PathNotFound,
            format!("the source has no {path}, which --files-from lists"),
        )
        .unchanged()
        .into()),
    }
}
