//! Lanes that come as sockets of their own: which a session may have, and how one finds its session.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::constant_time;
use blit_contract::{Endpoint, Offer, SecurityClass, Stream, TransportCaps};
use blit_control::{LaneOpening, LaneSocket, VerifiedPeer};
use blit_lanes::{Grant, same_machine_proof};
use blit_transport_unix::Listening;
use blit_wire::LaneWishes;

use crate::{access::Networks, serve::Daemon};

/// What a session may open lanes with.
#[derive(Debug)]
pub(crate) struct LaneRight {
    /// The ways, the best first.
    pub(crate) offers: Vec<Offer>,
    grant: Arc<Grant>,
}

impl LaneRight {
    /// For the session of that number, which `peer` asked for. Data may cross in clear between two
    /// addresses that are both in `trusted`, if the client wishes it, too. `unix` is where a client on
    /// this very machine finds the daemon.
    pub(crate) fn of(
        peer: &VerifiedPeer,
        session: &[u8; 16],
        wishes: LaneWishes,
        trusted: &Networks,
        unix: Option<&Path>,
    ) -> Self {
        let ends = [peer.address().ip(), peer.local().ip()].map(|ip| ip.to_canonical());
        let mut offers = Vec::new();
        let mut offer = |scheme: &str, authority: &str, security| {
            let endpoint = Endpoint::new(scheme, authority);
            offers.push(Offer::new(endpoint, TransportCaps::new(), security));
        };
        if is_here(peer, ends, wishes) {
            if let Some(path) = unix.and_then(Path::to_str) {
                offer("unix", path, SecurityClass::SameMachine);
            }
            offer("tcp", "", SecurityClass::SameMachine);
        } else if wishes.clear && ends.into_iter().all(|ip| trusted.contain(ip)) {
            offer("tcp", "", SecurityClass::TrustedNetwork);
        }
        offer("tcp", "", SecurityClass::Encrypted);
        let least = offers.iter().map(|offer| offer.security).min();
        let grant = Grant::new(peer.lane_keys(session), least.unwrap_or_default());
        Self {
            offers,
            grant: Arc::new(grant),
        }
    }

    /// The right to a lane of that class, if the session was offered one.
    pub(crate) fn grant(&self, class: SecurityClass) -> Option<Arc<Grant>> {
        let is_offered = self.offers.iter().any(|offer| offer.security == class);
        is_offered.then(|| Arc::clone(&self.grant))
    }

    /// The session is over.
    pub(crate) fn end(&self) {
        self.grant.end();
    }
}

/// Whether the client is on this very machine. Its address alone does not say so: a tunnel ends here, too.
fn is_here(peer: &VerifiedPeer, ends: [IpAddr; 2], wishes: LaneWishes) -> bool {
    let (Some(said), Some(ours)) = (wishes.machine, same_machine_proof(&peer.binding())) else {
        return false;
    };
    let is_said = constant_time::verify_slices_are_equal(&said, &ours).is_ok();
    is_said && ends.iter().all(IpAddr::is_loopback)
}

/// Binds a socket from outside to the session that it belongs to.
pub(crate) async fn bind(daemon: &Daemon, socket: LaneSocket) -> io::Result<(LaneOpening, Stream)> {
    let bound = match socket {
        LaneSocket::Encrypted {
            socket,
            peer,
            binding,
        } => {
            let find = |id: &[u8; 16]| {
                daemon
                    .sessions
                    .right(id, Some(peer), SecurityClass::Encrypted)
            };
            blit_transport_tcp::bind_encrypted(*socket, binding, find).await?
        }
        LaneSocket::Clear { socket, address } => {
            let ends = [address.ip(), socket.local_addr()?.ip()];
            let class = match ends.iter().all(|ip| ip.to_canonical().is_loopback()) {
                true => SecurityClass::SameMachine,
                false => SecurityClass::TrustedNetwork,
            };
            let find = |id: &[u8; 16]| daemon.sessions.right(id, None, class);
            blit_transport_tcp::bind_clear(socket, class, find).await?
        }
    };
    Ok(opening(bound))
}

fn opening((session, reverse, stream): ([u8; 16], bool, Stream)) -> (LaneOpening, Stream) {
    (LaneOpening { session, reverse }, stream)
}

/// Where clients of this very machine bring their lanes.
#[derive(Debug)]
pub(crate) struct UnixDoor(Listening);

impl UnixDoor {
    /// Opens it in the state folder. Without one, lanes go over TCP.
    pub(crate) fn open(state: &Path) -> Option<Self> {
        match Listening::at(&state.join("lanes.sock")) {
            Ok(listening) => Some(Self(listening)),
            Err(cause) => {
                tracing::warn!(%cause, "no socket for lanes on this machine");
                None
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Lets lanes in until it is dropped.
    pub(crate) async fn serve(self, daemon: Arc<Daemon>) {
        /// After an error (no descriptors left) it would come at once again.
        const PAUSE: Duration = Duration::from_millis(50);
        loop {
            let socket = match self.0.accept().await {
                Ok(socket) => socket,
                Err(cause) => {
                    tracing::warn!(%cause, "cannot accept a lane");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let daemon = Arc::clone(&daemon);
            tokio::spawn(async move {
                let find =
                    |id: &[u8; 16]| daemon.sessions.right(id, None, SecurityClass::SameMachine);
                let bound = blit_transport_unix::bind(socket, find).await;
                daemon.bring(bound.map(opening));
            });
        }
    }
}
