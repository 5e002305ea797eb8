//! What the daemon cannot do for the time being, and does not pretend to.

use std::{
    fmt, fs,
    sync::atomic::{AtomicBool, Ordering},
};

use blit_contract::Cx;
use blit_control::Health;
use rustix::process::{Resource, getrlimit};

use crate::{modules::Module, serve::Daemon, sessions::SESSIONS_MAX};

/// No daemon of this form was built before 2026 began. A clock that says so is wrong, and with it every
/// sentence about how old an invitation is, or when something was done.
const BUILT_AFTER_SECS: i64 = 1_767_225_600;

/// A state in which less works than should. The words are stable: scripts look for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Whoever comes is told to come again; what runs goes on.
    NoNewSessions(String),
    /// Modules with `audit = "required"` are not changed.
    ReadOnlyAudit(String),
    /// Nobody is served: what the daemon would decide by cannot be trusted.
    SafeHalt(String),
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
            Self::SafeHalt(why) => write!(f, "SAFE_HALT: nobody is served: {why}"),
        }
    }
}

impl Daemon {
    /// All that hold now; none, if it is healthy.
    pub(crate) fn conditions(&self) -> Vec<Condition> {
        let audit = self.audit.trouble().map(Condition::ReadOnlyAudit);
        let serving = match why_halted() {
            Some(why) => Some(Condition::SafeHalt(why)),
            None => self.why_no_session().map(Condition::NoNewSessions),
        };
        serving.into_iter().chain(audit).collect()
    }

    /// How a module does that whoever asks may see, or with an empty name the daemon.
    pub(crate) fn health(&self, service: &str, sees: impl Fn(&Module) -> bool) -> Health {
        if self.is_stopping() {
            return Health::Ending;
        }
        let held = self.held();
        let is_online = |module: &Module| module.trouble().is_none();
        let serves = match service {
            "" => self.why_no_session().is_none() && held.modules.iter().any(|it| is_online(it)),
            name => {
                let mut seen = held.modules.iter().filter(|module| sees(module));
                let Some(module) = seen.find(|module| module.config.name == name) else {
                    return Health::Unknown;
                };
                is_online(module)
            }
        };
        match serves && why_halted().is_none() {
            true => Health::Serving,
            false => Health::NotServing,
        }
    }

    /// Why no session may begin.
    pub(crate) fn why_no_session(&self) -> Option<String> {
        if self.is_stopping() {
            return Some("the daemon is stopping".to_owned());
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return Some("as many sessions run as may".to_owned());
        }
        let tight = self.descriptors.are_tight();
        tight.then(|| "hardly any file descriptors are left".to_owned())
    }
}

/// Why nobody is served now; nothing if it is as it should be. What is wrong when the daemon starts keeps
/// it from coming so far (`halted`).
pub(crate) fn why_halted() -> Option<String> {
    clock_trouble(jiff::Timestamp::now().as_second())
}

fn clock_trouble(now_secs: i64) -> Option<String> {
    let text = "the clock of this machine says that it is before 2026";
    (now_secs < BUILT_AFTER_SECS).then(|| text.to_owned())
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
    fn a_clock_before_the_program_was_built_is_not_believed() {
        assert!(clock_trouble(0).is_some());
        assert!(clock_trouble(BUILT_AFTER_SECS - 1).is_some());
        assert_eq!(clock_trouble(BUILT_AFTER_SECS), None);
        assert_eq!(why_halted(), None);
    }

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
