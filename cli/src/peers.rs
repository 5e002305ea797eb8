//! The machines that this one is paired with, and how to reach them.

use std::{path::PathBuf, sync::Arc};

use blit_bundled::Lanes;
use blit_config::Paths;
use blit_contract::{Cx, ErrorKind, Name, RelPath};
use blit_control::{Client, ConnectError, Identity, InvitationError, KnownPeer, Peers};
use blit_lanes::MakeLanes;

use blit_wire::Status;

use crate::{
    app::App,
    errors::{Slug, UserError},
};

/// The port of a daemon that says nothing else.
pub(crate) const PORT: u16 = 9_031;

/// A place in a module of another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemotePlace {
    /// The name of the machine.
    pub(crate) host: String,
    /// The port, if one was typed.
    pub(crate) port: Option<u16>,
    /// The module.
    pub(crate) module: String,
    /// Where in the module.
    pub(crate) path: RelPath,
}

impl RemotePlace {
    /// As the daemon calls it.
    pub(crate) fn wire(&self) -> blit_wire::Place {
        blit_wire::Place {
            module: self.module.clone(),
            path: self.path.clone(),
        }
    }

    /// The directory that holds it and its name there; `None` for the module itself.
    pub(crate) fn split(&self) -> Option<(Self, Name)> {
        let (parent, name) = (self.path.parent()?, self.path.name()?);
        let directory = Self {
            path: parent.clone(),
            ..self.clone()
        };
        Some((directory, name.clone()))
    }

    /// As it is typed.
    pub(crate) fn shown(&self) -> String {
        let path = self.path.components().into_iter();
        let path: String = path.map(|name| format!("/{name}")).collect();
        let port = self.port.map_or(String::new(), |port| format!("{port}:"));
        format!("{}:{port}/{}{path}", self.host, self.module)
    }
}

/// Where this user's key and peers are.
pub(crate) fn state() -> Result<PathBuf, UserError> {
    match std::env::var_os("BLIT_STATE") {
        Some(state) => Ok(state.into()),
        None => Ok(usual()?.state),
    }
}

/// Where a daemon of this user keeps its own.
pub(crate) fn daemon_state() -> Result<PathBuf, UserError> {
    match std::env::var_os("BLIT_DAEMON_STATE") {
        Some(state) => Ok(state.into()),
        None => Ok(usual()?.daemon_state()),
    }
}

fn usual() -> Result<Paths, UserError> {
    Paths::of_this_user().ok_or_else(|| {
        UserError::new(
            Slug::ConfigRead,
            "there is no home directory to keep a key in",
        )
        .unchanged()
    })
}

/// The key of this user; made at the first network use.
pub(crate) fn identity() -> Result<Identity, UserError> {
    Identity::load_or_create(&state()?).map_err(unreadable)
}

/// The paired machines.
pub(crate) fn load() -> Result<Peers, UserError> {
    Peers::load(&state()?).map_err(unreadable)
}

pub(crate) fn unreadable(error: impl std::error::Error) -> UserError {
    UserError::new(Slug::ConfigRead, error.to_string()).unchanged()
}

/// Connects to the machine that is called `host` here.
///
/// # Errors
/// It is not paired, holds another key, or does not answer.
pub(crate) async fn connect(
    host: &str,
    port: Option<u16>,
    lanes: &Arc<Lanes>,
) -> Result<Arc<Client>, UserError> {
    let (identity, peers) = (identity()?, load()?);
    let Some(peer) = peers.named(host) else {
        return Err(unpaired(host, &peers));
    };
    let addresses = addresses_of(peer, port);
    let lanes: Arc<dyn MakeLanes> = Arc::<Lanes>::clone(lanes);
    let connected = Client::connect(&identity, peer.id, &addresses, lanes).await;
    match connected {
        Ok(client) => Ok(Arc::new(client)),
        Err(error) => Err(from_connect(host, error)),
    }
}

fn addresses_of(peer: &KnownPeer, port: Option<u16>) -> Vec<String> {
    let Some(port) = port else {
        return peer.addresses.clone();
    };
    let hosts = peer.addresses.iter();
    hosts
        .filter_map(|address| Some(format!("{}:{port}", address.rsplit_once(':')?.0)))
        .collect()
}

fn unpaired(host: &str, peers: &Peers) -> UserError {
    let names: Vec<&str> = peers.iter().map(|peer| &*peer.name).collect();
    let cause = match names.is_empty() {
        true => "this machine is not paired with any other yet".to_owned(),
        false => format!("it is paired with: {}", names.join(", ")),
    };
    UserError::new(
        Slug::AuthUnpaired,
        format!("no paired machine is called {host:?}"),
    )
    .cause(cause)
    .unchanged()
    .next(format!(
        "get an invitation on {host} with: blit pair   then here: blit pair {host} INVITATION"
    ))
}

/// Why the machine cannot be spoken to, in the user's terms.
pub(crate) fn from_connect(host: &str, error: ConnectError) -> UserError {
    match error {
        ConnectError::OtherKey { expected, found } => UserError::new(
            Slug::AuthKeyChanged,
            format!("{host} shows a different key than the one that you paired with"),
        )
        .cause(format!(
            "expected {}, got {}: reinstalled, or someone is in between",
            expected.short(),
            found.short()
        ))
        .next(format!(
            "compare with what blit-daemon says when it starts on {host}, then: blit pair {host} INVITATION"
        )),
        ConnectError::Unreachable(tried) => {
            let error = UserError::new(Slug::NetUnreachable, format!("{host} does not answer"));
            let next = format!("is blit-daemon running on {host}, and may it be reached?");
            tried
                .into_iter()
                .fold(error, |error, (address, why)| {
                    error.cause(format!("{address}: {why}"))
                })
                .next(next)
        }
        ConnectError::Invitation(InvitationError::Expired) => {
            UserError::new(Slug::AuthInvitation, "that invitation is older than 15 minutes")
                .next(format!("get a new one on {host} with: blit pair"))
        }
        other => UserError::new(Slug::AuthInvitation, format!("{host} does not let this machine in"))
            .cause(other.to_string())
            .next(format!("get a new invitation on {host} with: blit pair")),
    }
    .unchanged()
}

/// What the machine says of itself.
pub(crate) async fn status(app: &App, host: &str) -> Result<Status, UserError> {
    let client = connect(host, None, &Arc::default()).await?;
    let cx = Cx::new(app.stop.cancel.clone());
    let status = blit_engine::ask_status(&cx, &*client).await;
    status.map_err(|error| from_refusal(host, &error).unchanged())
}

/// What a daemon refused a request for.
pub(crate) fn from_refusal(place: &str, error: &blit_contract::Error) -> UserError {
    let detail = error.detail().unwrap_or(error.kind().phrase()).to_owned();
    match error.kind() {
        ErrorKind::Denied => UserError::new(Slug::AuthUnpaired, format!("{place}: {detail}")).next(
            "get an invitation over there with: blit pair   then here: blit pair HOST INVITATION",
        ),
        ErrorKind::NotFound => {
            UserError::new(Slug::PathNotFound, format!("not found: {place}")).cause(detail)
        }
        ErrorKind::ReadOnly => UserError::new(Slug::PermReadonly, format!("{place} is read-only"))
            .cause(detail)
            .next("ask its owner for access = \"read-write\""),
        ErrorKind::Unreachable => UserError::new(
            Slug::NetUnreachable,
            format!("the connection to {place} was lost"),
        )
        .cause(detail)
        .next("run the same command again; it continues"),
        _ => crate::errors::from_contract(blit_contract::Side::Target, place, error),
    }
}
