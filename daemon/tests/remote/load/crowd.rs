//! Many machines that a daemon knows.

use std::{fmt::Write, sync::Arc};

use blit_control::{Client, ConnectError, Identity, NodeId, Peers};

use crate::bench::{HOST, Two};

/// A daemon, and machines that it knows beside the client of these two.
pub(crate) struct Crowd {
    pub(crate) two: Two,
    machines: Vec<Identity>,
    daemon: NodeId,
}

impl Crowd {
    pub(crate) fn of(machines: usize) -> Self {
        let mut two = Two::new();
        let state = |number| two.scratch.path(format!("machine{number}"));
        let machines =
            (0..machines).map(|number| Identity::load_or_create(&state(number)).unwrap());
        let machines: Vec<_> = machines.collect();
        two.daemon.kill();
        let known = two.scratch.path("daemon-state/peers.toml");
        let mut text = std::fs::read_to_string(&known).unwrap();
        for (number, machine) in machines.iter().enumerate() {
            let id = machine.id();
            write!(
                text,
                "\n[peer.machine{number}]\nid = \"{id}\"\nadded = \"2026-01-01T00:00:00Z\"\nhow = \"join-token\"\n"
            )
            .unwrap();
        }
        std::fs::write(&known, text).unwrap();
        let listen = format!("127.0.0.1:{}", two.daemon.port());
        two.daemon = Two::start(&two.scratch, &listen, &[]);
        let known = Peers::load(&two.scratch.path("client-state")).unwrap();
        Self {
            daemon: known.named(HOST).unwrap().id,
            two,
            machines,
        }
    }

    /// A new connection of that machine, whose lanes are sockets of their own.
    pub(crate) async fn client(&self, machine: usize) -> Client {
        let made = self.connect(machine, blit_bundled::Lanes::default()).await;
        made.unwrap()
    }

    /// A new connection of that machine, which carries everything.
    pub(crate) async fn another(&self, machine: usize) -> Result<Client, ConnectError> {
        let lanes = blit_bundled::Lanes {
            only_in_band: true,
            ..blit_bundled::Lanes::default()
        };
        self.connect(machine, lanes).await
    }

    async fn connect(
        &self,
        machine: usize,
        lanes: blit_bundled::Lanes,
    ) -> Result<Client, ConnectError> {
        let (machine, lanes) = (&self.machines[machine], Arc::new(lanes));
        let addresses = [self.two.daemon.address.clone()];
        Client::connect(machine, self.daemon, &addresses, lanes).await
    }
}
