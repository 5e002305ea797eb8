//! What the daemon cannot do for the time being, and does not pretend to.

use std::{
    fmt, fs,
    sync::atomic::{AtomicBool, Ordering},
};

use blit_contract::Cx;
use rustix::process::{Resource, getrlimit};

use crate::{
    modules::Module,
    serve::{Daemon, SESSIONS_MAX},
};

/// A state in which less works than should. The words are stable: scripts look for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Whoever comes is told to come again; what runs goes on.
    NoNewSessions(String),
    /// Modules with `audit = "required"` are not changed.
    ReadOnlyAudit(String),
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNewSessions(why) => write!(f, "NO_NEW_SESSIONS: {why}"),
            Self::ReadOnlyAudit(why) => {
                write!(
                    f,
                    "READ_ONLY(audit): the audit log cannot be written: {why}"
                )
            }
        }
    }
}

impl Daemon {
    /// All that hold now; none, if it is healthy.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        let audit = self.audit.trouble().map(Condition::ReadOnlyAudit);
        let sessions = self.why_no_session().map(Condition::NoNewSessions);
        audit.into_iter().chain(sessions).collect()
    }

    /// Why no session may begin.
    pub(crate) fn why_no_session(&self) -> Option<String> {
        if self.is_stopping() {
            return Some("the daemon is stopping".to_owned());
        }
        if self.sessions() >= SESSIONS_MAX {
            return Some("as many sessions run as may".to_owned());
        }
        let tight = self.descriptors.are_tight();
        tight.then(|| "hardly any file descriptors are left".to_owned())
    }
}

/// How many files and sockets are open, and may be.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    tight: AtomicBool,
}

impl Descriptors {
    /// Whether sessions that begin now could fail in the middle for want of them.
    fn are_tight(&self) -> bool {
        let Ok(open) = fs::read_dir("/proc/self/fd") else {
            return false;
        };
        let open = u64::try_from(open.count()).unwrap_or(u64::MAX);
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let tight = is_tight(self.tight.load(Ordering::Acquire), open, limit);
        self.tight.store(tight, Ordering::Release);
        tight
    }
}

/// From nine tenths on, and until it is less than three quarters: not now yes, now no.
fn is_tight(was: bool, open: u64, limit: u64) -> bool {
    match was {
        true => open >= limit / 4 * 3,
        false => open >= limit / 10 * 9,
    }
}

/// How a module does, for people: `online` first if it can be read.
pub(crate) async fn of_module(module: &Module) -> String {
    if let Some(why) = module.trouble() {
        return why;
    }
    if let Ok(store) = module.for_adding()
        && let Ok(usage) = store.usage(&Cx::default()).await
        && usage.free_bytes == 0
    {
        return "online, full: no more is free than shall stay so".to_owned();
    }
    "online".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_tight_until_many_are_free_again() {
        for (was, open, expected) in [
            (false, 899, false),
            (false, 900, true),
            (true, 750, true),
            (true, 749, false),
        ] {
            assert_eq!(is_tight(was, open, 1_000), expected, "{was} {open}");
        }
        assert!(!Descriptors::default().are_tight());
    }
}
