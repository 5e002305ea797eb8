//! What a daemon remembers of a session whose lanes may come as sockets.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blit_contract::SecurityClass;

use crate::LaneKeys;

/// How many sockets a session may ever bind, those included that were lost.
pub const STREAMS_MAX: u32 = 64;

/// The right of one session to lanes that are sockets.
#[derive(Debug)]
pub struct Grant {
    keys: LaneKeys,
    security: SecurityClass,
    /// A bit for each stream number that was used.
    used: AtomicU64,
    is_over: AtomicBool,
}

impl Grant {
    /// A right to lanes of that class or a stronger one.
    #[must_use]
    pub fn new(keys: LaneKeys, security: SecurityClass) -> Self {
        Self {
            keys,
            security,
            used: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// The session's keys.
    #[must_use]
    pub fn keys(&self) -> &LaneKeys {
        &self.keys
    }

    /// The least class that a lane of this session may have.
    #[must_use]
    pub fn security(&self) -> SecurityClass {
        self.security
    }

    /// The session is over: no lane is bound any more. A daemon that keeps the right for a while can tell
    /// who comes late from who never belonged to a session.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Takes a stream number; `false` if it was taken before, or is beyond the window.
    pub(crate) fn take(&self, stream: u32) -> bool {
        if stream >= STREAMS_MAX {
            return false;
        }
        let bit = 1 << stream;
        self.used.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn every_stream_number_is_good_once() {
        let keys = LaneKeys::derive(&Secret::new([0; 32]), &[0; 16]);
        let grant = Grant::new(keys, SecurityClass::Encrypted);
        for stream in 0..STREAMS_MAX {
            assert!(grant.take(stream));
            assert!(!grant.take(stream));
        }
        assert!(!grant.take(STREAMS_MAX));
        assert!(!grant.take(u32::MAX));
    }
}
