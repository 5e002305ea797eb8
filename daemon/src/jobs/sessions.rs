//! The sessions of jobs: each on threads that reach its directories on this machine, and nothing else of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use blit_bundled::Lanes;
use blit_contract::{Cx, NoHistory, Side, Store};
use blit_control::Client;
use blit_engine::{HalfRole, Job, RemoteJob, Report, Source, Stop, Target, Top, Verb, run_remote};
use blit_events::{Slug, UserError, from_contract, internal};
use blit_jobs::{FarEnd, Leg, Sessions, Wishes, connect, open};
use blit_lanes::same_machine_proof;
use blit_reach::{from_connect, paired};
use blit_wire::{LaneWishes, Role};

use crate::{plugins::Plugins, request::compiled, serve::Daemon};

/// How long to wait before a machine that does not answer is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs the sessions of jobs: within this machine, and between it and one that the daemon is paired with.
pub(super) struct Performer(pub(super) Arc<Daemon>);

#[async_trait]
impl Sessions for Performer {
    async fn run(&self, leg: &Leg, mut wishes: Wishes) -> Result<Report, UserError> {
        // From confined threads no name can be looked up, and this machine's key is out of reach.
        let client = match &leg.far {
            None => None,
            Some(far) => match self.reach(far, &wishes).await? {
                Some(client) => Some(client),
                None => {
                    let mut report = Report::default();
                    report.stop = Some(Stop::Cancelled);
                    return Ok(report);
                }
            },
        };
        let role = leg.far.as_ref().map(|far| far.role);
        let moves = wishes.options.verb == Verb::Move;
        let reads = (role != Some(Role::Source)).then_some((&*leg.source, moves));
        let writes = (role != Some(Role::Target)).then_some(&*leg.target);
        let domain = self.0.confinement.between(reads, writes);
        let domain = domain.map_err(|why| internal(why.to_string()))?;
        let (plugins, leg) = (Arc::clone(&self.0.plugins), leg.clone());
        let session = async move {
            let selected = compiled(&leg.rules).await;
            wishes.options.select =
                selected.map_err(|error| from_contract(Side::Source, "the filters", &error))?;
            match (&leg.far, client) {
                (Some(far), Some(client)) => with(&plugins, (&leg, far), client, wishes).await,
                _ => within(&plugins, &leg, wishes).await,
            }
        };
        match domain {
            None => session.await,
            Some(domain) => {
                let ended = domain.run(session).await;
                ended.unwrap_or_else(|lost| Err(internal(lost.to_string())))
            }
        }
    }
}

impl Performer {
    /// Connects to a machine, for as long as is wished; nothing, if nobody wants it any more.
    async fn reach(&self, far: &FarEnd, wishes: &Wishes) -> Result<Option<Client>, UserError> {
        let known = self.0.peers.lock().with_id(&far.machine).cloned();
        let known = known.ok_or_else(|| {
            let message = "the daemon of this machine does not know the other one any more";
            UserError::new(Slug::AuthUnpaired, message)
                .unchanged()
                .next("let them know each other again: blit remote add --daemon NAME KEY HOST")
        })?;
        let began = Instant::now();
        loop {
            let lanes = Arc::new(Lanes {
                may_be_clear: far.clear,
                uses: Arc::clone(&wishes.lanes),
                ..Lanes::default()
            });
            let connecting = paired(&self.0.identity, &known, &known.addresses, lanes).await;
            let error = match connecting {
                Ok(client) => return Ok(Some(client)),
                Err(error) => from_connect(&known.name, error),
            };
            if wishes.cancel.is_cancelled() {
                return Ok(None);
            }
            // Anything else than silence does not change by itself.
            if error.slug != Slug::NetUnreachable {
                return Err(error.next(format!(
                    "let {} and the daemon of this machine know each other: blit remote add --daemon, on both",
                    known.name
                )));
            }
            if began.elapsed() >= wishes.patience {
                return Err(error);
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

/// The directory that a leg reads here.
fn source_of(plugins: &Plugins, leg: &Leg, verb: Verb) -> Result<Arc<dyn Store>, UserError> {
    open(&plugins.registry, Side::Source, &leg.source, |config| {
        config.with_writable(verb == Verb::Move)
    })
}

/// The directory that a leg writes here.
fn target_of(plugins: &Plugins, leg: &Leg) -> Result<Arc<dyn Store>, UserError> {
    open(&plugins.registry, Side::Target, &leg.target, |config| {
        config.with_writable(true).with_create_root(true)
    })
}

/// Both roles are played here.
async fn within(plugins: &Plugins, leg: &Leg, wishes: Wishes) -> Result<Report, UserError> {
    let store = source_of(plugins, leg, wishes.options.verb)?;
    let target = Target {
        store: target_of(plugins, leg)?,
    };
    let cx = Cx::new(wishes.cancel.clone());
    let connections = connect(&plugins.registry, &cx).await?;
    let source = Source {
        store,
        top: leg.top.clone(),
    };
    let planner = Arc::clone(&plugins.planner);
    let options = wishes.options;
    let mut job = Job::new(source, planner, connections, target, options, wishes.events);
    job.confirm = wishes.confirm;
    job.progress = wishes.progress;
    job.cancel = wishes.cancel;
    Ok(blit_engine::run(job).await)
}

/// One role is played here, the other by the machine that `client` has reached.
async fn with(
    plugins: &Plugins,
    (leg, far): (&Leg, &FarEnd),
    client: Client,
    wishes: Wishes,
) -> Result<Report, UserError> {
    let (role, top) = match far.role {
        Role::Target => {
            let store = source_of(plugins, leg, wishes.options.verb)?;
            let top = leg.top.clone();
            (HalfRole::Source(Source { store, top }), Top::Contents)
        }
        Role::Source => {
            let store = target_of(plugins, leg)?;
            (HalfRole::Target(Target { store }), leg.top.clone())
        }
    };
    let binding = blit_contract::Peer::info(&client).channel_binding;
    let job = RemoteJob {
        place: far.place.clone(),
        top,
        lanes: LaneWishes {
            clear: far.clear,
            machine: binding.as_ref().and_then(same_machine_proof),
        },
        role,
        rules: leg.rules.clone(),
        token: None,
        backup: None,
        planner: Arc::clone(&plugins.planner),
        options: wishes.options,
        confirm: wishes.confirm,
        history: Arc::new(NoHistory),
        events: wishes.events,
        progress: wishes.progress,
        cancel: wishes.cancel,
        peer: Arc::new(client),
    };
    Ok(run_remote(job).await)
}
