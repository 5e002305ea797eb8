//! Machines that asked to be known, and have no rights until the administrator accepts them.

use blit_control::{KnownPeer, NodeId, VerifiedPeer};
use parking_lot::Mutex;

/// Whoever comes when so many wait is not remembered.
const PENDING_MAX: usize = 64;

/// Who waits. It is forgotten with the process: a stranger writes nothing to disk.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<Vec<KnownPeer>>);

impl Pending {
    /// Remembers one that waits; once only.
    pub(crate) fn add(&self, peer: &VerifiedPeer, name: &str) {
        self.put(peer.id(), &peer.address().to_string(), name);
    }

    fn put(&self, id: NodeId, address: &str, name: &str) {
        let mut waiting = self.0.lock();
        if waiting.len() >= PENDING_MAX || waiting.iter().any(|it| it.id == id) {
            return;
        }
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        waiting.push(KnownPeer {
            name: name.chars().filter(plain).take(63).collect(),
            id,
            // From where it asked: for the eyes of the administrator, not to be called.
            addresses: vec![address.to_owned()],
            how: "fingerprint".to_owned(),
            added: now(),
        });
    }

    pub(crate) fn forget(&self, id: &NodeId) {
        self.0.lock().retain(|it| it.id != *id);
    }

    pub(crate) fn all(&self) -> Vec<KnownPeer> {
        self.0.lock().clone()
    }

    /// The one with this name or id; a name that two have is none.
    pub(crate) fn find(&self, who: &str) -> Option<KnownPeer> {
        let waiting = self.0.lock();
        let is_meant = |it: &&KnownPeer| it.name == who || it.id.to_string() == who;
        let mut meant = waiting.iter().filter(is_meant);
        let first = meant.next()?.clone();
        meant.next().is_none().then_some(first)
    }
}

/// When something becomes known, as `peers.toml` has it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%FT%TZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_fill_no_memory_and_no_terminal_and_a_shared_name_means_nobody() {
        let pending = Pending::default();
        for key in 0..=255 {
            let id = NodeId::from_bytes([key; 32]);
            pending.put(id, "192.0.2.1:1", "lap\x1b[2Jtop");
            pending.put(id, "192.0.2.1:1", "again");
        }
        assert_eq!(pending.all().len(), PENDING_MAX);
        assert_eq!(pending.all()[0].name, "lap2Jtop");
        assert_eq!(pending.find("lap2Jtop"), None);
        let id = NodeId::from_bytes([3; 32]);
        assert_eq!(pending.find(&id.to_string()).unwrap().id, id);
        pending.forget(&id);
        assert_eq!(pending.find(&id.to_string()), None);
    }
}
