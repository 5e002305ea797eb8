//! `blit scan` and `blit remote show`: who is on the local network, and where a name leads.

use blit_config::Period;
use blit_control::{KnownPeer, PORT, Peers};
use blit_discover::{DiscoverError, Neighbour, Neighbours};
use clap::Args;

use crate::{Lines, Places, Trouble, TroubleKind};

/// What `blit scan` takes.
#[derive(Debug, Clone, Args)]
pub struct ScanArgs {
    /// How long to listen for answers
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    wait: Period,
}

/// A daemon on the local network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it says.
    pub neighbour: Neighbour,
    /// What it may be known as. Only a connection proves that it is.
    pub known_as: Option<String>,
}

impl Seen {
    fn new(neighbour: &Neighbour, peers: &Peers) -> Self {
        let known = peers.iter().find(|it| neighbour.may_hold(&it.id.short()));
        Self {
            neighbour: neighbour.clone(),
            known_as: known.map(|peer| peer.name.clone()),
        }
    }

    /// For people: what it is to this machine.
    #[must_use]
    pub fn relation(&self) -> String {
        match &self.known_as {
            Some(name) => format!("paired as {name}"),
            None => "not paired".to_owned(),
        }
    }
}

/// Who answers on the local network, by name.
///
/// # Errors
/// [`Trouble`]
pub async fn scan(places: &Places, args: &ScanArgs) -> Result<Vec<Seen>, Trouble> {
    let peers = known(places)?;
    let found = blit_discover::scan(args.wait.duration, |_| false).await;
    let found = found.map_err(|error| unheard(&error))?;
    Ok(found.iter().map(|it| Seen::new(it, &peers)).collect())
}

/// Where a name leads, in the order in which it is asked: paired machines, the local network, DNS.
///
/// # Errors
/// [`Trouble`] if it leads nowhere.
pub(crate) async fn show(places: &Places, name: &str) -> Lines {
    let peers = known(places)?;
    let wait = std::time::Duration::from_secs(2);
    // Without multicast nobody answers.
    let near = blit_discover::scan(wait, |_| false)
        .await
        .unwrap_or_default();
    if let Some(peer) = peers.named(name) {
        return Ok(paired(peer, &near));
    }
    let called_so: Vec<String> = near.named(name).map(ToString::to_string).collect();
    if !called_so.is_empty() {
        let mut lines = vec![format!(
            "{name} is announced on the local network, and not paired"
        )];
        lines.extend(called_so);
        return Ok(lines);
    }
    let resolved = tokio::net::lookup_host((name, PORT)).await;
    let resolved: Vec<String> = match resolved {
        Ok(found) => found.map(|it| it.ip().to_string()).collect(),
        Err(_) => Vec::new(),
    };
    match resolved.is_empty() {
        false => Ok(vec![format!(
            "{name} is in DNS, and not paired: {}",
            resolved.join(", ")
        )]),
        true => {
            let text = format!(
                "cannot find a machine called {name:?}: not paired, not announced on the local \
                 network, not in DNS"
            );
            Err(Trouble::new(TroubleKind::Peer, text).next("see: blit list, or: blit scan"))
        }
    }
}

fn paired(peer: &KnownPeer, near: &Neighbours) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} is paired, by {} since {}",
            peer.name, peer.how, peer.added
        ),
        format!("key        {}", peer.id),
        format!("addresses  {}", peer.addresses.join(", ")),
    ];
    let alike = near.iter().filter(|it| it.may_hold(&peer.id.short()));
    lines.extend(alike.map(|it| format!("announced  {it}")));
    lines
}

fn known(places: &Places) -> Result<Peers, Trouble> {
    let peers = Peers::load(&places.state);
    peers.map_err(|error| Trouble::new(TroubleKind::State, error.to_string()))
}

fn unheard(error: &DiscoverError) -> Trouble {
    Trouble::new(TroubleKind::NoDaemon, error.to_string())
        .next("is there a network, and may UDP port 5353 be used?")
}

#[cfg(test)]
mod tests {
    use blit_control::NodeId;
    use blit_discover::Record;

    use super::*;

    fn neighbours(name: &str, id: &str) -> Neighbours {
        let mut found = Neighbours::default();
        let text = [("txtvers", "1"), ("proto", "1-1"), ("id", id)];
        let text = text.map(|(key, value)| (key.to_owned(), value.into()));
        found.add(&Record {
            fullname: format!("{name}._blit._tcp.local."),
            port: PORT,
            addresses: vec![[192, 0, 2, 7].into()],
            text: text.into(),
        });
        found
    }

    fn peer(name: &str, key: u8) -> KnownPeer {
        KnownPeer {
            name: name.to_owned(),
            id: NodeId::from_bytes([key; 32]),
            addresses: vec!["nas:9031".to_owned()],
            how: "fingerprint".to_owned(),
            added: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn a_neighbour_is_known_by_its_key_and_not_by_its_name() {
        let state = tempfile::tempdir().unwrap();
        let mut peers = Peers::load(state.path()).unwrap();
        peers.add(peer("nas", 0)).unwrap();
        let seen = |name, id| Seen::new(neighbours(name, id).iter().next().unwrap(), &peers);
        assert_eq!(seen("other", "AAAAAAAA").relation(), "paired as nas");
        assert_eq!(seen("nas", "BBBBBBBB").relation(), "not paired");
    }

    #[test]
    fn a_paired_machine_is_shown_with_where_it_announces_itself() {
        let lines = paired(&peer("nas", 0), &neighbours("moved", "AAAAAAAA"));
        assert_eq!(lines[3], "announced  moved\tAAAAAAAA\t192.0.2.7:9031");
        assert_eq!(
            paired(&peer("nas", 0), &neighbours("nas", "BBBBBBBB")).len(),
            3
        );
    }
}
