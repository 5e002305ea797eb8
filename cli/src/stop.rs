//! Signals: the first asks to stop cleanly, the second leaves now.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use blit_contract::Cancel;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    errors::{Changed, Slug, UserError},
    exit::Exit,
    ui::Ui,
};

/// Watches for signals.
pub(crate) struct StopWatch {
    /// Set when the run is to end soon.
    pub(crate) cancel: Cancel,
    shared: Arc<Shared>,
}

struct Shared {
    ui: Arc<Ui>,
    cancel: Cancel,
    /// Whether the command ends by itself once it is asked to.
    is_gentle: AtomicBool,
    /// The exit code of the first signal; 0 as long as there was none.
    code: AtomicU8,
    /// Somebody asked how far it is.
    wants_status: AtomicBool,
}

impl StopWatch {
    /// Watches for nothing yet.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        let cancel = Cancel::default();
        let shared = Shared {
            ui,
            cancel: cancel.clone(),
            is_gentle: AtomicBool::new(false),
            code: AtomicU8::new(0),
            wants_status: AtomicBool::new(false),
        };
        Self {
            cancel,
            shared: Arc::new(shared),
        }
    }

    /// Begins to watch. Must be called on the runtime.
    ///
    /// # Errors
    /// The system has no room for another signal handler.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        let ends = [
            (SignalKind::interrupt(), Exit::Interrupted),
            (SignalKind::terminate(), Exit::Terminated),
            (SignalKind::hangup(), Exit::Terminated),
        ];
        for (kind, exit) in ends {
            let mut stream = signal(kind)?;
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    shared.stop(exit);
                }
            });
        }
        let mut status = signal(SignalKind::user_defined1())?;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            while status.recv().await.is_some() {
                shared.wants_status.store(true, Ordering::Relaxed);
            }
        });
        // A handler in place of the default: a file-size limit comes back as an error of the write.
        drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
        Ok(())
    }

    /// From now on the command ends by itself once it is asked to.
    pub(crate) fn gently(&self) {
        self.shared.is_gentle.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked how far it is; asked once, answered once.
    pub(crate) fn take_status_wish(&self) -> bool {
        self.shared.wants_status.swap(false, Ordering::Relaxed)
    }

    /// The code of the signal that stopped the run.
    pub(crate) fn exit(&self) -> Exit {
        match self.shared.code.load(Ordering::Relaxed) {
            code if code == Exit::Terminated.code() => Exit::Terminated,
            _ => Exit::Interrupted,
        }
    }

    /// Why the run ended early.
    pub(crate) fn error(&self) -> UserError {
        stopped(self.exit())
    }
}

impl Shared {
    fn stop(&self, exit: Exit) {
        let is_first = self.code.swap(exit.code(), Ordering::Relaxed) == 0;
        if is_first && self.is_gentle.load(Ordering::Relaxed) {
            self.cancel.cancel();
            self.ui
                .say("stopping; run the same command again to continue");
            return;
        }
        self.ui.hide_row();
        if self.ui.json {
            self.ui.fail(&stopped(exit).changed(Changed::Unknown));
        }
        std::process::exit(exit.code().into());
    }
}

fn stopped(exit: Exit) -> UserError {
    UserError::new(Slug::RunStopped, "stopped").exits(exit)
}
