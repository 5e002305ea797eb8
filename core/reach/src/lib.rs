//! Other machines: how they are named, and how they are reached.
//!
//! [`Machine`] is one as it was typed, [`RemotePlace`] a place on it. [`Reach::connect`] reaches it: a
//! paired machine at its addresses, or where the local network says that it is now (`near`), any other
//! over ssh (`ssh`), where the session runs inside what ssh gives and nothing but a login is needed.
//! [`join()`] is the first contact with a machine that has invited this one.

#![deny(missing_docs, unsafe_code)]

mod join;
mod near;
mod place;
mod ssh;
#[cfg(unix)]
mod sys;
mod told;

use std::{path::PathBuf, sync::Arc};

use blit_config::{Paths, SshSettings};
use blit_control::{Client, ConnectError, Identity, IdentityError, KnownPeer, Peers, PeersError};
use blit_lanes::MakeLanes;

pub use join::{join, typed};
pub use near::near;
pub use place::{Machine, RemotePlace, SshHost};
pub use ssh::{SshError, SshProblem};
pub use told::{from_connect, from_reach, unreadable};

/// What reaching other machines takes.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The user's wishes for ssh.
    pub ssh: SshSettings,
    /// Whether ssh may ask for a password or about a key that it does not know.
    pub may_ask: bool,
}

/// Why a machine cannot be spoken to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReachError {
    /// It does not answer, or is another one.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no key of this user, or it cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no home directory to keep a key in.
    #[error("there is no home directory to keep a key in")]
    NoHome,
    /// The paired machines cannot be read.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The way over ssh does not work.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// No machine is paired under that name; these are.
    #[error("no paired machine is called so")]
    Unpaired(Vec<String>),
}

impl Reach {
    /// Connects to a machine.
    ///
    /// # Errors
    /// [`ReachError`]
    pub async fn connect(
        &self,
        machine: &Machine,
        lanes: Arc<dyn MakeLanes>,
    ) -> Result<Arc<Client>, ReachError> {
        let client = match machine {
            Machine::Paired { name, port } => {
                let (identity, peer) = (identity()?, known(name)?);
                paired(&identity, &peer, &addresses_of(&peer, *port), lanes).await?
            }
            Machine::Ssh(host) => ssh::connect(self, host, lanes).await?,
        };
        Ok(Arc::new(client))
    }
}

/// Connects to a paired machine at its addresses; if it is at none of them, where it announces itself.
///
/// # Errors
/// [`ConnectError`]: of its addresses, whatever came of the rest.
pub async fn paired(
    identity: &Identity,
    peer: &KnownPeer,
    addresses: &[String],
    lanes: Arc<dyn MakeLanes>,
) -> Result<Client, ConnectError> {
    let connected = Client::connect(identity, peer.id, addresses, Arc::clone(&lanes)).await;
    let Err(ConnectError::Unreachable(tried)) = connected else {
        return connected;
    };
    let moved = addresses.iter().any(|it| near::may_have_moved(it));
    let near = if moved {
        near(&peer.id).await
    } else {
        Vec::new()
    };
    // Whoever announces the same key and does not hold it is nobody: what is told is what was tried before.
    match Client::connect(identity, peer.id, &near, lanes).await {
        Ok(client) => Ok(client),
        Err(_) => Err(ConnectError::Unreachable(tried)),
    }
}

/// Where this user's key and peers are; `None` without a home directory.
#[must_use]
pub fn state() -> Option<PathBuf> {
    match std::env::var_os("BLIT_STATE") {
        Some(state) => Some(state.into()),
        None => Some(Paths::of_this_user()?.state),
    }
}

/// Where a daemon of this user keeps its own; `None` without a home directory.
#[must_use]
pub fn daemon_state() -> Option<PathBuf> {
    match std::env::var_os("BLIT_DAEMON_STATE") {
        Some(state) => Some(state.into()),
        None => Some(Paths::of_this_user()?.daemon_state()),
    }
}

/// The key of this user; made at the first network use.
///
/// # Errors
/// [`ReachError`]
pub fn identity() -> Result<Identity, ReachError> {
    let state = state().ok_or(ReachError::NoHome)?;
    Ok(Identity::load_or_create(&state)?)
}

/// The paired machines.
///
/// # Errors
/// [`ReachError`]
pub fn peers() -> Result<Peers, ReachError> {
    let state = state().ok_or(ReachError::NoHome)?;
    Ok(Peers::load(&state)?)
}

/// The paired machine that is called `name` here.
///
/// # Errors
/// [`ReachError`]
pub fn known(name: &str) -> Result<KnownPeer, ReachError> {
    let peers = peers()?;
    let found = peers.named(name).cloned();
    found.ok_or_else(|| ReachError::Unpaired(peers.iter().map(|peer| peer.name.clone()).collect()))
}

/// Where a paired machine may be reached.
#[must_use]
pub fn addresses_of(peer: &KnownPeer, port: Option<u16>) -> Vec<String> {
    let Some(port) = port else {
        return peer.addresses.clone();
    };
    let hosts = peer.addresses.iter();
    hosts
        .filter_map(|address| Some(format!("{}:{port}", address.rsplit_once(':')?.0)))
        .collect()
}
