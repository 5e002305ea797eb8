//! Builders of trees: nasty ones by number, random ones by seed, and edits of both.

mod build;
mod content;
mod deep;
mod edit;
mod links;
mod many;
mod metadata;
mod names;
mod random;
mod specials;

use std::io;
use std::path::Path;

pub use build::set_times;
pub use deep::deep_tree;
pub use edit::edit_tree;
pub use many::many_small_files;
pub use random::{Random, random_tree};
pub use specials::special_files;

use crate::{is_root, skip};

/// A nasty case: its number in the catalogue of the reliability chapter, and how to build it.
#[derive(Debug)]
pub struct Case {
    /// The number, which stays.
    pub number: u32,
    /// What is nasty, as a file name.
    pub name: &'static str,
    /// Builds it in an existing empty directory.
    pub build: fn(&Path) -> io::Result<()>,
}

/// All cases that a copy keeps exactly.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [names::CASES, links::CASES, content::CASES, metadata::CASES]
        .into_iter()
        .flatten()
}

/// Builds every case below `root`, each in a directory of its own.
///
/// What this machine cannot build (no access lists, not root) is said to be skipped.
///
/// # Panics
/// When something else prevents it.
pub fn nasty_tree(root: &Path) {
    std::fs::create_dir_all(root).expect("the root of the tree");
    for case in cases() {
        nasty_case(root, case);
    }
    set_times(root, (1_600_000_000, 111_111_111));
}

/// Builds one case in a directory of its own below `root`; false if this machine cannot.
///
/// # Panics
/// When something else prevents it.
pub fn nasty_case(root: &Path, case: &Case) -> bool {
    let place = root.join(format!("{:02}-{}", case.number, case.name));
    std::fs::create_dir(&place).expect("a directory for the case");
    match (case.build)(&place) {
        Ok(()) => true,
        Err(error) if cannot(&error) => {
            skip(&format!("case {} {}: {error}", case.number, case.name));
            false
        }
        Err(error) => panic!("case {} {}: {error}", case.number, case.name),
    }
}

fn cannot(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::Unsupported => true,
        io::ErrorKind::PermissionDenied => !is_root(),
        // XFS keeps link targets of at most 1,023 bytes.
        io::ErrorKind::InvalidFilename => true,
        _ => false,
    }
}

/// A table of cases: a number and the function that builds it, whose name is the case's.
macro_rules! catalogue {
    ($($number:literal $build:ident)*) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { number: $number, name: stringify!($build), build: $build }),*];
    };
}
use catalogue;
