//! The daemon of this machine: how it goes, and whom it invites.

use blit_config::units;
use blit_control::{Identity, Invitations, LocalClient, management::StatusReply, sockets};

use crate::{Lines, Places, Trouble, TroubleKind};

/// Reaches the daemon of this machine, over its socket.
///
/// # Errors
/// If none answers.
pub async fn reach(places: &Places) -> Result<LocalClient, Trouble> {
    let found = LocalClient::reach(&sockets(&places.daemon_state)).await;
    found.ok_or_else(|| {
        Trouble::new(TroubleKind::NoDaemon, "no daemon of this machine answers")
            .next("start one: blit-daemon --module photos=/srv/photos")
    })
}

pub(crate) fn refused(told: String) -> Trouble {
    Trouble::new(TroubleKind::Peer, told)
}

/// How the daemon of this machine goes.
///
/// # Errors
/// If none answers.
pub async fn status(places: &Places) -> Lines {
    let status = reach(places).await?.status().await.map_err(refused)?;
    Ok(told(&status))
}

fn told(status: &StatusReply) -> Vec<String> {
    let uptime = std::time::Duration::from_secs(status.uptime_secs);
    let mut lines = vec![
        format!(
            "{} · blit-daemon {} · up {}",
            status.name,
            status.version,
            units::duration(uptime)
        ),
        format!("key        {}", status.id),
        format!("listening  {}", status.addresses.join(", ")),
        format!(
            "running    {} sessions, {} jobs · {} machines known, {} waiting",
            status.sessions, status.jobs, status.peers, status.pending
        ),
    ];
    if !status.confinement.is_empty() {
        lines.push(format!("confined   {}", status.confinement));
    }
    for module in &status.modules {
        let clear = match module.security.as_str() {
            "" => String::new(),
            networks => format!(" · in clear within {networks}"),
        };
        lines.push(format!(
            "module     {} → {} ({}, {}){clear}",
            module.name, module.path, module.access, module.state
        ));
    }
    lines.extend(
        status
            .troubles
            .iter()
            .map(|trouble| format!("trouble    {trouble}")),
    );
    lines
}

/// A line to paste on another machine. A daemon that runs makes it; for one that does not, it lies in its
/// state directory when it starts.
///
/// # Errors
/// If there is no daemon, or it does not want to.
pub async fn invite(places: &Places) -> Result<String, Trouble> {
    if let Ok(mut daemon) = reach(places).await {
        let invited = daemon.invite().await.map_err(refused)?;
        return Ok(format!("blit pair {} {}", invited.host, invited.invitation));
    }
    let state = &places.daemon_state;
    if !state.join("identity").exists() {
        let text = format!(
            "no daemon of this user has run yet: nothing is in {}",
            state.display()
        );
        return Err(Trouble::new(TroubleKind::NoDaemon, text)
            .next("start one first: blit-daemon --module photos=/srv/photos"));
    }
    let unreadable =
        |error: &dyn std::error::Error| Trouble::new(TroubleKind::State, error.to_string());
    let identity = Identity::load_or_create(state).map_err(|error| unreadable(&error))?;
    let invitations = Invitations::of(state);
    let invitation = invitations.invite(identity.id(), Vec::new());
    let invitation = invitation.map_err(|error| unreadable(&error))?;
    Ok(format!("blit pair HOST {invitation}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_daemon_the_next_step_is_to_start_one() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            state: folder.path().join("user"),
            daemon_state: folder.path().join("daemon"),
        };
        let trouble = invite(&places).await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::NoDaemon);
        assert!(trouble.next.unwrap().contains("blit-daemon"));
        // One that has run, and does not now.
        Identity::load_or_create(&places.daemon_state).unwrap();
        let line = invite(&places).await.unwrap();
        assert!(line.starts_with("blit pair HOST blit-join-"), "{line}");
    }
}
