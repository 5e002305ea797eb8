//! Takes what arrives, and hands it to where it is answered.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use blit_contract::Stream;
use blit_control::{
    Arrivals, Health, KnownPeer, LaneOpening, LaneSocket, ManageJobs, VerifiedPeer,
};
use blit_engine::Asked;
use blit_wire::Request;

use crate::{
    jobs::{Desk, Jobs},
    lanes,
    modules::Module,
    record::of_caller,
    serve::{Caller, Daemon},
};

/// How long a request may take to arrive.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Where peers come to the daemon.
pub(crate) struct Gate {
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) jobs: Arc<Jobs>,
}

#[async_trait]
impl Arrivals for Gate {
    fn knows(&self, peer: &VerifiedPeer) -> bool {
        self.daemon.caller(peer).is_some()
    }

    fn join(&self, peer: &VerifiedPeer, name: &str) -> Option<String> {
        let known = KnownPeer {
            name: name.to_owned(),
            id: peer.id(),
            addresses: Vec::new(),
            how: "join-token".to_owned(),
            added: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        };
        let added = self.daemon.peers.lock().add(known);
        match added {
            Ok(name) => {
                tracing::warn!(peer = %name, key = %peer.id().short(), "paired");
                self.daemon.pending.forget(&peer.id());
                self.daemon.note_pairing(peer, &name);
                self.daemon.acquainted.notify_one();
                Some(self.daemon.held().config.name.clone())
            }
            Err(error) => {
                tracing::error!(%error, "cannot keep a peer");
                None
            }
        }
    }

    fn knock(&self, peer: &VerifiedPeer, name: &str) {
        self.daemon.pending.add(peer, name);
    }

    fn refused(&self, peer: &VerifiedPeer, wish: &'static str) {
        self.daemon.note_stranger(peer, wish);
    }

    fn health(&self, peer: &VerifiedPeer, service: &str) -> Health {
        let caller = self.daemon.caller(peer);
        let sees = |module: &Module| caller.as_ref().is_some_and(|it| module.is_for(&it.name));
        self.daemon.health(service, sees)
    }

    fn jobs(&self, peer: &VerifiedPeer) -> Option<Arc<dyn ManageJobs>> {
        let caller = self.daemon.caller(peer)?;
        if !self.daemon.may_see_jobs(&caller) {
            let mut event = of_caller(&caller, "job.see", String::new());
            event.decision = "deny";
            drop(self.daemon.audit.record(&event));
            return None;
        }
        Some(Arc::new(Desk {
            jobs: Arc::clone(&self.jobs),
            caller: Some(caller),
        }))
    }

    async fn request(&self, peer: VerifiedPeer, stream: Stream) {
        let Some(caller) = self.daemon.caller(&peer) else {
            return;
        };
        match tokio::time::timeout(REQUEST_WAIT, Asked::accept(stream)).await {
            Ok(Ok((request, asked))) => self.answer(caller, request, asked).await,
            Ok(Err(error)) => tracing::info!(peer = %caller.name, %error, "no request"),
            Err(_) => tracing::info!(peer = %caller.name, "no request in time"),
        }
    }

    async fn lane_socket(&self, socket: LaneSocket) -> bool {
        // A stranger's handshake has cost something, whatever comes then.
        let is_known = match &socket {
            LaneSocket::Encrypted { peer, .. } => self.daemon.name_of(peer).is_some(),
            LaneSocket::Clear { .. } => true,
        };
        let bound = lanes::bind(&self.daemon, socket).await;
        self.daemon.bring(bound) && is_known
    }

    fn lane(&self, peer: &VerifiedPeer, opening: LaneOpening, stream: Stream) -> bool {
        let sessions = &self.daemon.sessions;
        sessions.is_of(&opening.session, peer.id()) && sessions.put(opening, stream)
    }
}

impl Gate {
    /// Answers on threads that reach nothing but the module which it is about.
    async fn answer(&self, caller: Caller, request: Request, asked: Asked) {
        let domain = match self.daemon.domain_of(&caller, &request) {
            Ok(domain) => domain,
            Err(error) => return asked.refuse(error).await,
        };
        // From those threads no name can be looked up, and this machine's key is out of reach.
        let fetching = match self.daemon.fetching(&caller, &request).await {
            Ok(fetching) => fetching,
            Err(error) => {
                let wish = self.daemon.wish_of(&request);
                return self.daemon.refuse(&caller, wish, error, asked).await;
            }
        };
        let daemon = Arc::clone(&self.daemon);
        let answer = async move { daemon.answer(&caller, (request, fetching), asked).await };
        match domain {
            None => answer.await,
            Some(domain) => {
                if let Err(lost) = domain.run(answer).await {
                    tracing::error!(%lost, "a request ended in the middle");
                }
            }
        }
    }
}
