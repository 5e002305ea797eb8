//! `blit-daemon healthcheck`: whether the daemon that runs can serve.

use blit_config::Exit;
use blit_control::{LocalClient, management::StatusReply, socket_of, sockets};

use crate::{config::Config, failure::Failure, say};

/// Asks it over its socket.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut places = vec![socket_of(&config.state)];
        places.extend(sockets(&config.state));
        let none = || sick("no daemon with this state directory runs");
        let mut client = LocalClient::reach(&places).await.ok_or_else(none)?;
        let status = client.status().await.map_err(|told| sick(&told))?;
        match trouble(&status) {
            None => {
                say("healthy");
                Ok(())
            }
            Some(why) => Err(sick(&why)),
        }
    })
}

/// Why nothing, or not everything, can be served.
fn trouble(status: &StatusReply) -> Option<String> {
    if let Some(trouble) = status.troubles.first() {
        return Some(trouble.clone());
    }
    if status.addresses.is_empty() {
        return Some("it listens nowhere".to_owned());
    }
    let is_online = status
        .modules
        .iter()
        .any(|module| module.state.starts_with("online"));
    let offline = || format!("none of its {} modules is online", status.modules.len());
    (!is_online).then(offline)
}

/// One code for all of it, as whoever looks after containers expects.
fn sick(why: &str) -> Failure {
    Failure::new(
        "daemon.unhealthy",
        Exit::Failed,
        format!("unhealthy: {why}"),
    )
    .next("see more: blit status")
}

#[cfg(test)]
mod tests {
    use blit_control::management::ModuleState;

    use super::*;

    #[test]
    fn healthy_is_who_listens_has_a_module_online_and_no_trouble() {
        let module = |state: &str| ModuleState {
            state: state.to_owned(),
            ..ModuleState::default()
        };
        let mut status = StatusReply {
            addresses: vec!["127.0.0.1:9031".to_owned()],
            modules: vec![module("gone"), module("online")],
            ..StatusReply::default()
        };
        assert_eq!(trouble(&status), None);
        status.modules.pop();
        assert!(trouble(&status).unwrap().contains("online"));
        status.troubles.push("the audit log".to_owned());
        assert_eq!(trouble(&status).unwrap(), "the audit log");
    }
}
