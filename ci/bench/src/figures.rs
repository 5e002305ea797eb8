//! Many samples become few figures: medians, and ratios pair by pair.

use serde::{Deserialize, Serialize};

/// A ratio whose pairs lie further than this from their median is not a result.
const SPREAD_MAX: f64 = 0.15;

/// The middle of some figures, and their ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The one in the middle, or the mean of the two there.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// How many times as long the peer took as blit, pair by pair.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ratio {
    /// The ratios of the pairs.
    pub pairs: Spread,
    /// Whether the pairs agree.
    pub is_stable: bool,
}

impl Spread {
    /// Reduces `figures`; none at all are zero.
    #[must_use]
    pub fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Self {
            min: *min,
            median: f64::midpoint(sorted[lower], sorted[upper]),
            max: *max,
        }
    }
}

impl Ratio {
    /// Divides the peer's wall times by blit's, run by run.
    #[must_use]
    pub fn of(peer_s: &[f64], blit_s: &[f64]) -> Self {
        let ratios: Vec<_> = peer_s
            .iter()
            .zip(blit_s)
            .map(|(peer, blit)| peer / blit)
            .collect();
        let pairs = Spread::of(&ratios);
        let furthest = (pairs.max - pairs.median).max(pairs.median - pairs.min);
        Self {
            pairs,
            is_stable: furthest <= SPREAD_MAX * pairs.median,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_or_the_mean_of_two() {
        assert_eq!(
            Spread::of(&[3.0, 1.0, 2.0]),
            Spread {
                min: 1.0,
                median: 2.0,
                max: 3.0
            }
        );
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn a_ratio_is_taken_pair_by_pair() {
        // The machine is twice as slow in the second pair: the ratios do not care.
        let ratio = Ratio::of(&[3.0, 6.0], &[1.0, 2.0]);
        assert_eq!(
            ratio.pairs,
            Spread {
                min: 3.0,
                median: 3.0,
                max: 3.0
            }
        );
        assert!(ratio.is_stable);
    }

    #[test]
    fn pairs_within_fifteen_percent_are_stable() {
        assert!(Ratio::of(&[1.86, 2.0, 2.14], &[1.0, 1.0, 1.0]).is_stable);
    }

    #[test]
    fn one_pair_beyond_fifteen_percent_makes_it_unstable() {
        assert!(!Ratio::of(&[2.0, 2.0, 2.4], &[1.0, 1.0, 1.0]).is_stable);
        assert!(!Ratio::of(&[2.0, 2.0, 1.6], &[1.0, 1.0, 1.0]).is_stable);
    }
}
