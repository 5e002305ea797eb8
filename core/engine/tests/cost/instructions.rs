//! How many instructions an entry takes: a regression shows here however busy the machine is.
//!
//! callgrind counts a session of so many entries and one of twice as many; the difference leaves out
//! what starting costs. Two runs differ by 0.2 % at most. The figures are those of builds for
//! debugging, which the tests are: they hold an algorithm, not what the optimiser makes of it.

use blit_conform::{need_tool, skip};

use crate::workload::{Workload, apart};

/// How many entries the smaller session has.
const ENTRIES: u64 = 2_000;

/// By how many percent a figure may be off.
const BAND_PERCENT: u64 = 5;

/// Instructions for each entry. A change that is meant comes with its new figure, and says why.
const PLANNED: u64 = 7_168;
/// With what judges a listing (each entry once, in order, in a directory that was named) 900 more.
const UNCHANGED: u64 = 18_000;
const COPIED: u64 = 55_000;

fn instructions(workload: Workload, entries: u64) -> u64 {
    let callgrind = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
    ];
    let output = apart(workload, entries, &callgrind);
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said
        .lines()
        .find_map(|it| it.split_once("Collected : ")?.1.parse().ok());
    collected.unwrap_or_else(|| panic!("no figure in {said}"))
}

fn holds(workload: Workload, committed: u64) {
    if !cfg!(debug_assertions) {
        return skip("the instructions are those of builds for debugging");
    }
    if !need_tool("valgrind") {
        return;
    }
    let (once, twice) = (
        instructions(workload, ENTRIES),
        instructions(workload, 2 * ENTRIES),
    );
    let each = (twice - once) / ENTRIES;
    eprintln!(
        "{workload:?}: {each} instructions for each of {ENTRIES} entries, {committed} committed"
    );
    assert!(
        each.abs_diff(committed) * 100 <= committed * BAND_PERCENT,
        "{workload:?}: {each} instructions for each entry, not {committed} ± {BAND_PERCENT} %; \
         if that is meant, change the figure in {}",
        file!()
    );
}

#[test]
fn a_planned_item_takes_as_many_instructions_as_committed() {
    holds(Workload::Planned, PLANNED);
}

#[test]
fn an_entry_that_needs_nothing_takes_as_many_instructions_as_committed() {
    holds(Workload::Unchanged, UNCHANGED);
}

#[test]
fn a_small_file_that_is_copied_takes_as_many_instructions_as_committed() {
    holds(Workload::Copied, COPIED);
}
