//! What lanes are made of, for whoever knows which transports there are.

use std::{fmt, net::SocketAddr, sync::Arc};

use blit_contract::{Connection, SessionGrant};
use rustls::ClientConfig;

use crate::{LaneKeys, Rung};

/// Makes the connection of a session: whoever knows which transports there are.
pub trait MakeLanes: fmt::Debug + Send + Sync {
    /// The connection of the session of `grant`, whose streams can be opened by `ways`.
    fn connection(&self, grant: &SessionGrant, ways: Ways) -> Box<dyn Connection>;
}

/// What the lanes of a session can be opened with.
#[derive(Debug)]
pub struct Ways {
    /// Opens streams inside the control connection.
    pub in_band: Rung,
    /// What sockets of their own need; none where only the control connection leads.
    pub sockets: Option<Sockets>,
}

/// What a lane that is a socket of its own needs.
#[derive(Debug)]
pub struct Sockets {
    /// The daemon, at the other end of the control connection.
    pub address: SocketAddr,
    /// Encrypts a socket of its own to the same daemon.
    pub tls: Arc<ClientConfig>,
    /// The keys of the session's lanes.
    pub keys: LaneKeys,
}
