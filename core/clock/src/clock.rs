//! Time, as the session sees it. Tests put another clock in its place.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use blit_contract::Time;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// Time since some fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// The time of day, as file systems stamp it; may jump.
    fn wall(&self) -> Time;

    /// Waits that long.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock. Under tokio's paused time `now` and `sleep` are virtual.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> Time {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Time::new(
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            since.subsec_nanos(),
        )
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
