//! Notices when nothing moves although something is due.

use std::time::Duration;

/// How long nothing may move while work is outstanding before it counts as stalled.
pub const STALL_AFTER: Duration = Duration::from_secs(10);

/// Watches a figure that changes whenever anything moves. Pure: time comes in as an argument.
#[derive(Debug, Default)]
pub struct StallDetector {
    activity: u64,
    still_since: Duration,
    told_at: Option<Duration>,
}

impl StallDetector {
    /// Looks at the figure at `now`. Answers how long nothing has moved, once that is too long, and
    /// then again after every further [`STALL_AFTER`].
    pub fn observe(
        &mut self,
        now: Duration,
        activity: u64,
        is_work_outstanding: bool,
    ) -> Option<Duration> {
        if activity != self.activity || !is_work_outstanding {
            self.activity = activity;
            self.still_since = now;
            self.told_at = None;
            return None;
        }
        let since_word = now.saturating_sub(self.told_at.unwrap_or(self.still_since));
        if since_word < STALL_AFTER {
            return None;
        }
        self.told_at = Some(now);
        Some(now.saturating_sub(self.still_since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn ten_seconds_without_a_move_are_a_stall() {
        let mut detector = StallDetector::default();
        assert_eq!(detector.observe(at(0), 1, true), None);
        assert_eq!(detector.observe(at(9), 1, true), None);
        assert_eq!(detector.observe(at(10), 1, true), Some(at(10)));
    }

    #[test]
    fn a_stall_is_told_again_every_ten_seconds_and_not_in_between() {
        let mut detector = StallDetector::default();
        detector.observe(at(0), 1, true);
        assert_eq!(detector.observe(at(10), 1, true), Some(at(10)));
        assert_eq!(detector.observe(at(11), 1, true), None);
        assert_eq!(detector.observe(at(20), 1, true), Some(at(20)));
    }

    #[test]
    fn any_move_starts_the_count_anew() {
        let mut detector = StallDetector::default();
        detector.observe(at(0), 1, true);
        assert_eq!(detector.observe(at(9), 2, true), None);
        assert_eq!(detector.observe(at(18), 2, true), None);
        assert_eq!(detector.observe(at(19), 2, true), Some(at(10)));
    }

    #[test]
    fn having_nothing_to_do_is_no_stall() {
        let mut detector = StallDetector::default();
        for secs in 0..100 {
            assert_eq!(detector.observe(at(secs), 1, false), None);
        }
    }
}
