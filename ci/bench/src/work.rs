//! What is measured: the local rows of the table of goals.

use crate::Goal;
use crate::contender::{Action, Peer};
use crate::random::Random;
use crate::tree::Tree;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Work {
    /// Many small files.
    L1,
    /// One large file.
    L2,
    /// One large file where blocks can be shared.
    #[value(name = "L2-reflink")]
    L2Reflink,
    /// A mixture.
    L3,
    /// A mirror that changes nothing.
    L4,
    /// A mirror after small changes.
    L5,
    /// A single small file: what starting costs.
    S1,
    /// The mixture, read back from storage.
    V1,
}

/// Every work, in the order in which it is measured.
pub const ALL: &[Work] = &[
    Work::L1,
    Work::L2,
    Work::L2Reflink,
    Work::L3,
    Work::L4,
    Work::L5,
    Work::S1,
    Work::V1,
];

impl Work {
    /// As it is called in the table of goals.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L2Reflink => "L2-reflink",
            Self::L3 => "L3",
            Self::L4 => "L4",
            Self::L5 => "L5",
            Self::S1 => "S1",
            Self::V1 => "V1",
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::L1 => "small files of 1–10 KiB with modes, owners, times and attributes",
            Self::L2 => "one large file",
            Self::L2Reflink => "one large file on a store that shares blocks",
            Self::L3 => "tiny files, a large one, and many up to 10 MiB",
            Self::L4 => "mirror that changes nothing",
            Self::L5 => "mirror after 1 % of the files changed, 1 % went and 1 % came",
            Self::S1 => "one small file: what starting costs",
            Self::V1 => "the mixture of L3 with --verify, against blit without",
        }
    }

    /// What the contenders are asked to do.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::L4 | Self::L5 => Action::Mirror,
            _ => Action::Copy,
        }
    }

    /// Whether it needs a file system on which blocks can be shared.
    #[must_use]
    pub fn shares_blocks(self) -> bool {
        self == Self::L2Reflink
    }

    /// Whether blit reads everything back from storage.
    #[must_use]
    pub fn verifies(self) -> bool {
        self == Self::V1
    }

    /// The peers, and what blit has to reach against them.
    #[must_use]
    pub fn duels(self) -> Vec<(Peer, Option<Goal>)> {
        let ratio = |least| Some(Goal::Ratio(least));
        match self {
            Self::L1 => vec![
                (Peer::Cp, ratio(1.5)),
                (Peer::Rsync, ratio(3.0)),
                (Peer::Cpz, ratio(1.0)),
                (Peer::Xcp, None),
                (Peer::Tar, None),
            ],
            Self::L2 => vec![
                (Peer::CopyFileRange, ratio(0.97)),
                (Peer::Cp, None),
                (Peer::Rsync, None),
                (Peer::Cpz, None),
                (Peer::Xcp, None),
            ],
            Self::L2Reflink => vec![(Peer::Cp, Some(Goal::Seconds(0.010)))],
            Self::L3 => vec![
                (Peer::Cp, ratio(1.5)),
                (Peer::Rsync, ratio(3.0)),
                (Peer::Cpz, None),
                (Peer::Xcp, None),
                (Peer::Tar, None),
            ],
            // At most 1.1 times as long.
            Self::L4 => vec![(Peer::Walk, ratio(1.0 / 1.1)), (Peer::Rsync, None)],
            Self::L5 => vec![(Peer::Rsync, ratio(3.0))],
            Self::S1 => vec![(Peer::Cp, Some(Goal::start()))],
            Self::V1 => vec![(Peer::Unverified, ratio(1.0 / 1.1))],
        }
    }

    /// The source, made from `seed` and made smaller by `divisor`. Where the work is an update,
    /// a second tree follows: the states between which the target is moved to and fro.
    #[must_use]
    pub fn sources(self, seed: u64, divisor: u64) -> Vec<Tree> {
        let mut random = Random::new(seed);
        match self {
            Self::L1 => vec![Tree::small(100_000 / divisor, &mut random)],
            Self::L2 | Self::L2Reflink => vec![Tree::single((4 << 30) / divisor, &mut random)],
            Self::L3 | Self::V1 => vec![Tree::mixed(divisor, &mut random)],
            Self::L4 => vec![Tree::empty_files(1_000_000 / divisor, &mut random)],
            Self::S1 => vec![Tree::single(64, &mut random)],
            Self::L5 => {
                let before = Tree::small(100_000 / divisor, &mut random);
                let after = before.edited(&mut random);
                vec![before, after]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_of_the_table_is_measured() {
        let goals = |work: Work| {
            work.duels()
                .iter()
                .filter(|(_, goal)| goal.is_some())
                .count()
        };
        assert_eq!(
            ALL.iter().map(|it| goals(*it)).collect::<Vec<_>>(),
            [3, 1, 1, 2, 1, 1, 1, 1]
        );
    }

    #[test]
    fn every_peer_can_do_what_it_is_asked() {
        for work in ALL {
            for (peer, _) in work.duels() {
                if peer == Peer::Unverified {
                    // Another blit: what it does is asked of it in the same words.
                    continue;
                }
                let contender = crate::contender::Contender::Peer(peer);
                let place = std::path::Path::new("/p");
                assert!(
                    contender.command(work.action(), place, place).is_ok(),
                    "{}",
                    work.id()
                );
            }
        }
    }

    #[test]
    fn an_update_has_two_states_and_a_copy_one() {
        assert_eq!(Work::L5.sources(1, 1_000).len(), 2);
        assert_eq!(Work::L1.sources(1, 1_000).len(), 1);
    }
}
