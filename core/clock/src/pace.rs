//! Politeness: no more bytes in a second than were allowed. Nothing is paid where nothing was asked.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use blit_contract::{Attributes, Cx, Entry, Extent, Reader, Result};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::clock::Clock;

/// So much of a second's allowance is kept for later while nothing moves.
const BURST: Duration = Duration::from_millis(250);

/// Pieces are a part of a second's allowance, so that it flows rather than comes in gushes.
const PIECES_PER_SEC: u64 = 8;

/// Smaller pieces would only cost calls.
const PIECE_BYTES_MIN: u64 = 4 << 10;

/// How often somebody's wish to stop is looked at.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Lets bytes pass at the rate that was asked for.
#[derive(Debug)]
pub struct Pace {
    clock: Arc<dyn Clock>,
    bucket: Option<Mutex<Bucket>>,
    waiting: AtomicU32,
}

impl Pace {
    /// Lets that many bytes pass in a second; `None`: as many as come.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, bytes_per_sec: Option<u64>) -> Self {
        Self {
            clock,
            bucket: bytes_per_sec.map(|rate| Mutex::new(Bucket::new(rate))),
            waiting: AtomicU32::new(0),
        }
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.bucket.is_some()
    }

    /// Whether somebody waits here: that nothing moves is then what was asked for.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// How much to move at a time, where `most` would be right without a limit.
    pub fn piece(&self, most: u64) -> u64 {
        self.bucket.as_ref().map_or(most, |bucket| {
            most.min((bucket.lock().bytes_per_sec / PIECES_PER_SEC).max(PIECE_BYTES_MIN))
        })
    }

    /// Waits until `bytes` may pass.
    ///
    /// # Errors
    /// `Cancelled` if somebody wishes to stop meanwhile.
    pub async fn pass(&self, cx: &Cx, bytes: u64) -> Result<()> {
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        let wait = bucket.lock().take(self.clock.now(), bytes);
        if wait.is_zero() {
            return Ok(());
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let until = self.clock.now() + wait;
        let waited = self.wait(cx, until).await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        waited
    }

    async fn wait(&self, cx: &Cx, until: Duration) -> Result<()> {
        loop {
            cx.check()?;
            let left = until.saturating_sub(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            self.clock.sleep(left.min(CANCEL_POLL)).await;
        }
    }
}

/// What is allowed, and until when it is used up. Pure: time comes in as an argument.
#[derive(Debug)]
struct Bucket {
    bytes_per_sec: u64,
    used_until: Duration,
}

impl Bucket {
    fn new(bytes_per_sec: u64) -> Self {
        Self {
            bytes_per_sec: bytes_per_sec.max(1),
            used_until: Duration::ZERO,
        }
    }

    /// Takes `bytes`, and answers how long they have to wait. What is larger than the allowance passes
    /// in one, and the next ones wait for it.
    fn take(&mut self, now: Duration, bytes: u64) -> Duration {
        let begin = self.used_until.max(now.saturating_sub(BURST));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_sec);
        self.used_until = begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        begin.saturating_sub(now)
    }
}

/// A file of the source whose content leaves this process no faster than it may.
#[derive(Debug)]
pub struct Paced {
    /// The file.
    pub inner: Box<dyn Reader>,
    /// How fast it may leave.
    pub pace: Arc<Pace>,
    /// Ends the waiting.
    pub cx: Cx,
}

#[async_trait]
impl Reader for Paced {
    fn entry(&self) -> &Entry {
        self.inner.entry()
    }

    async fn attributes(&self) -> Result<Attributes> {
        self.inner.attributes().await
    }

    async fn extent(&self, offset: u64) -> Result<Option<Extent>> {
        self.inner.extent(offset).await
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.pace
            .pass(&self.cx, range.end.saturating_sub(range.start))
            .await?;
        self.inner.read(range).await
    }

    async fn check_unchanged(&self) -> Result<()> {
        self.inner.check_unchanged().await
    }
}

#[cfg(test)]
mod tests {
    use blit_contract::Cancel;

    use super::*;
    use crate::clock::SystemClock;

    const MIB: u64 = 1 << 20;

    fn limited(rate: u64) -> Pace {
        Pace::new(Arc::new(SystemClock::default()), Some(rate))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_pass_at_the_rate_and_not_faster_on_virtual_time() {
        let pace = limited(MIB);
        let start = tokio::time::Instant::now();
        for _ in 0..100 {
            pace.pass(&Cx::default(), MIB / 10).await.unwrap();
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(9_500), "{took:?}");
        assert!(took <= Duration::from_millis(10_100), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn several_at_once_share_the_rate() {
        let pace = limited(MIB);
        let start = tokio::time::Instant::now();
        let (cx, eight) = (Cx::default(), 0..8);
        let passing = eight.map(|_| pace.pass(&cx, MIB));
        for passed in futures_util::future::join_all(passing).await {
            passed.unwrap();
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(6_700), "{took:?}");
        assert!(took <= Duration::from_millis(8_100), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_more_than_a_moment() {
        let pace = limited(MIB);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let start = tokio::time::Instant::now();
        for _ in 0..20 {
            pace.pass(&Cx::default(), MIB / 10).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(1_600));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits_and_pieces_are_as_they_were() {
        let pace = Pace::new(Arc::new(SystemClock::default()), None);
        let start = tokio::time::Instant::now();
        pace.pass(&Cx::default(), u64::MAX).await.unwrap();
        assert!(start.elapsed().is_zero());
        assert_eq!(pace.piece(64 * MIB), 64 * MIB);
        assert_eq!(limited(8 * MIB).piece(64 * MIB), MIB);
        assert_eq!(limited(1).piece(64 * MIB), PIECE_BYTES_MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_the_wish_to_stop() {
        let pace = limited(1);
        let cancel = Cancel::default();
        let cx = Cx::new(cancel.clone());
        pace.pass(&cx, MIB).await.unwrap();
        assert!(!pace.is_waiting());
        let waiting = pace.pass(&cx, MIB);
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(pace.is_waiting());
            cancel.cancel();
        };
        let (waited, ()) = tokio::join!(waiting, stopping);
        assert!(waited.is_err() && !pace.is_waiting());
    }
}
