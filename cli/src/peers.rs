//! The machines that this one is paired with, and how to reach them.

use std::{ffi::OsStr, path::PathBuf, sync::Arc};

use blit_bundled::Lanes;
use blit_config::{Endpoint, EndpointParser};
use blit_contract::Cx;
use blit_control::{Client, Identity, KnownPeer, Peers};
use blit_lanes::MakeLanes;
use blit_reach::{Machine, Reach, ReachError, from_reach};
use blit_wire::{Access, Module, Status};

use crate::{app::App, ask, errors::UserError, ui::shown};

pub(crate) use blit_events::from_refusal;
pub(crate) use blit_reach::{from_connect, unreadable};

/// Where only a paired machine can be meant: `nas`, `nas:`, `nas:9031`.
pub(crate) fn machine(typed: &str) -> Machine {
    let typed = typed.trim_end_matches(':');
    let split = typed.rsplit_once(':');
    let split = split.and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = match split {
        Some((name, port)) => (name, Some(port)),
        None => (typed, None),
    };
    Machine::Paired {
        name: name.to_owned(),
        port,
    }
}

/// Where a path may be meant, too: `nas:`.
pub(crate) fn machine_of_endpoint(typed: &OsStr) -> Option<Machine> {
    match EndpointParser::new([""; 0]).parse(typed) {
        Ok(Endpoint::Host { host: name, port }) => Some(Machine::Paired { name, port }),
        _ => None,
    }
}

/// Where this user's key and peers are.
pub(crate) fn state() -> Result<PathBuf, UserError> {
    blit_reach::state().ok_or_else(|| unreadable(ReachError::NoHome))
}

/// Where a daemon of this user keeps its own.
pub(crate) fn daemon_state() -> Result<PathBuf, UserError> {
    blit_reach::daemon_state().ok_or_else(|| unreadable(ReachError::NoHome))
}

/// The key of this user; made at the first network use.
pub(crate) fn identity() -> Result<Identity, UserError> {
    blit_reach::identity().map_err(unreadable)
}

/// The paired machines.
pub(crate) fn load() -> Result<Peers, UserError> {
    blit_reach::peers().map_err(unreadable)
}

/// The paired machine that is called `name` here.
pub(crate) fn known(name: &str) -> Result<KnownPeer, UserError> {
    blit_reach::known(name).map_err(|error| from_reach(name, error))
}

/// Connects to a machine.
///
/// # Errors
/// It is not paired, holds another key, does not answer, or does not let this user in.
pub(crate) async fn connect(
    app: &App,
    machine: &Machine,
    lanes: &Arc<Lanes>,
) -> Result<Arc<Client>, UserError> {
    let reach = Reach {
        ssh: app.settings().ssh.clone(),
        may_ask: ask::can_read(),
    };
    let lanes: Arc<dyn MakeLanes> = Arc::<Lanes>::clone(lanes);
    tokio::select! {
        connected = reach.connect(machine, lanes) => {
            connected.map_err(|error| from_reach(machine.name(), error))
        }
        () = ask::cancelled(&app.stop.cancel) => Err(app.stop.error()),
    }
}

/// What the machine says of itself.
pub(crate) async fn status(app: &App, machine: &Machine) -> Result<Status, UserError> {
    let client = connect(app, machine, &Arc::default()).await?;
    let cx = Cx::new(app.stop.cancel.clone());
    let status = blit_engine::ask_status(&cx, &*client).await;
    status.map_err(|error| from_refusal(machine.name(), &error).unchanged())
}

/// A module of a machine as a row.
pub(crate) fn module_row(host: &str, module: &Module) -> String {
    let plain = |text: &str| shown(text.as_ref());
    let (name, comment) = (plain(&module.name), plain(&module.comment));
    format!(
        "{host}:/{name}/\t{}\t{comment}\n",
        access_words(module.access)
    )
}

pub(crate) fn access_words(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::AddOnly => "add-only",
        Access::ReadWrite => "read-write",
    }
}
