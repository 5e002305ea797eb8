//! Edits of a tree by seed: what happens to a source between two runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Random;
use super::random::{random_file, random_metadata};
use crate::remove_tree;

/// Does `edits` things to the tree at `root`: removes, rewrites, renames, links, adds, changes types
/// and metadata.
///
/// # Panics
/// When the tree cannot be read or written.
pub fn edit_tree(root: &Path, seed: u64, edits: usize) {
    let mut random = Random::new(seed);
    for _ in 0..edits {
        let mut entries = Vec::new();
        collect(root, &mut entries);
        entries.retain(|entry| has_room_beside(entry));
        let new = random.name();
        if entries.is_empty() {
            random_file(&root.join(new), &mut random);
            continue;
        }
        let entry = random.pick(&entries).clone();
        let beside = entry.with_file_name(new);
        if beside.symlink_metadata().is_ok() {
            continue;
        }
        edit(&entry, &beside, &mut random);
    }
}

/// Whether something of any name can be made beside the entry, and in it, by a path. Trees may be deeper.
fn has_room_beside(entry: &Path) -> bool {
    const PATH_BYTES_MAX: usize = 4_096;
    const NAMES_BYTES: usize = 2 * 256;
    let above = entry.parent().map_or(0, |it| it.as_os_str().len());
    above + NAMES_BYTES < PATH_BYTES_MAX
}

fn edit(entry: &Path, beside: &Path, random: &mut Random) {
    let is_file = entry.symlink_metadata().is_ok_and(|it| it.is_file());
    match random.below(8) {
        0 => remove_tree(entry).expect("it can be removed"),
        1 => fs::rename(entry, beside).expect("it can be renamed"),
        2 => random_file(beside, random),
        3 => {
            fs::create_dir(beside).expect("a new directory");
            random_file(&beside.join("inner"), random);
        }
        4 => replace(entry, random),
        5 if is_file => fs::hard_link(entry, beside).expect("another name"),
        6 if is_file => random_file(entry, random),
        _ => random_metadata(entry, random),
    }
}

/// Something of another type, or another file, at the same name.
fn replace(entry: &Path, random: &mut Random) {
    remove_tree(entry).expect("it can be removed");
    match random.below(3) {
        0 => fs::create_dir(entry).expect("a directory"),
        1 => symlink(random.name(), entry).expect("a symlink"),
        _ => random_file(entry, random),
    }
}

fn collect(directory: &Path, entries: &mut Vec<PathBuf>) {
    let mut here: Vec<PathBuf> = fs::read_dir(directory)
        .expect("a directory")
        .map(|it| it.expect("an entry").path())
        .collect();
    here.sort();
    for path in here {
        if path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            collect(&path, entries);
        }
        entries.push(path);
    }
}
