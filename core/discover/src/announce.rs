//! A daemon tells the local network that it is there.

use std::{net::IpAddr, time::Duration};

use mdns_sd::{Metrics, Receiver, ServiceDaemon, ServiceInfo};

use crate::{DiscoverError, ID_CHARACTERS, Neighbour, SERVICE};

/// How long it may take to say that it is there no more.
const GOODBYE_WAIT: Duration = Duration::from_millis(500);

/// How many records of others the responder may hold. It needs none, keeps what somebody sends in a certain
/// form all the same, and knows no limit.
const RECORDS_MAX: i64 = 4_096;

/// All that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What the daemon calls itself.
    pub name: String,
    /// Its key for people's eyes; the first characters are told.
    pub short_id: String,
    /// The oldest and the newest version of the session that it speaks.
    pub versions: (u32, u32),
    /// Where it listens.
    pub port: u16,
    /// On which addresses; none is all that the machine has.
    pub addresses: Vec<IpAddr>,
}

/// Tells it for as long as it lives, and then takes it back.
pub struct Announcer {
    responder: ServiceDaemon,
    /// What it was asked for how much it holds, and has not answered yet.
    asked: Option<Receiver<Metrics>>,
}

impl Announcer {
    /// Begins to tell it.
    ///
    /// # Errors
    /// [`DiscoverError`]
    pub fn start(told: &Announcement) -> Result<Self, DiscoverError> {
        let id = told.short_id.chars().filter(|it| *it != '-');
        let id: String = id.take(ID_CHARACTERS).collect();
        // Whoever asks for the addresses learns the same and no more: not what the machine is called.
        let host = format!("blit-{}.local.", id.to_lowercase());
        let text = Neighbour::text(&id, told.versions);
        let name = &told.name;
        let addresses = told.addresses.as_slice();
        let mut info = ServiceInfo::new(SERVICE, name, &host, addresses, told.port, &text[..])?;
        if addresses.is_empty() {
            info = info.enable_addr_auto();
        }
        let responder = ServiceDaemon::new()?;
        let this = Self {
            responder,
            asked: None,
        };
        this.responder.register(info)?;
        Ok(this)
    }

    /// Whether somebody fills its memory; to be asked now and then, and it does not wait. Then it is to be
    /// dropped, and what was sent with it.
    pub fn is_flooded(&mut self) -> bool {
        let answer = self.asked.take();
        let answer = answer.and_then(|answer| answer.try_recv().ok());
        self.asked = self.responder.get_metrics().ok();
        answer.is_some_and(|metrics| is_too_much(&metrics))
    }
}

fn is_too_much(metrics: &Metrics) -> bool {
    let held = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("cached-"));
    held.map(|(_, count)| count).sum::<i64>() > RECORDS_MAX
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // It says goodbye by itself. Who misses that learns it when the record is too old.
        if let Ok(ended) = self.responder.shutdown() {
            drop(ended.recv_timeout(GOODBYE_WAIT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_holds_of_others_is_too_much() {
        let metrics = |held: i64| -> Metrics {
            let counters = [
                ("cached-srv", held),
                ("cached-txt", 1),
                ("respond", 1 << 40),
            ];
            counters
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        };
        assert!(!is_too_much(&metrics(RECORDS_MAX - 1)));
        assert!(is_too_much(&metrics(RECORDS_MAX)));
    }
}
