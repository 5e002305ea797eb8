//! Trees by seed.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use super::build::{attribute, set_times};
use crate::is_root;

/// A small generator (`SplitMix64`): the same seed gives the same tree on every machine.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator for `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// That many bytes.
    #[must_use]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8))
            .flat_map(|_| self.bits().to_le_bytes())
            .collect();
        bytes.truncate(count);
        bytes
    }

    /// A file name of any bytes but `/` and NUL.
    pub(super) fn name(&mut self) -> OsString {
        const LETTERS: &[u8] = b"abcdefABCDEF0123456789 ._-~\\:*\n\x1b\xc3\xa9\xff";
        let length = if self.one_in(20) {
            255
        } else {
            1 + self.below(12)
        };
        let mut name: Vec<u8> = (0..length).map(|_| *self.pick(LETTERS)).collect();
        if name == b"." || name == b".." {
            name.push(b'x');
        }
        OsString::from_vec(name)
    }
}

/// A tree of `entries` entries at `root`, with names, types, sizes, holes, times, modes, attributes
/// and links by `seed`. Everything in it is something that a copy keeps.
///
/// # Panics
/// When it cannot be built.
pub fn random_tree(root: &Path, seed: u64, entries: usize) {
    fs::create_dir_all(root).expect("the root");
    let mut random = Random::new(seed);
    let mut directories = vec![root.to_path_buf()];
    let mut files: Vec<PathBuf> = Vec::new();
    let mut made = Vec::new();
    while made.len() < entries {
        let path = random.pick(&directories).join(random.name());
        if path.symlink_metadata().is_ok() || path.as_os_str().len() > 3_500 {
            continue;
        }
        match random.below(10) {
            0..2 => {
                fs::create_dir(&path).expect("a directory");
                directories.push(path.clone());
            }
            2 => symlink(random.name(), &path).expect("a symlink"),
            3 if !files.is_empty() => {
                fs::hard_link(random.pick(&files), &path).expect("a hard link")
            }
            _ => {
                random_file(&path, &mut random);
                files.push(path.clone());
            }
        }
        made.push(path);
    }
    // Deepest first: what is done in a directory changes its times.
    made.iter()
        .rev()
        .for_each(|path| random_metadata(path, &mut random));
    set_times(root, (1_600_000_000, 7));
}

pub(super) fn random_file(path: &Path, random: &mut Random) {
    let size_bytes = match random.below(8) {
        0 => 0,
        1 => random.below(300_000),
        _ => random.below(6_000),
    };
    if random.one_in(8) {
        let file = File::create(path).expect("a sparse file");
        file.set_len(2 << 20).expect("its length");
        file.write_all_at(&random.bytes(size_bytes), random.below(1 << 20) as u64)
            .expect("its data");
    } else {
        fs::write(path, random.bytes(size_bytes)).expect("a file");
    }
}

/// New metadata for the entry at `path`.
pub(super) fn random_metadata(path: &Path, random: &mut Random) {
    let found = path.symlink_metadata().expect("it was made");
    if is_root() && random.one_in(4) {
        lchown(
            path,
            Some(random.below(3_000) as u32),
            Some(random.below(3_000) as u32),
        )
        .expect("root may");
    }
    if !found.is_symlink() {
        if random.one_in(5) {
            // A file system without attributes makes an easier tree, not a wrong one.
            let length = random.below(60);
            let _ = attribute(path, b"user.random", &random.bytes(length));
        }
        let bits = random.below(0o1000) as u32;
        let mode = if is_root() { bits } else { bits | 0o700 };
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
    }
    let seconds = random.below(1 << 32) as i64 - (1 << 31);
    set_times(path, (seconds, random.below(1_000_000_000) as i64));
}
