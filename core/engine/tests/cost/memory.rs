//! Goal M1: the peak of memory stays small, however large the tree is.

use blit_conform::is_long;

use crate::workload::{Workload, apart};

/// What a process may hold at 1,000,000 entries, and at 10,000,000.
const LIMITS_KIB: [(u64, u64); 2] = [(1_000_000, 64 << 10), (10_000_000, 128 << 10)];

/// What four times as many entries may cost more: an allocator's ups and downs.
const GROWTH_KIB: u64 = 6 << 10;

fn peak_kib(workload: Workload, entries: u64) -> u64 {
    let output = apart(workload, entries, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    let peak = said.lines().find_map(|line| {
        let kib = line.split_once("peak ")?.1.strip_suffix(" KiB")?;
        kib.parse().ok()
    });
    let peak = peak.unwrap_or_else(|| panic!("no peak in {said}"));
    eprintln!("{workload:?}: {entries} entries, {peak} KiB at the peak");
    peak
}

/// The peak does not grow from 50,000 entries to 200,000; in the long run the goal is measured.
fn stays_small(workload: Workload) {
    let (less, more) = (peak_kib(workload, 50_000), peak_kib(workload, 200_000));
    assert!(more <= LIMITS_KIB[0].1, "{more} KiB at 200,000 entries");
    assert!(
        more <= less + GROWTH_KIB,
        "{workload:?}: {less} KiB grew to {more}"
    );
    if is_long() {
        for (entries, limit) in LIMITS_KIB {
            let peak = peak_kib(workload, entries);
            assert!(
                peak <= limit,
                "{workload:?}: {peak} KiB at {entries} entries"
            );
        }
    }
}

#[test]
fn a_mirror_that_changes_nothing_needs_no_more_memory_for_more_entries() {
    stays_small(Workload::Unchanged);
}

#[test]
fn a_copy_needs_no_more_memory_for_more_entries() {
    stays_small(Workload::Copied);
}

#[test]
fn files_with_two_names_need_no_more_memory_for_more_of_them() {
    stays_small(Workload::UnchangedPairs);
}

/// Directories that are known and not yet entered are held, with what their parent said of them: the
/// one thing that grows with the tree. Goal M1 holds where half of a million entries are such, and
/// would not hold where half of ten million are.
#[test]
fn a_directory_that_waits_to_be_entered_costs_at_most_150_bytes() {
    let (less, more) = (50_000, 200_000);
    let grown = peak_kib(Workload::UnchangedSiblings, more)
        .saturating_sub(peak_kib(Workload::UnchangedSiblings, less));
    let bytes = (grown << 10) / ((more - less) / 2);
    eprintln!("{bytes} bytes for each directory that waits");
    assert!(bytes <= 150, "{bytes} bytes for each directory that waits");
    if is_long() {
        let (entries, limit) = LIMITS_KIB[0];
        assert!(peak_kib(Workload::UnchangedSiblings, entries) <= limit);
    }
}
