//! Writes down who did what, and says so when it cannot.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use blit_contract::{Error, ErrorKind, Result};
use blit_control::{AuditEvent, AuditLog, Identity};
use blit_engine::Ended;
use parking_lot::Mutex;

/// The audit log of a daemon. That it cannot be written stops no daemon: it stops changes.
#[derive(Debug)]
pub(crate) struct Audit {
    folder: PathBuf,
    state: Mutex<State>,
    signer: OnceLock<Identity>,
}

/// How many lines may be there unsigned, and for how long.
const UNSIGNED_MAX: u64 = 1_000;
const UNSIGNED_WAIT: Duration = Duration::from_secs(3_600);

/// How often old files are looked for.
const TIDY_WAIT: Duration = Duration::from_secs(3_600);

fn is_over(wait: Duration, since: Option<Instant>) -> bool {
    since.is_none_or(|since| since.elapsed() >= wait)
}

#[derive(Debug, Default)]
struct State {
    log: Option<AuditLog>,
    trouble: Option<String>,
    is_unsafe: bool,
    /// When lines were last signed, and when old files were last looked for.
    signed: Option<Instant>,
    tidied: Option<Instant>,
}

/// Where the log of this state directory is.
pub(crate) fn folder_of(state: &Path) -> PathBuf {
    state.join("audit")
}

impl Audit {
    pub(crate) fn open(state: &Path) -> Self {
        let audit = Self {
            folder: folder_of(state),
            state: Mutex::new(State {
                signed: Some(Instant::now()),
                ..State::default()
            }),
            signer: OnceLock::new(),
        };
        audit.sync(u64::MAX);
        audit
    }

    /// From now on this machine signs what is written.
    pub(crate) fn sign_as(&self, identity: Identity) {
        drop(self.signer.set(identity));
    }

    /// Signs what is not signed yet, now and not when it is due: it is about to be left.
    pub(crate) fn seal(&self) {
        if let Some(signer) = self.signer.get() {
            self.state.lock().seal(signer, 1);
        }
    }

    /// Writes a line, which is on storage when this returns.
    ///
    /// # Errors
    /// `ReadOnly`, in words for a peer, if it is not.
    pub(crate) fn record(&self, event: &AuditEvent) -> Result<()> {
        let mut state = self.state.lock();
        state.append(&self.folder, event);
        state.sync();
        state.outcome()
    }

    /// Writes a line that may be lost with the last second.
    pub(crate) fn note(&self, event: &AuditEvent) {
        self.state.lock().append(&self.folder, event);
    }

    /// Makes safe what was noted, tries again what did not work, and begins a new file if this one is large.
    pub(crate) fn sync(&self, bytes_max: u64) {
        let mut state = self.state.lock();
        if state.log.is_none() {
            state.open(&self.folder);
        }
        if state.is_unsafe {
            state.sync();
        }
        let is_large = state.log.as_ref().is_some_and(|log| log.is_due(bytes_max));
        if let Some(signer) = self.signer.get() {
            let is_due = is_large || is_over(UNSIGNED_WAIT, state.signed);
            state.seal(signer, if is_due { 1 } else { UNSIGNED_MAX });
        }
        if let Some(log) = &mut state.log {
            let rotated = log.rotate(bytes_max);
            state.took(rotated);
        }
    }

    /// Removes files that were closed so long ago; looks for them now and then.
    pub(crate) fn tidy(&self, keep: Duration) {
        let mut state = self.state.lock();
        let oldest = SystemTime::now().checked_sub(keep);
        let (Some(oldest), true) = (oldest, is_over(TIDY_WAIT, state.tidied)) else {
            return;
        };
        state.tidied = Some(Instant::now());
        if let Some(log) = &mut state.log {
            let removed = log.remove_before(oldest);
            state.took(removed);
        }
    }

    /// Why nothing can be written; nothing if it can.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.state.lock().trouble.clone()
    }
}

impl State {
    fn open(&mut self, folder: &Path) {
        match AuditLog::open(folder) {
            Ok(log) => {
                self.log = Some(log);
                self.trouble = None;
            }
            Err(cause) => self.took(Err(cause)),
        }
    }

    fn append(&mut self, folder: &Path, event: &AuditEvent) {
        if self.log.is_none() {
            self.open(folder);
        }
        if let Some(log) = &mut self.log {
            let appended = log.append(event);
            self.is_unsafe = true;
            self.took(appended);
        }
    }

    /// Signs if so many lines are not signed.
    fn seal(&mut self, signer: &Identity, lines_min: u64) {
        if let Some(log) = &mut self.log
            && log.unsigned() >= lines_min
        {
            let sealed = log.checkpoint(signer).and_then(|()| log.sync());
            self.signed = Some(Instant::now());
            self.took(sealed);
        }
    }

    fn sync(&mut self) {
        if let Some(log) = &self.log {
            let synced = log.sync();
            self.is_unsafe = false;
            self.took(synced);
        }
    }

    /// After a failure the log is opened anew, behind what is really there.
    fn took(&mut self, outcome: std::io::Result<()>) {
        if let Err(cause) = outcome {
            let cause = cause.to_string();
            if self.trouble.as_ref() != Some(&cause) {
                tracing::error!(cause, "the audit log cannot be written: nothing is changed");
            }
            self.trouble = Some(cause);
            self.log = None;
        }
    }

    fn outcome(&self) -> Result<()> {
        match &self.trouble {
            None => Ok(()),
            // The peer is told no paths.
            Some(_) => Err(Error::new(ErrorKind::ReadOnly, "change module").because(
                "the daemon cannot write its audit log, and changes nothing until it can",
            )),
        }
    }
}

/// What the administrator did.
pub(crate) fn by_admin(action: &'static str, object: impl Into<String>) -> AuditEvent {
    AuditEvent {
        actor: "local".to_owned(),
        action,
        object: object.into(),
        decision: "allow",
        ..AuditEvent::default()
    }
}

/// Adds how it ended.
pub(crate) fn ended(mut event: AuditEvent, outcome: &Result<Ended>) -> AuditEvent {
    match outcome {
        Ok(ended) => {
            event.bytes = Some(ended.copied_bytes);
            event.entries = Some(ended.entries);
            event.deleted = Some(ended.deleted);
            let word = if ended.is_clean { "ok" } else { "incomplete" };
            event.result = Some(word.to_owned());
        }
        Err(error) => event.result = Some(error.to_string()),
    }
    event
}
