//! What the local network is told: that the daemon is there, while there is something to have and somebody
//! who may come from elsewhere.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use blit_discover::{Announcement, Announcer};

use crate::listen::Node;

/// How long nothing is told after somebody has flooded whoever tells it.
const SILENCE: Duration = Duration::from_secs(60);

/// What is told now, and who tells it.
#[derive(Default)]
pub(crate) struct Beacon {
    told: Option<Announcement>,
    /// Nobody, if the network takes it from nobody.
    announcer: Option<Announcer>,
    silent_until: Option<Instant>,
}

impl Beacon {
    /// Tells this from now on, or nothing. Called now and then, it looks after whoever tells it.
    pub(crate) fn set(&mut self, wanted: Option<Announcement>) {
        if self.announcer.as_mut().is_some_and(Announcer::is_flooded) {
            tracing::warn!(
                slug = "mdns.flooded",
                "nobody is told for a while that it is there"
            );
            (self.told, self.announcer) = (None, None);
            self.silent_until = Some(Instant::now() + SILENCE);
        }
        let is_silent = self
            .silent_until
            .is_some_and(|until| Instant::now() < until);
        if self.told == wanted || (is_silent && wanted.is_some()) {
            return;
        }
        // It says goodbye before something else is told of the same machine.
        self.announcer = None;
        self.announcer = wanted.as_ref().and_then(|told| {
            let announcer = Announcer::start(told);
            announcer
                .inspect_err(|error| tracing::warn!(%error, "nobody is told that it is there"))
                .ok()
        });
        self.told = wanted;
    }
}

impl Node {
    /// What is to be told of a daemon that listens there; nothing, if no other machine can come.
    pub(crate) fn announcement(&self, listening: &[SocketAddr]) -> Option<Announcement> {
        let held = self.daemon.held();
        let reachable = || listening.iter().filter(|it| !it.ip().is_loopback());
        let port = reachable().next()?.port();
        let addresses: Vec<IpAddr> = reachable()
            .filter(|it| it.port() == port)
            .map(SocketAddr::ip)
            .collect();
        let is_everywhere = addresses.iter().any(IpAddr::is_unspecified);
        let is_told = held.config.is_announced && self.is_wide();
        is_told.then(|| Announcement {
            name: held.config.name.clone(),
            short_id: self.identity.id().short(),
            versions: blit_wire::VERSIONS,
            port,
            addresses: if is_everywhere { Vec::new() } else { addresses },
        })
    }
}
