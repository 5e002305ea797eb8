//! What blit has to reach, and whether it did.

use crate::figures::Ratio;
use crate::results::Cost;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A goal of one row of the results.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub enum Goal {
    /// The peer takes at least this many times as long as blit.
    Ratio(f64),
    /// blit takes less than this.
    Seconds(f64),
    /// blit sends and gets at most this part of what the source holds.
    Share(f64),
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

    /// Judges a row by its pairs, by what both cost, and by how much the source holds.
    pub(crate) fn judge(
        self,
        ratio: &Ratio,
        blit: &Cost,
        other: &Cost,
        size_bytes: u64,
    ) -> Reached {
        let blit_s = blit.wall_s.median;
        let is_reached = match self {
            Self::Ratio(_) | Self::Within { .. } if !ratio.is_stable => return Reached::Unstable,
            Self::Ratio(least) => ratio.pairs.median >= least,
            Self::Seconds(most) => blit_s < most,
            // Nothing was counted: nothing was reached.
            Self::Share(most) => blit.far.as_ref().is_some_and(|far| {
                let worst = far.wire_bytes.max.max(far.told_bytes.max);
                far.told_bytes.min > 0.0 && worst <= most * size_bytes as f64
            }),
            Self::Within { times, plus_s } => blit_s <= times * other.wall_s.median + plus_s,
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
            Self::Share(most) => write!(out, "blit's wire ≤ {:.0} %", most * 100.0),
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
    use crate::figures::Spread;
    use crate::results::FarCost;

    fn judge(goal: Goal, peer_s: &[f64], blit_s: &[f64]) -> Reached {
        let cost = |wall_s| Cost {
            wall_s: Spread::of(wall_s),
            ..Cost::default()
        };
        let ratio = Ratio::of(peer_s, blit_s);
        goal.judge(&ratio, &cost(blit_s), &cost(peer_s), 1_000)
    }

    #[test]
    fn a_share_is_judged_by_what_was_counted_and_by_what_was_told() {
        let judge = |wire_bytes: &[f64], told_bytes: &[f64]| {
            let far = FarCost {
                wire_bytes: Spread::of(wire_bytes),
                told_bytes: Spread::of(told_bytes),
                ..FarCost::default()
            };
            let blit = Cost {
                far: Some(far),
                ..Cost::default()
            };
            let ratio = Ratio::of(&[1.0], &[1.0]);
            Goal::Share(0.02).judge(&ratio, &blit, &Cost::default(), 1_000)
        };
        assert_eq!(judge(&[20.0, 19.0], &[18.0]), Reached::Met);
        assert_eq!(judge(&[21.0, 12.0], &[12.0]), Reached::Missed);
        assert_eq!(judge(&[12.0], &[21.0]), Reached::Missed);
        assert_eq!(judge(&[12.0], &[]), Reached::Missed);
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
