//! Tells systemd how it goes, if it asked to be told.

use std::{io, time::Duration};

use sd_notify::NotifyState;

/// It serves.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its configuration anew; [`ready`] follows.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// It lets its sessions end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It is not stuck.
pub(crate) fn alive(status: &str) {
    tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
}

/// How often systemd wants to hear that; half of it is a good beat.
pub(crate) fn watchdog() -> Option<Duration> {
    let micros = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(micros)).filter(|it| !it.is_zero())
}

fn tell(state: &[NotifyState<'_>]) {
    // Without a socket in the environment this does nothing.
    let told: io::Result<()> = sd_notify::notify(state);
    if let Err(cause) = told {
        tracing::warn!(%cause, "cannot tell the service manager");
    }
}
