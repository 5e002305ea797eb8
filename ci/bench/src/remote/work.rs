//! What is measured between two sides: the rows of the table of goals that need a network.

use crate::Goal;
use crate::random::Random;
use crate::remote::Peer;
use crate::tree::Tree;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::{fs, io};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Work {
    /// One large file to the other side, encrypted.
    #[value(name = "N1-push")]
    N1Push,
    /// The same from there.
    #[value(name = "N1-pull")]
    N1Pull,
    /// One large file to the other side, in clear.
    #[value(name = "N2-push")]
    N2Push,
    /// The same from there.
    #[value(name = "N2-pull")]
    N2Pull,
    /// Many small files to the other side.
    #[value(name = "N3-push")]
    N3Push,
    /// The same from there.
    #[value(name = "N3-pull")]
    N3Pull,
    /// One large file to the other side, over a link of 1 Gbit/s.
    #[value(name = "N4-large")]
    N4Large,
    /// Files of all sizes to the other side, over the same.
    #[value(name = "N4-mixed")]
    N4Mixed,
    /// A large file of which a little changed, once more.
    N6,
}

/// Every work, in the order in which it is measured.
pub const ALL: &[Work] = &[
    Work::N1Push,
    Work::N1Pull,
    Work::N2Push,
    Work::N2Pull,
    Work::N3Push,
    Work::N3Pull,
    Work::N4Large,
    Work::N4Mixed,
    Work::N6,
];

/// In so many places the large file changes: together one per cent of it.
const PLACES: u64 = 41;
/// The smallest file of which blit sends only what changed.
const LARGE_BYTES_MIN: u64 = 32 << 20;

impl Work {
    /// As it is called in the table of goals.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::N1Push => "N1-push",
            Self::N1Pull => "N1-pull",
            Self::N2Push => "N2-push",
            Self::N2Pull => "N2-pull",
            Self::N3Push => "N3-push",
            Self::N3Pull => "N3-pull",
            Self::N4Large => "N4-large",
            Self::N4Mixed => "N4-mixed",
            Self::N6 => "N6",
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::N1Push => "one large file to the other side; blit encrypts",
            Self::N1Pull => "one large file from the other side; blit encrypts",
            Self::N2Push => "one large file to the other side, in a trusted network",
            Self::N2Pull => "one large file from the other side, in a trusted network",
            Self::N3Push => "small files to the other side; blit encrypts",
            Self::N3Pull => "small files from the other side; blit encrypts",
            Self::N4Large => "one large file over a link of 1 Gbit/s; blit encrypts",
            Self::N4Mixed => {
                "tiny files, a large one, and many up to 10 MiB over 1 Gbit/s; blit encrypts"
            }
            Self::N6 => "1 % of a large file changed, sent once more; blit encrypts",
        }
    }

    /// Whether the source is at the server.
    pub(crate) fn pulls(self) -> bool {
        matches!(self, Self::N1Pull | Self::N2Pull | Self::N3Pull)
    }

    /// How fast the link is, where it is made slower than the machine.
    pub(crate) fn link_bits_s(self) -> Option<u64> {
        matches!(self, Self::N4Large | Self::N4Mixed).then_some(1_000_000_000)
    }

    /// Whether blit may let data cross in clear.
    pub(crate) fn is_in_clear(self) -> bool {
        matches!(self, Self::N2Push | Self::N2Pull)
    }

    /// Whether the target is there, and only brought up to date.
    pub(crate) fn is_update(self) -> bool {
        self == Self::N6
    }

    /// The peers, and what blit has to reach against them.
    #[must_use]
    pub fn duels(self) -> Vec<(Peer, Option<Goal>)> {
        let ratio = |least| Some(Goal::Ratio(least));
        match self {
            Self::N1Push | Self::N1Pull => vec![
                (Peer::Tls, ratio(0.6)),
                (Peer::Scp, ratio(1.5)),
                (Peer::RsyncDaemon, ratio(1.0)),
            ],
            Self::N2Push | Self::N2Pull => {
                vec![(Peer::Loop, ratio(0.9)), (Peer::RsyncDaemon, None)]
            }
            Self::N3Push | Self::N3Pull => vec![(Peer::RsyncDaemon, ratio(3.0)), (Peer::Scp, None)],
            Self::N4Large => vec![(Peer::Tls, ratio(0.97)), (Peer::RsyncDaemon, None)],
            Self::N4Mixed => vec![(Peer::Tls, ratio(0.9)), (Peer::RsyncDaemon, None)],
            Self::N6 => vec![(Peer::RsyncDaemon, Some(Goal::Share(0.02)))],
        }
    }

    /// The source, made from `seed` and made smaller by `divisor`.
    #[must_use]
    pub fn source(self, seed: u64, divisor: u64) -> Tree {
        let mut random = Random::new(seed);
        match self {
            Self::N1Push | Self::N1Pull | Self::N2Push | Self::N2Pull => {
                Tree::single((2 << 30) / divisor, &mut random)
            }
            Self::N3Push | Self::N3Pull => Tree::small(50_000 / divisor, &mut random),
            Self::N4Large => Tree::single((1 << 30) / divisor, &mut random),
            Self::N4Mixed => Tree::mixed(divisor, &mut random),
            Self::N6 => {
                let size_bytes = LARGE_BYTES_MIN.max((4 << 30) / divisor);
                Tree::single(size_bytes, &mut random)
            }
        }
    }
}

/// Changes one per cent of the only file in `folder`, in places that are spread over all of it and
/// begin at no block's edge.
pub(crate) fn change(folder: &Path, random: &mut Random) -> io::Result<()> {
    let entry = fs::read_dir(folder)?.next();
    let path = entry.ok_or(io::ErrorKind::NotFound)??.path();
    let file = File::options().write(true).open(path)?;
    let size_bytes = file.metadata()?.len();
    let step_bytes = size_bytes / PLACES;
    let mut noise = vec![0; usize::try_from(step_bytes / 100).unwrap_or(0)];
    for place in 0..PLACES {
        random.fill(&mut noise);
        let within_bytes = random.between(0, step_bytes - noise.len() as u64);
        file.write_all_at(&noise, place * step_bytes + within_bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_of_the_table_is_measured() {
        let goals = |work: &Work| {
            work.duels()
                .iter()
                .filter(|(_, goal)| goal.is_some())
                .count()
        };
        assert_eq!(
            ALL.iter().map(goals).collect::<Vec<_>>(),
            [3, 3, 1, 1, 1, 1, 1, 1, 1]
        );
    }

    #[test]
    fn what_changes_is_one_per_cent_in_all_parts_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let size = 4_100_000;
        fs::write(folder.path().join("large.bin"), vec![0; size]).unwrap();
        change(folder.path(), &mut Random::new(1)).unwrap();
        let after = fs::read(folder.path().join("large.bin")).unwrap();
        assert_eq!(after.len(), size);
        let changed = |part: &[u8]| part.iter().filter(|it| **it != 0).count();
        let all = changed(&after);
        assert!((size / 110..=size / 100).contains(&all), "{all}");
        assert!(after.chunks(size / 20).all(|part| changed(part) > 0));
    }
}
