//! `blit remote`: the machines that are known, by this user or by the daemon of this machine.

use blit_control::{
    Identity, KnownPeer, NodeId, Peers,
    management::{Change, PeerRow, Rename},
};
use clap::{Args, Subcommand};

use crate::{
    Lines, Places, Trouble, TroubleKind,
    daemon::{reach, refused},
};

/// What `blit remote` takes.
#[derive(Debug, Clone, Args)]
pub struct RemoteArgs {
    #[command(subcommand)]
    verb: RemoteVerb,
    /// The machines that this machine's daemon knows, not those that you reach
    #[arg(long, global = true)]
    daemon: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum RemoteVerb {
    /// Show the machines that are known
    List,
    /// Show where a name leads: a paired machine, one on the local network, or one in DNS
    Show {
        /// Which name
        name: String,
    },
    /// Know a machine by its key, without an invitation
    Add {
        /// What it is called here
        name: String,
        /// Its key, as `blit status` shows it there
        #[arg(value_name = "blit1…")]
        id: String,
        /// Where it listens, HOST:PORT; none for one that only comes here
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<String>,
    },
    /// Forget a machine; what it does with the daemon ends
    Remove {
        /// What it is called
        name: String,
    },
    /// Call a machine something else
    Rename {
        /// What it is called
        from: String,
        /// What it shall be called
        to: String,
    },
    /// Show the machines that ask the daemon to be known
    Pending,
    /// Let one of them in
    Accept {
        /// Its name or its key, as `blit remote pending` shows them
        who: String,
    },
}

/// Does what was typed.
///
/// # Errors
/// [`Trouble`]
pub async fn remote(places: &Places, args: &RemoteArgs) -> Lines {
    let change = match &args.verb {
        RemoteVerb::Pending => {
            let peers = reach(places).await?.peers().await.map_err(refused)?;
            return Ok(rows(&peers.pending));
        }
        RemoteVerb::List if args.daemon => {
            let peers = reach(places).await?.peers().await.map_err(refused)?;
            return Ok(rows(&peers.known));
        }
        RemoteVerb::List => return Ok(rows(&own(places)?)),
        RemoteVerb::Show { name } => return crate::network::show(places, name).await,
        RemoteVerb::Accept { who } => Change::Accept(who.clone()),
        RemoteVerb::Add {
            name,
            id,
            addresses,
        } => Change::Add(PeerRow {
            name: name.clone(),
            id: id.clone(),
            addresses: addresses.clone(),
            ..PeerRow::default()
        }),
        RemoteVerb::Remove { name } => Change::Remove(name.clone()),
        RemoteVerb::Rename { from, to } => Change::Rename(Rename {
            from: from.clone(),
            to: to.clone(),
        }),
    };
    let of_daemon = args.daemon || matches!(change, Change::Accept(_));
    let name = match of_daemon {
        true => {
            let mut daemon = reach(places).await?;
            daemon.change_peers(change).await.map_err(refused)?
        }
        false => change_own(places, change)?,
    };
    Ok(vec![name])
}

fn rows(peers: &[PeerRow]) -> Vec<String> {
    let row = |peer: &PeerRow| {
        let addresses = peer.addresses.join(", ");
        format!("{}\t{}\t{addresses}\t{}", peer.name, peer.id, peer.how)
    };
    peers.iter().map(row).collect()
}

fn load(places: &Places) -> Result<Peers, Trouble> {
    Peers::load(&places.state).map_err(|error| state(&error))
}

fn state(error: &dyn std::error::Error) -> Trouble {
    Trouble::new(TroubleKind::State, error.to_string())
}

fn own(places: &Places) -> Result<Vec<PeerRow>, Trouble> {
    Ok(load(places)?.iter().map(PeerRow::from).collect())
}

/// What the machine is called now.
fn change_own(places: &Places, change: Change) -> Result<String, Trouble> {
    let mut peers = load(places)?;
    let wrong = |text: String| Trouble::new(TroubleKind::Peer, text).next("see: blit remote list");
    match change {
        Change::Add(row) => add(&mut peers, row.name, &row.id, row.addresses),
        Change::Remove(name) => match peers.remove(&name) {
            Ok(true) => Ok(name),
            Ok(false) => Err(wrong(format!("no machine is called {name:?}"))),
            Err(error) => Err(state(&error)),
        },
        Change::Rename(names) => {
            let renamed = peers.rename(&names.from, &names.to);
            renamed.map_err(|error| wrong(error.to_string()))?;
            Ok(names.to)
        }
        Change::Accept(_) => Err(wrong("only a daemon accepts".to_owned())),
    }
}

fn add(
    peers: &mut Peers,
    name: String,
    id: &str,
    addresses: Vec<String>,
) -> Result<String, Trouble> {
    let id: NodeId = id.parse().map_err(|error: blit_control::BadNodeId| {
        Trouble::new(TroubleKind::Peer, format!("{id:?} is {error}"))
            .next("blit status shows it there")
    })?;
    let peer = KnownPeer {
        name,
        id,
        addresses,
        how: "fingerprint".to_owned(),
        added: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
    };
    peers.add(peer).map_err(|error| state(&error))
}

/// Knows the machine at `address` by its key, and asks it to know this one, which calls itself
/// `own_name`. Answers what to do next.
///
/// # Errors
/// [`Trouble`] of our own; whatever `blit_control` says of the other machine.
pub async fn pair_by_id(
    places: &Places,
    name: &str,
    id: &str,
    address: String,
    own_name: &str,
) -> Result<Result<Vec<String>, blit_control::ConnectError>, Trouble> {
    let identity = Identity::load_or_create(&places.state).map_err(|error| state(&error))?;
    let mut peers = load(places)?;
    let name = add(&mut peers, name.to_owned(), id, vec![address.clone()])?;
    let Some(peer) = peers.named(&name) else {
        return Err(Trouble::new(TroubleKind::Peer, "it is not there"));
    };
    let knocked = blit_control::knock(&identity, own_name, peer.id, &[address]).await;
    Ok(knocked.map(|_| {
        vec![
            format!("This machine knows {name} now (key {}).", peer.id.short()),
            format!(
                "On {name}, its administrator lets this machine in with: blit remote accept {}",
                identity.id()
            ),
        ]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (tempfile::TempDir, Places) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            state: folder.path().join("user"),
            daemon_state: folder.path().join("daemon"),
        };
        (folder, places)
    }

    fn args(verb: RemoteVerb) -> RemoteArgs {
        RemoteArgs {
            verb,
            daemon: false,
        }
    }

    #[tokio::test]
    async fn a_machine_is_added_shown_renamed_and_removed() {
        let (_folder, places) = places();
        let id = NodeId::from_bytes([7; 32]).to_string();
        let add = RemoteVerb::Add {
            name: "nas".to_owned(),
            id: id.clone(),
            addresses: vec!["nas:9031".to_owned()],
        };
        assert_eq!(remote(&places, &args(add)).await.unwrap(), ["nas"]);
        let rename = RemoteVerb::Rename {
            from: "nas".to_owned(),
            to: "store".to_owned(),
        };
        remote(&places, &args(rename)).await.unwrap();
        let listed = remote(&places, &args(RemoteVerb::List)).await.unwrap();
        assert_eq!(listed, [format!("store\t{id}\tnas:9031\tfingerprint")]);
        let remove = |name: &str| {
            args(RemoteVerb::Remove {
                name: name.to_owned(),
            })
        };
        assert!(remote(&places, &remove("nas")).await.is_err());
        remote(&places, &remove("store")).await.unwrap();
        assert!(
            remote(&places, &args(RemoteVerb::List))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused_and_who_waits_needs_a_daemon() {
        let (_folder, places) = places();
        let add = RemoteVerb::Add {
            name: "nas".to_owned(),
            id: "blit1nonsense".to_owned(),
            addresses: Vec::new(),
        };
        let trouble = remote(&places, &args(add)).await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::Peer);
        let pending = remote(&places, &args(RemoteVerb::Pending)).await;
        assert_eq!(pending.unwrap_err().kind, TroubleKind::NoDaemon);
    }
}
