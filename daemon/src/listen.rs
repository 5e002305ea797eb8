//! Binds, says where, and waits until it is to stop.

use std::{sync::Arc, time::Duration};

use blit_control::{Identity, Invitations, Peers, Server};
use eyre::{WrapErr, eyre};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{config::Config, failure::Failure, lanes::UnixDoor, modules, say, serve::Daemon};

/// How long sessions may go on after the wish to stop.
const DRAIN: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(config: Config) -> Result<(), Failure> {
    if config.modules.is_empty() {
        return Err(Failure::config("usage.flag", "nothing to export"));
    }
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("BLIT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(serve(config))?)
}

async fn serve(config: Config) -> eyre::Result<()> {
    let identity = Identity::load_or_create(&config.state)?;
    let peers = Peers::load(&config.state)?;
    let modules = modules::open(&config.modules)?;
    let listeners = bind(&config.listen).await?;
    let addresses: Vec<String> = listeners
        .iter()
        .filter_map(|listener| Some(listener.local_addr().ok()?.to_string()))
        .collect();
    let key = identity.id().short();
    say(&format!(
        "{} · key {key} · listening on {}",
        config.name,
        addresses.join(", ")
    ));
    for module in &modules {
        let (config, shown) = (&module.config, module.shown());
        let access = access_words(shown.access);
        say(&format!(
            "{} → {} ({access})",
            config.name,
            config.path.display()
        ));
    }
    invite_the_first(&config, &identity, &peers, &addresses)?;
    let stop = Arc::new(Notify::new());
    let unix = UnixDoor::open(&config.state);
    let path = unix.as_ref().map(UnixDoor::path);
    let daemon = Arc::new(Daemon::new(config.clone(), modules, peers, path));
    let here = unix.map(|unix| tokio::spawn(unix.serve(Arc::clone(&daemon))));
    let mut serving = tokio::task::JoinSet::new();
    for listener in listeners {
        let invitations = Invitations::of(&config.state);
        let server = Server::new(listener, &identity, invitations)?;
        let (daemon, stop) = (Arc::clone(&daemon), Arc::clone(&stop));
        serving.spawn(async move {
            server
                .serve(daemon, async move { stop.notified().await })
                .await
        });
    }
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        ended = serving.join_next() => {
            return match ended {
                Some(ended) => Err(eyre!("a listener ended: {ended:?}")),
                None => Ok(()),
            };
        }
    }
    stop.notify_waiters();
    if let Some(here) = here {
        here.abort();
    }
    let drained = tokio::time::timeout(DRAIN, daemon.drained()).await;
    if drained.is_err() {
        say("sessions were stopped; running them again continues");
    }
    Ok(())
}

async fn bind(listen: &[String]) -> eyre::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in listen {
        let listener = TcpListener::bind(address).await;
        listeners.push(listener.wrap_err_with(|| format!("cannot listen on {address}"))?);
    }
    Ok(listeners)
}

/// While nobody is paired there is nothing to do but to let somebody in.
fn invite_the_first(
    config: &Config,
    identity: &Identity,
    peers: &Peers,
    addresses: &[String],
) -> eyre::Result<()> {
    if peers.iter().next().is_some() {
        say("ready");
        return Ok(());
    }
    let invitations = Invitations::of(&config.state);
    let invitation = invitations.invite(identity.id(), addresses.to_vec())?;
    say("To let another machine in, run there within 15 minutes:");
    let (name, port) = (&config.name, port_of(addresses));
    say(&format!("  blit pair {name}{port} {invitation}"));
    Ok(())
}

/// `:PORT` if it is not the usual one.
fn port_of(addresses: &[String]) -> String {
    let port = addresses
        .first()
        .and_then(|address| address.rsplit_once(':'))
        .map(|(_, port)| port);
    match port {
        Some("9031") | None => String::new(),
        Some(port) => format!(":{port}"),
    }
}

fn access_words(access: blit_wire::Access) -> &'static str {
    match access {
        blit_wire::Access::ReadOnly => "read-only",
        blit_wire::Access::AddOnly => "add-only",
        blit_wire::Access::ReadWrite => "read-write",
    }
}
