//! Files whose content says which state it is: every page carries its file, its generation, its number
//! and their count, and the rest of it follows from these. So whoever finds a content can tell whether
//! the source ever had it.

use blit_conform::tree::Random;

/// What one write writes. The kernel changes the times of a file at each write, so that two pages of
/// different generations tell of a change in between.
pub(super) const PAGE_BYTES: usize = 4_096;

/// How a file moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    /// One page after the other is appended; a full file is replaced by a short one.
    Grows,
    /// Nobody touches it.
    Rests,
    /// Pages are overwritten in place, in an order that each generation has of its own.
    Rewritten,
    /// The same, and after each page the modification time is set back.
    RewrittenUnseen,
    /// Another file takes its name.
    Replaced,
    /// It is cut shorter page by page; what is left of it is replaced by a long one.
    Shrinks,
    /// Its directory is removed with all that is in it, and another one takes the name.
    Vanishes,
}

pub(super) const MOTIONS: [Motion; 7] = [
    Motion::Grows,
    Motion::Rests,
    Motion::Rewritten,
    Motion::RewrittenUnseen,
    Motion::Replaced,
    Motion::Shrinks,
    Motion::Vanishes,
];

impl Motion {
    /// The directory of its files.
    pub(super) fn directory(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Page `number` of `count` of a generation of a file.
pub(super) fn page(file: u64, generation: u64, number: u64, count: u64) -> Vec<u8> {
    let head = [file, generation, number, count];
    let seed = head.iter().fold(0x5eed, |seed: u64, it| {
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*it)
    });
    // One word again and again: a writer that computes is no fast writer.
    let [file, generation, number, count] = head.map(u64::to_le_bytes);
    let rest = seed.to_le_bytes().repeat(PAGE_BYTES / 8 - head.len());
    [&file[..], &generation, &number, &count, &rest].concat()
}

/// A whole generation of a file.
pub(super) fn whole(file: u64, generation: u64, count: u64) -> Vec<u8> {
    (0..count)
        .flat_map(|number| page(file, generation, number, count))
        .collect()
}

/// The order in which a generation overwrites the one before. Not from the front to the back: so read the
/// readers too, and whoever reads faster than is written would never be seen to mix.
pub(super) fn order(file: u64, generation: u64, count: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..count).collect();
    let mut random = Random::new(file ^ generation.rotate_left(32));
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    order
}

/// Which state of the file a content is: the generation of each page.
///
/// # Errors
/// In words, when the source never had it.
pub(super) fn state(motion: Motion, file: u64, content: &[u8]) -> Result<Vec<u64>, String> {
    if content.is_empty() || !content.len().is_multiple_of(PAGE_BYTES) {
        return Err(format!(
            "torn: {} bytes are not so many pages",
            content.len()
        ));
    }
    let mut generations = Vec::new();
    let mut counts = Vec::new();
    for (number, found) in content.chunks(PAGE_BYTES).enumerate() {
        let field = |at: usize| {
            let bytes = found[at * 8..at * 8 + 8].try_into().unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let (generation, count) = (field(1), field(3));
        if page(file, generation, number as u64, count) != found {
            return Err(format!("torn: page {number} is of no generation"));
        }
        generations.push(generation);
        counts.push(count);
    }
    let pages = generations.len() as u64;
    let is_one = generations.iter().all(|it| *it == generations[0]);
    let is_whole = counts.iter().all(|it| *it == pages);
    // Of two generations that follow, the new one has the first pages of its order.
    let newest = generations.iter().copied().max().unwrap_or_default();
    let is_new = |number: &u64| generations[*number as usize] == newest;
    let order = order(file, newest, pages);
    let written = order.iter().take_while(|it| is_new(it)).count();
    let rest = &order[written..];
    let is_cut = rest
        .iter()
        .all(|it| generations[*it as usize] + 1 == newest);
    let was_there = match motion {
        Motion::Grows | Motion::Shrinks => is_one,
        Motion::Rests | Motion::Replaced | Motion::Vanishes => is_one && is_whole,
        Motion::Rewritten | Motion::RewrittenUnseen => is_whole && is_cut,
    };
    if was_there {
        Ok(generations)
    } else {
        Err(format!(
            "mixed: generations {generations:?} of {counts:?} pages"
        ))
    }
}

#[test]
fn every_state_of_a_writer_is_told_from_a_mixture() {
    let [old, new, newer] = [4, 5, 6].map(|generation| whole(1, generation, 3));
    let cut = |a: &[u8], b: &[u8]| [&a[..PAGE_BYTES], &b[PAGE_BYTES..]].concat();
    for motion in MOTIONS {
        assert_eq!(state(motion, 1, &old), Ok(vec![4; 3]));
        assert!(state(motion, 2, &old).is_err(), "of another file");
        assert!(
            state(motion, 1, &cut(&old, &newer)).is_err(),
            "not of two that follow"
        );
        assert!(
            state(motion, 1, &cut(&newer, &old)).is_err(),
            "not of two that follow"
        );
        assert!(state(motion, 1, &old[..PAGE_BYTES + 1]).is_err(), "torn");
        assert!(state(motion, 1, &[]).is_err(), "empty");
        let mut flipped = old.clone();
        flipped[5_000] ^= 1;
        assert!(state(motion, 1, &flipped).is_err(), "a flipped bit");
    }
    let first = order(1, 5, 3)[0] as usize;
    let with_new = |number: usize| {
        let mut mixed = old.clone();
        let at = number * PAGE_BYTES;
        mixed[at..at + PAGE_BYTES].copy_from_slice(&new[at..at + PAGE_BYTES]);
        mixed
    };
    assert!(state(Motion::Rewritten, 1, &with_new(first)).is_ok());
    let second = order(1, 5, 3)[1] as usize;
    assert!(state(Motion::Rewritten, 1, &with_new(second)).is_err());
    assert!(state(Motion::Replaced, 1, &cut(&new, &old)).is_err());
    assert!(state(Motion::Grows, 1, &old[..PAGE_BYTES]).is_ok());
    assert!(state(Motion::Replaced, 1, &old[..PAGE_BYTES]).is_err());
}
