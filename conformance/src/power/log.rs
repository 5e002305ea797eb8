//! What was written to disks in which order, and what a power loss could have left of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::Image;
use crate::tree::Random;

/// Something that happened to a disk, or that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Data was written; until the next flush of that disk it may be lost.
    Write {
        /// Which disk.
        disk: usize,
        /// Where.
        offset_bytes: u64,
        /// What.
        data: Arc<[u8]>,
    },
    /// A range was discarded or zeroed, and reads as zeros if that is not lost.
    Zero {
        /// Which disk.
        disk: usize,
        /// Where.
        offset_bytes: u64,
        /// How much.
        length_bytes: u64,
    },
    /// All that was written to the disk before is safe.
    Flush {
        /// Which disk.
        disk: usize,
    },
    /// The program said that everything is safe: it ended with success.
    Claim,
}

impl Event {
    /// Which disk it may or may not have reached.
    fn changes(&self) -> Option<usize> {
        match self {
            Self::Write { disk, .. } | Self::Zero { disk, .. } => Some(*disk),
            Self::Flush { .. } | Self::Claim => None,
        }
    }
}

/// Disks as they were at the start, and everything that happened since.
#[derive(Debug, Clone)]
pub struct Log {
    disks: Vec<Image>,
    events: Vec<Event>,
}

/// One way in which the power can fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// How many events had happened.
    pub at: usize,
    /// Which of them had not reached their disk.
    pub lost: BTreeSet<usize>,
    /// Of the last of them, only this many bytes had.
    pub torn: Option<usize>,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, lost, torn } = self;
        write!(f, "power lost after event {at}")?;
        if !lost.is_empty() {
            write!(f, ", without {lost:?}")?;
        }
        torn.map_or(Ok(()), |bytes| write!(f, ", {bytes} bytes of the last"))
    }
}

impl Log {
    /// Nothing has happened yet to `disks`.
    #[must_use]
    pub const fn new(disks: Vec<Image>) -> Self {
        Self {
            disks,
            events: Vec::new(),
        }
    }

    /// One more event.
    pub fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Everything that happened, in its order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether success had been claimed at `crash`.
    #[must_use]
    pub fn is_claimed_at(&self, crash: &Crash) -> bool {
        self.events[..crash.at].contains(&Event::Claim)
    }

    /// The disks as they are found after `crash`.
    #[must_use]
    pub fn disks_after(&self, crash: &Crash) -> Vec<Image> {
        let mut disks = self.disks.clone();
        for (index, event) in self.events[..crash.at].iter().enumerate() {
            if crash.lost.contains(&index) {
                continue;
            }
            match event {
                Event::Write {
                    disk,
                    offset_bytes,
                    data,
                } => {
                    let torn = crash.torn.filter(|_| index + 1 == crash.at);
                    disks[*disk].write(*offset_bytes, &data[..torn.unwrap_or(data.len())]);
                }
                Event::Zero {
                    disk,
                    offset_bytes,
                    length_bytes,
                } => disks[*disk].zero(*offset_bytes, *length_bytes),
                Event::Flush { .. } | Event::Claim => {}
            }
        }
        disks
    }

    /// That many crashes: first the worst and the best at the claim and the last of all, then every
    /// prefix, or some of them by `seed`, then losses inside one flush epoch and torn writes.
    #[must_use]
    pub fn crashes(&self, seed: u64, count: usize, sector_bytes: usize) -> Vec<Crash> {
        let mut random = Random::new(seed);
        let claim = self.events.iter().position(|it| *it == Event::Claim);
        let mut crashes: Vec<Crash> = claim
            .iter()
            .flat_map(|at| [self.forgetful(at + 1), prefix(at + 1)])
            .chain([prefix(self.events.len())])
            .collect();
        let mut prefixes = self.prefixes();
        // Half of a scaled run is for what no prefix shows.
        let room = count.saturating_sub(crashes.len());
        let prefixes_max = if prefixes.len() <= room {
            room
        } else {
            room.div_ceil(2)
        };
        while prefixes.len() > prefixes_max {
            prefixes.swap_remove(random.below(prefixes.len()));
        }
        crashes.extend(prefixes.into_iter().map(prefix));
        if self.events.iter().any(|it| it.changes().is_some()) {
            while crashes.len() < count {
                crashes.push(self.disorder(&mut random, sector_bytes));
            }
        }
        crashes
    }

    /// Where a prefix differs from the one before it.
    fn prefixes(&self) -> Vec<usize> {
        let changes = self.events.iter().map(Event::changes);
        let ends = changes.enumerate().filter(|(_, it)| it.is_some());
        std::iter::once(0)
            .chain(ends.map(|(index, _)| index + 1))
            .collect()
    }

    /// Everything is lost that was not flushed.
    fn forgetful(&self, at: usize) -> Crash {
        Crash {
            lost: self.at_risk(at),
            ..prefix(at)
        }
    }

    /// Some of what was not flushed is lost, or the last write is torn.
    fn disorder(&self, random: &mut Random, sector_bytes: usize) -> Crash {
        let prefixes = self.prefixes();
        // Without the first, before which nothing has happened.
        let at = prefixes[1 + random.below(prefixes.len() - 1)];
        if let Event::Write { data, .. } = &self.events[at - 1]
            && data.len() > sector_bytes
            && random.one_in(3)
        {
            let sectors = data.len() / sector_bytes;
            return Crash {
                torn: Some(sector_bytes * random.below(sectors)),
                ..prefix(at)
            };
        }
        let share = 2 + random.below(8);
        let mut lost = self.at_risk(at);
        lost.retain(|_| !random.one_in(share));
        Crash { lost, ..prefix(at) }
    }

    /// What happened to each disk since it was flushed last.
    fn at_risk(&self, at: usize) -> BTreeSet<usize> {
        let mut risk = BTreeSet::new();
        for (index, event) in self.events[..at].iter().enumerate() {
            match event {
                Event::Flush { disk } => {
                    risk.retain(|index: &usize| self.events[*index].changes() != Some(*disk));
                }
                other if other.changes().is_some() => {
                    risk.insert(index);
                }
                _ => {}
            }
        }
        risk
    }
}

const fn prefix(at: usize) -> Crash {
    Crash {
        at,
        lost: BTreeSet::new(),
        torn: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(disk: usize, offset_bytes: u64, data: &[u8]) -> Event {
        Event::Write {
            disk,
            offset_bytes,
            data: data.into(),
        }
    }

    /// Two disks; `a` is flushed on the first, `b` on none, `c` on the second.
    fn log() -> Log {
        let mut log = Log::new(vec![Image::new(8_192), Image::new(8_192)]);
        log.push(write(0, 0, b"a"));
        log.push(write(1, 0, b"c"));
        log.push(Event::Flush { disk: 0 });
        log.push(write(0, 1, b"b"));
        log.push(Event::Flush { disk: 1 });
        log.push(Event::Claim);
        log.push(write(0, 0, b"xyz"));
        log
    }

    fn content(log: &Log, crash: &Crash) -> [Vec<u8>; 2] {
        let disks = log.disks_after(crash);
        [disks[0].read(0, 3), disks[1].read(0, 3)]
    }

    #[test]
    fn a_prefix_holds_what_happened_before_it_and_nothing_else() {
        let log = log();
        assert_eq!(content(&log, &prefix(0)), [b"\0\0\0", b"\0\0\0"]);
        assert_eq!(content(&log, &prefix(2)), [b"a\0\0", b"c\0\0"]);
        assert_eq!(content(&log, &prefix(7)), [b"xyz", b"c\0\0"]);
    }

    #[test]
    fn the_most_forgetful_disk_keeps_what_was_flushed_on_it() {
        let log = log();
        assert_eq!(content(&log, &log.forgetful(2)), [b"\0\0\0", b"\0\0\0"]);
        assert_eq!(content(&log, &log.forgetful(4)), [b"a\0\0", b"\0\0\0"]);
        assert_eq!(content(&log, &log.forgetful(6)), [b"a\0\0", b"c\0\0"]);
    }

    #[test]
    fn a_torn_write_has_only_its_beginning() {
        let crash = Crash {
            torn: Some(2),
            ..prefix(7)
        };
        assert_eq!(content(&log(), &crash)[0], b"xy\0");
    }

    #[test]
    fn a_discarded_range_reads_as_zeros_unless_that_is_lost() {
        let mut log = log();
        log.push(Event::Zero {
            disk: 0,
            offset_bytes: 1,
            length_bytes: 1,
        });
        assert_eq!(content(&log, &prefix(8))[0], b"x\0z");
        let lost = Crash {
            lost: [7].into(),
            ..prefix(8)
        };
        assert_eq!(content(&log, &lost)[0], b"xyz");
    }

    #[test]
    fn a_claim_counts_from_the_moment_at_which_it_is_made() {
        let log = log();
        assert!(!log.is_claimed_at(&prefix(5)));
        assert!(log.is_claimed_at(&prefix(6)));
    }

    #[test]
    fn many_crashes_are_every_prefix_and_more_and_few_begin_at_the_claim() {
        let log = log();
        let many = log.crashes(1, 50, 1);
        assert_eq!(many.len(), 50);
        for at in [0, 1, 2, 4, 7] {
            assert!(many.contains(&prefix(at)), "{at}");
        }
        assert!(many.iter().any(|it| it.torn.is_some()));
        let few = log.crashes(1, 5, 1);
        assert_eq!(few[..3], [log.forgetful(6), prefix(6), prefix(7)]);
        assert_eq!(few.len(), 5);
        assert_eq!(few, log.crashes(1, 5, 1));
    }

    #[test]
    fn what_was_flushed_is_never_lost() {
        let log = log();
        for crash in log.crashes(3, 200, 1) {
            let [first, second] = content(&log, &crash);
            assert!(crash.at < 3 || crash.at == 7 || first[0] == b'a', "{crash}");
            assert!(crash.at < 5 || second[0] == b'c', "{crash}");
        }
    }
}
