//! The ways to open lanes between machines, the best first.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU32},
};

use blit_contract::{Connection, Offer, SecurityClass, SessionGrant};
use blit_lanes::{Ladder, LaneUse, MakeLanes, Rung, Sockets, Ways};

/// Opens lanes over whatever the daemon offers and this machine has: a Unix socket, TCP, or else the
/// control connection itself.
#[derive(Debug, Default)]
pub struct Lanes {
    /// Only the control connection is used: some sites let nothing else pass.
    pub only_in_band: bool,
    /// What the daemon offers to send in clear between machines is taken.
    pub may_be_clear: bool,
    /// What became of the ways.
    pub uses: Arc<LaneUse>,
}

impl MakeLanes for Lanes {
    fn connection(&self, grant: &SessionGrant, ways: Ways) -> Box<dyn Connection> {
        let next = Arc::default();
        let sockets = ways.sockets.filter(|_| !self.only_in_band);
        let rungs = sockets.iter().flat_map(|sockets| {
            let offers = grant.offers.iter();
            offers.filter_map(|offer| self.rung(offer, sockets, &next))
        });
        let ladder = Ladder::new(rungs.collect(), ways.in_band, Arc::clone(&self.uses));
        blit_transport_grpc::dialing(Arc::new(ladder), grant.id)
    }
}

impl Lanes {
    /// The way that is offered; `None` if this side does not have or does not want it.
    fn rung(&self, offer: &Offer, sockets: &Sockets, next: &Arc<AtomicU32>) -> Option<Rung> {
        let is_here = sockets.address.ip().is_loopback();
        let (keys, next) = (sockets.keys.clone(), Arc::clone(next));
        match (&*offer.endpoint.scheme, offer.security) {
            ("unix", SecurityClass::SameMachine) if is_here => {
                let path = Path::new(&offer.endpoint.authority);
                Some(Rung {
                    transport: "unix",
                    security: SecurityClass::SameMachine,
                    carrier: Arc::new(blit_transport_unix::Dialer::new(path, keys, next)),
                })
            }
            ("tcp", class) => {
                let dialer = match class {
                    SecurityClass::Encrypted => {
                        let tls = Arc::clone(&sockets.tls);
                        blit_transport_tcp::Dialer::encrypted(sockets.address, tls, keys, next)
                    }
                    SecurityClass::SameMachine if is_here => {
                        blit_transport_tcp::Dialer::in_clear(sockets.address, keys, next)
                    }
                    SecurityClass::TrustedNetwork if self.may_be_clear => {
                        blit_transport_tcp::Dialer::in_clear(sockets.address, keys, next)
                    }
                    _ => return None,
                };
                Some(Rung {
                    transport: "tcp",
                    security: class,
                    carrier: Arc::new(dialer),
                })
            }
            _ => None,
        }
    }
}
