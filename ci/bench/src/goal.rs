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
    /// Judges a row by its pairs and by blit's own times.
    pub(crate) fn judge(self, ratio: &Ratio, blit_wall_s: &Spread) -> Reached {
        let is_reached = match self {
            Self::Ratio(_) if !ratio.is_stable => return Reached::Unstable,
            Self::Ratio(least) => ratio.pairs.median >= least,
            Self::Seconds(most) => blit_wall_s.median < most,
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
            Self::Ratio(least) => write!(out, "≥ {least} ×"),
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
        goal.judge(&Ratio::of(peer_s, blit_s), &Spread::of(blit_s))
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
    fn a_goal_in_seconds_looks_at_blit_alone() {
        assert_eq!(judge(Goal::Seconds(0.01), &[9.0], &[0.009]), Reached::Met);
        assert_eq!(
            judge(Goal::Seconds(0.01), &[9.0], &[0.011]),
            Reached::Missed
        );
    }
}
