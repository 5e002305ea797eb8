//! What blit has to reach, and whether it did.

use crate::figures::{Ratio, Spread};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A goal of one row of the results.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub enum Goal {
    /// The peer takes at least this many times as long as blit.
    Ratio(f64),
    /// blit takes less than this.
    Seconds(f64),
    /// blit takes at most so many times as long as the peer, and so many seconds more.
    Within {
        /// How many times.
        times: f64,
        /// How much more.
        plus_s: f64,
    },
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Reached {
    /// It was not.
    Missed,
    /// It was.
    Met,
    /// The pairs differ too much to say.
    Unstable,
}

impl Goal {
    /// What starting may cost beside `cp`.
    #[must_use]
    pub fn start() -> Self {
        Self::Within {
            times: 1.2,
            plus_s: 0.005,
        }
    }

    /// Judges a row by its pairs, and by both times.
    pub(crate) fn judge(
        self,
        ratio: &Ratio,
        blit_wall_s: &Spread,
        peer_wall_s: &Spread,
    ) -> Reached {
        let is_reached = match self {
            Self::Ratio(_) | Self::Within { .. } if !ratio.is_stable => return Reached::Unstable,
            Self::Ratio(least) => ratio.pairs.median >= least,
            Self::Seconds(most) => blit_wall_s.median < most,
            Self::Within { times, plus_s } => {
                blit_wall_s.median <= times * peer_wall_s.median + plus_s
            }
        };
        if is_reached {
            Reached::Met
        } else {
            Reached::Missed
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) if (least * 100.0).fract() == 0.0 => write!(out, "≥ {least} ×"),
            Self::Ratio(least) => write!(out, "≥ {least:.2} ×"),
            Self::Within { times, plus_s } => {
                write!(out, "blit ≤ {times} × + {:.0} ms", plus_s * 1e3)
            }
            Self::Seconds(most) => write!(out, "blit < {:.0} ms", most * 1e3),
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missed => "missed",
            Self::Met => "met",
            Self::Unstable => "unstable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(goal: Goal, peer_s: &[f64], blit_s: &[f64]) -> Reached {
        goal.judge(
            &Ratio::of(peer_s, blit_s),
            &Spread::of(blit_s),
            &Spread::of(peer_s),
        )
    }

    #[test]
    fn a_peer_slow_enough_meets_the_goal() {
        assert_eq!(
            judge(Goal::Ratio(1.5), &[3.0, 3.0], &[2.0, 2.0]),
            Reached::Met
        );
        assert_eq!(
            judge(Goal::Ratio(1.5), &[2.9, 2.9], &[2.0, 2.0]),
            Reached::Missed
        );
    }

    #[test]
    fn pairs_that_differ_too_much_meet_nothing() {
        assert_eq!(
            judge(Goal::Ratio(1.5), &[4.0, 8.0, 6.0], &[2.0, 2.0, 2.0]),
            Reached::Unstable
        );
    }

    #[test]
    fn what_starting_may_cost_is_judged_by_both_times() {
        assert_eq!(judge(Goal::start(), &[0.010], &[0.016]), Reached::Met);
        assert_eq!(judge(Goal::start(), &[0.010], &[0.018]), Reached::Missed);
        assert_eq!(
            judge(Goal::start(), &[0.010, 0.010], &[0.010, 0.018]),
            Reached::Unstable
        );
    }

    #[test]
    fn a_goal_is_written_as_it_is_meant() {
        let written = [Goal::Ratio(1.5), Goal::Ratio(1.0 / 1.1), Goal::start()];
        assert_eq!(
            written.map(|it| it.to_string()),
            ["≥ 1.5 ×", "≥ 0.91 ×", "blit ≤ 1.2 × + 5 ms"]
        );
    }

    #[test]
    fn a_goal_in_seconds_looks_at_blit_alone() {
        assert_eq!(judge(Goal::Seconds(0.01), &[9.0], &[0.009]), Reached::Met);
        assert_eq!(
            judge(Goal::Seconds(0.01), &[9.0], &[0.011]),
            Reached::Missed
        );
    }
}
