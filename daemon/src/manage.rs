//! What the administrator of this machine may ask over the local socket.

use std::sync::Arc;

use async_trait::async_trait;
use blit_control::{
    Health, Invitations, KnownPeer, Manage, ManageJobs,
    management::{
        Change, ChangePeersReply, ChangePeersRequest, InviteReply, ModuleState, PeerRow,
        PeersReply, ReloadReply, StatusReply,
    },
};

use crate::{
    audit::by_admin,
    condition,
    jobs::Desk,
    listen::{Node, access_words, port_of},
    pending::now,
};

/// Does it.
pub(crate) struct Manager(pub(crate) Arc<Node>);

#[async_trait]
impl Manage for Manager {
    fn jobs(&self) -> Arc<dyn ManageJobs> {
        Arc::new(Desk {
            jobs: Arc::clone(&self.0.jobs),
            caller: None,
        })
    }

    async fn status(&self) -> StatusReply {
        let daemon = &self.0.daemon;
        let held = daemon.held();
        let mut modules = Vec::new();
        for module in &held.modules {
            modules.push(ModuleState {
                name: module.config.name.clone(),
                path: module.config.path.display().to_string(),
                access: access_words(module.config.access).to_owned(),
                state: condition::of_module(module).await,
                security: module.config.trusted.to_string(),
            });
        }
        StatusReply {
            name: held.config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            id: self.0.identity.id().to_string(),
            addresses: self.0.doors.lock().await.addresses(),
            uptime_secs: daemon.started.elapsed().as_secs(),
            sessions: count(daemon.sessions.len()),
            jobs: count(self.0.jobs.book.running()),
            modules,
            peers: count(daemon.peers.lock().iter().count()),
            pending: count(daemon.pending.all().len()),
            troubles: daemon
                .conditions()
                .iter()
                .map(ToString::to_string)
                .collect(),
            confinement: daemon.confinement.in_a_line(),
        }
    }

    fn health(&self, service: &str) -> Health {
        self.0.daemon.health(service, |_| true)
    }

    async fn reload(&self) -> Result<ReloadReply, String> {
        let notes = self.0.reload().map_err(|failure| failure.told())?;
        self.0.settle().await;
        Ok(ReloadReply { notes })
    }

    async fn invite(&self) -> Result<InviteReply, String> {
        let held = self.0.daemon.held();
        let invite = |addresses| {
            let invitations = Invitations::of(&held.config.state);
            invitations.invite(self.0.identity.id(), addresses)
        };
        // The doors open for the invitation; it names where they then are.
        let addresses = self.0.doors.lock().await.addresses();
        let invitation = invite(addresses.clone()).map_err(|error| error.to_string())?;
        self.0.settle().await;
        drop(self.0.daemon.audit.record(&by_admin("peer.invite", "")));
        Ok(InviteReply {
            invitation: invitation.to_string(),
            host: format!("{}{}", held.config.name, port_of(&addresses)),
        })
    }

    async fn peers(&self) -> PeersReply {
        let peers = self.0.daemon.peers.lock();
        PeersReply {
            known: peers.iter().map(PeerRow::from).collect(),
            pending: self
                .0
                .daemon
                .pending
                .all()
                .iter()
                .map(PeerRow::from)
                .collect(),
        }
    }

    async fn change_peers(&self, request: ChangePeersRequest) -> Result<ChangePeersReply, String> {
        let change = request.change.ok_or("nothing is to be changed")?;
        let (action, name) = self.change(change)?;
        drop(self.0.daemon.audit.record(&by_admin(action, name.clone())));
        self.0.daemon.drop_strangers();
        self.0.settle().await;
        Ok(ChangePeersReply { name })
    }
}

impl Manager {
    /// What was done, and what the machine is called now.
    fn change(&self, change: Change) -> Result<(&'static str, String), String> {
        let daemon = &self.0.daemon;
        let mut peers = daemon.peers.lock();
        match change {
            Change::Accept(who) => {
                let waiting = daemon.pending.find(&who);
                let mut peer = waiting.ok_or_else(|| format!("no machine waits as {who:?}"))?;
                let id = peer.id;
                // It comes here; nobody goes there.
                peer.addresses.clear();
                let name = peers.add(peer).map_err(|error| error.to_string())?;
                daemon.pending.forget(&id);
                Ok(("peer.accept", name))
            }
            Change::Add(row) => {
                let id = row.id.parse();
                let peer = KnownPeer {
                    id: id.map_err(|error: blit_control::BadNodeId| error.to_string())?,
                    name: row.name,
                    addresses: row.addresses,
                    how: "fingerprint".to_owned(),
                    added: now(),
                };
                daemon.pending.forget(&peer.id);
                let name = peers.add(peer).map_err(|error| error.to_string())?;
                Ok(("peer.add", name))
            }
            Change::Remove(name) => match peers.remove(&name) {
                Ok(true) => Ok(("peer.remove", name)),
                Ok(false) => Err(format!("no machine is called {name:?}")),
                Err(error) => Err(error.to_string()),
            },
            Change::Rename(names) => {
                let renamed = peers.rename(&names.from, &names.to);
                renamed.map_err(|error| error.to_string())?;
                Ok(("peer.rename", names.to))
            }
        }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
