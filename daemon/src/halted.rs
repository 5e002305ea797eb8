//! A daemon that cannot believe what it knows of itself and its peers. It listens nowhere, makes nothing
//! anew in place of what is broken, and tells its administrator why, until that is repaired.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use blit_control::{
    Health, Identity, JobRefusal, LocalServer, Manage, ManageJobs, Peers, Told,
    jobs::{JobRow, JobSpec, JobState, StartJobReply},
    management::{
        ChangePeersReply, ChangePeersRequest, InviteReply, PeersReply, ReloadReply, StatusReply,
    },
    socket_of,
};
use parking_lot::Mutex;

use crate::{
    condition::Condition,
    config::Config,
    failure::Failure,
    listen::{Stop, bind_local},
    notify, say,
};

/// How often it is looked whether it was repaired.
const BEAT: Duration = Duration::from_secs(1);

/// Waits until the key and the peers in the state directory can be read; answers `false` if the daemon is
/// to end first.
pub(crate) async fn wait_until_trusted(config: &Config) -> Result<bool, Failure> {
    let Some(why) = distrust(&config.state) else {
        return Ok(true);
    };
    let mut wish = Stop::new()?;
    let halted = Arc::new(Halted {
        name: config.name.clone(),
        why: Mutex::new(why),
    });
    let socket = socket_of(&config.state);
    let local: LocalServer = bind_local(&socket)?;
    let serving = tokio::spawn(local.serve(
        Manager(Arc::clone(&halted), config.clone()),
        std::future::pending(),
    ));
    let told = halted.condition().to_string();
    tracing::error!(slug = "state.broken", "{told}");
    say(&told);
    say("next: repair the file, or put an earlier generation of it in its place");
    notify::ready(&told);
    let mut beat = tokio::time::interval(BEAT);
    let is_trusted = loop {
        tokio::select! {
            () = wish.wished() => break false,
            _ = beat.tick() => match distrust(&config.state) {
                None => break true,
                Some(why) => *halted.why.lock() = why,
            },
        }
        notify::alive(&told);
    };
    serving.abort();
    Ok(is_trusted)
}

/// Why what is in this state directory cannot be believed. What is not there yet is made when it is needed.
fn distrust(state: &Path) -> Option<String> {
    let peers = Peers::load(state).err().map(|error| error.to_string());
    let why = peers.or_else(|| {
        let identity = Identity::load(state);
        identity.err().map(|error| error.to_string())
    });
    // The rest shows the place in the file.
    why.map(|why| why.lines().next().unwrap_or_default().to_owned())
}

struct Halted {
    name: String,
    why: Mutex<String>,
}

impl Halted {
    fn condition(&self) -> Condition {
        Condition::SafeHalt(self.why.lock().clone())
    }
}

struct Manager(Arc<Halted>, Config);

impl Manager {
    fn refusal<T>(&self) -> Result<T, String> {
        Err(self.0.condition().to_string())
    }
}

#[async_trait]
impl Manage for Manager {
    async fn status(&self) -> StatusReply {
        StatusReply {
            name: self.0.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            troubles: vec![self.0.condition().to_string()],
            ..StatusReply::default()
        }
    }

    fn health(&self, _: &str) -> Health {
        Health::NotServing
    }

    async fn reload(&self) -> Result<ReloadReply, String> {
        match distrust(&self.1.state) {
            None => Ok(ReloadReply {
                notes: vec!["it serves again in a moment".to_owned()],
            }),
            Some(why) => {
                *self.0.why.lock() = why;
                self.refusal()
            }
        }
    }

    async fn invite(&self) -> Result<InviteReply, String> {
        self.refusal()
    }

    async fn peers(&self) -> PeersReply {
        PeersReply::default()
    }

    async fn change_peers(&self, _: ChangePeersRequest) -> Result<ChangePeersReply, String> {
        self.refusal()
    }

    fn jobs(&self) -> Arc<dyn ManageJobs> {
        Arc::new(NoJobs(Arc::clone(&self.0)))
    }
}

struct NoJobs(Arc<Halted>);

impl NoJobs {
    fn refusal<T>(&self) -> Result<T, JobRefusal> {
        Err(JobRefusal::Lost(self.0.condition().to_string()))
    }
}

/// None is taken over, and none that is remembered is told of before it is clear whose they are.
#[async_trait]
impl ManageJobs for NoJobs {
    async fn start(&self, _: JobSpec) -> Result<StartJobReply, JobRefusal> {
        self.refusal()
    }

    async fn all(&self) -> Result<Vec<JobRow>, JobRefusal> {
        Ok(Vec::new())
    }

    async fn watch(&self, _: &str) -> Result<Told, JobRefusal> {
        self.refusal()
    }

    async fn cancel(&self, _: &str) -> Result<JobState, JobRefusal> {
        self.refusal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_no_reason_to_halt_and_what_is_broken_is() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(distrust(state.path()), None);
        assert!(!state.path().join("identity").exists(), "a key was made");
        Identity::load_or_create(state.path()).unwrap();
        assert_eq!(distrust(state.path()), None);
        let key = state.path().join("identity/node.key");
        std::fs::write(&key, "something else").unwrap();
        assert!(distrust(state.path()).unwrap().contains("node.key"));
    }
}
