//! The transport itself: what it proposes, and how two sides find each other.

use std::time::Duration;

use async_trait::async_trait;
use blit_contract::{
    Connection, Cost, Cx, Descriptor, Endpoint, Error, ErrorKind, Hints, Listener, Offer, Result,
    SecurityClass, Transport, TransportCap, TransportCaps,
};

use crate::{MemConfig, connect::pair_at, listen};

pub(crate) static DESCRIPTOR: Descriptor =
    Descriptor::new("transport-mem", env!("CARGO_PKG_VERSION"), &[SCHEME]);

pub(crate) const SCHEME: &str = "mem";

pub(crate) const CAPS: TransportCaps = TransportCaps::new().with_native(&[
    TransportCap::HalfClose,
    TransportCap::MultiStream,
    TransportCap::Objects,
    TransportCap::Reset,
]);

/// Connects tasks of one process. Its endpoints are names: `mem://NAME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemTransport {
    config: MemConfig,
}

impl MemTransport {
    /// A transport that behaves like that.
    #[must_use]
    pub fn new(config: MemConfig) -> Self {
        Self { config }
    }
}

#[async_trait]
impl Transport for MemTransport {
    fn descriptor(&self) -> &Descriptor {
        &DESCRIPTOR
    }

    async fn offers(&self, cx: &Cx, endpoint: &Endpoint, hints: &Hints) -> Result<Vec<Offer>> {
        cx.check()?;
        if endpoint.scheme != SCHEME || !CAPS.covers(&hints.require) {
            return Ok(Vec::new());
        }
        let mut offer = Offer::new(endpoint.clone(), CAPS, SecurityClass::SameMachine);
        offer.limits = self.config.limits();
        // A chunk costs a lock and a wake-up, whatever its size: the bytes are not copied.
        offer.cost = Cost {
            setup: Duration::ZERO,
            per_op: Duration::from_micros(1),
            bytes_per_sec: 0.0,
        };
        Ok(vec![offer])
    }

    async fn listen(&self, cx: &Cx, offer: &Offer) -> Result<Box<dyn Listener>> {
        cx.check()?;
        Ok(Box::new(listen::open(&offer.endpoint.authority)?))
    }

    async fn connect(&self, cx: &Cx, offer: &Offer) -> Result<Box<dyn Connection>> {
        cx.check()?;
        let name = &offer.endpoint.authority;
        let unreachable = || {
            Error::new(ErrorKind::Unreachable, "connect")
                .because(format!("nobody listens at mem://{name}"))
        };
        let arrivals = listen::find(name).ok_or_else(unreachable)?;
        let (here, there) = pair_at(name, self.config);
        arrivals
            .send(Box::new(there))
            .await
            .map_err(|_| unreachable())?;
        Ok(Box::new(here))
    }
}
