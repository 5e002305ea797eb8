//! The trees that are copied: described first, so that two states of one tree can be told apart.

use crate::random::Random;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The extended attribute that a share of the files has.
const ATTRIBUTE: &str = "user.blit.bench";
/// Modes as they occur: most plain, some private, some programs, some read-only.
const MODES: &[u32] = &[0o644, 0o644, 0o644, 0o640, 0o600, 0o755, 0o444];
/// Owners and groups, when the harness may set them.
const OWNERS: &[(u32, u32)] = &[(0, 0), (33, 33), (1000, 1000), (1000, 100)];
/// 2020-01-01, the oldest time of a file, in seconds since 1970.
const OLDEST_S: u64 = 1_577_836_800;
/// How far the times are spread: six years.
const SPREAD_S: u64 = 6 * 365 * 86_400;
/// Bytes written in one call.
const BLOCK_BYTES: usize = 1 << 20;

/// A tree, described.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Its files, in any order.
    pub files: Vec<FileSpec>,
    /// Its directories below the root, with the time of each.
    pub directories: Vec<(PathBuf, SystemTime)>,
}

/// A file, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Its path below the root.
    pub path: PathBuf,
    /// Its length.
    pub size_bytes: u64,
    /// What its contents are made from.
    pub seed: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner and group; `None` leaves whoever runs the harness.
    pub owner: Option<(u32, u32)>,
    /// Its modification time, to the nanosecond.
    pub modified: SystemTime,
    /// Whether it has an extended attribute.
    pub has_attribute: bool,
}

impl Tree {
    /// `count` small files of 1–10 KiB in directories of a hundred.
    #[must_use]
    pub fn small(count: u64, random: &mut Random) -> Self {
        let mut tree = Self::default();
        for directory in 0..count.div_ceil(100) {
            let path = PathBuf::from(format!("d{directory:04}"));
            let files = 100.min(count - directory * 100);
            let sizes = |random: &mut Random| random.between(1_024, 10_240);
            tree.add_directory(&path, files, random, sizes);
        }
        tree
    }

    /// `count` files without content in directories of a hundred: nothing but entries.
    #[must_use]
    pub fn empty_files(count: u64, random: &mut Random) -> Self {
        let mut tree = Self::small(count, random);
        for file in &mut tree.files {
            file.size_bytes = 0;
        }
        tree
    }

    /// One file.
    #[must_use]
    pub fn single(size_bytes: u64, random: &mut Random) -> Self {
        let file = file(PathBuf::from("large.bin"), size_bytes, random);
        Self {
            files: vec![file],
            directories: Vec::new(),
        }
    }

    /// Tiny files, one large one, and many between: what a home directory looks like.
    #[must_use]
    pub fn mixed(divisor: u64, random: &mut Random) -> Self {
        let mut tree = Self::single((512 << 20) / divisor, random);
        tree.add_directory(Path::new("tiny"), 5_000 / divisor, random, |_| 2_048);
        let middling = |random: &mut Random| random.spread(1_024, 10 << 20);
        tree.add_directory(Path::new("middling"), 1_000 / divisor, random, middling);
        tree
    }

    /// The tree after a day's work: 1 % of the files changed, 1 % gone, 1 % new.
    #[must_use]
    pub fn edited(&self, random: &mut Random) -> Self {
        let mut after = Self {
            files: Vec::new(),
            directories: self.directories.clone(),
        };
        for (index, before) in self.files.iter().enumerate() {
            match index % 100 {
                10 => after.files.push(changed(before, random)),
                20 => {}
                30 => {
                    let added = before.path.with_extension("new");
                    after
                        .files
                        .push(file(added, random.between(1_024, 10_240), random));
                    after.files.push(before.clone());
                }
                _ => after.files.push(before.clone()),
            }
        }
        after
    }

    /// The lengths of all files together.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|it| it.size_bytes).sum()
    }

    /// Makes the tree at `root`, which must not exist.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(root)?;
        for (path, _) in &self.directories {
            fs::create_dir(root.join(path))?;
        }
        let mut block = vec![0; BLOCK_BYTES];
        for file in &self.files {
            file.write(root, &mut block)?;
        }
        // Last, because every file that is made changes the time of its directory.
        for (path, modified) in &self.directories {
            set_modified(&File::open(root.join(path))?, *modified)?;
        }
        set_modified(
            &File::open(root)?,
            SystemTime::UNIX_EPOCH + Duration::from_secs(OLDEST_S),
        )
    }

    fn add_directory(
        &mut self,
        path: &Path,
        files: u64,
        random: &mut Random,
        size_bytes: impl Fn(&mut Random) -> u64,
    ) {
        self.directories.push((path.to_owned(), time(random)));
        for index in 0..files {
            let size_bytes = size_bytes(random);
            self.files
                .push(file(path.join(format!("f{index:05}")), size_bytes, random));
        }
    }
}

impl FileSpec {
    fn write(&self, root: &Path, block: &mut [u8]) -> io::Result<()> {
        let path = root.join(&self.path);
        let mut file = File::create(&path)?;
        let mut random = Random::new(self.seed);
        let mut left_bytes = self.size_bytes;
        while left_bytes > 0 {
            let length = usize::try_from(left_bytes).map_or(block.len(), |it| it.min(block.len()));
            random.fill(&mut block[..length]);
            file.write_all(&block[..length])?;
            left_bytes -= length as u64;
        }
        self.describe(&path, &file)
    }

    /// Metadata: the owner first, because changing it takes away set-id bits; the time last.
    fn describe(&self, path: &Path, file: &File) -> io::Result<()> {
        if self.has_attribute {
            xattr::set(path, ATTRIBUTE, &self.seed.to_le_bytes())?;
        }
        if let Some((user, group)) = self.owner {
            chown(path, Some(user), Some(group))?;
        }
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        set_modified(file, self.modified)
    }
}

fn file(path: PathBuf, size_bytes: u64, random: &mut Random) -> FileSpec {
    let is_root = rustix::process::geteuid().is_root();
    FileSpec {
        path,
        size_bytes,
        seed: random.number(),
        mode: pick(MODES, random),
        owner: is_root.then(|| pick(OWNERS, random)),
        modified: time(random),
        has_attribute: random.between(0, 7) == 0,
    }
}

fn changed(before: &FileSpec, random: &mut Random) -> FileSpec {
    FileSpec {
        size_bytes: random.between(1_024, 10_240),
        seed: random.number(),
        modified: before.modified + Duration::from_secs(86_400),
        ..before.clone()
    }
}

fn pick<T: Copy>(from: &[T], random: &mut Random) -> T {
    from[random.between(0, from.len() as u64 - 1) as usize]
}

fn time(random: &mut Random) -> SystemTime {
    let seconds = OLDEST_S + random.between(0, SPREAD_S);
    let nanoseconds = random.between(0, 999_999_999) as u32;
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

fn set_modified(file: &File, modified: SystemTime) -> io::Result<()> {
    file.set_times(
        FileTimes::new()
            .set_accessed(modified)
            .set_modified(modified),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_describes_the_same_tree_again() {
        let tree = |seed| Tree::small(300, &mut Random::new(seed)).files;
        assert_eq!(tree(5), tree(5));
        assert_ne!(tree(5), tree(6));
    }

    #[test]
    fn small_files_lie_in_directories_of_a_hundred() {
        let tree = Tree::small(250, &mut Random::new(1));
        assert_eq!((tree.files.len(), tree.directories.len()), (250, 3));
        assert!(
            tree.files
                .iter()
                .all(|it| (1_024..=10_240).contains(&it.size_bytes))
        );
    }

    #[test]
    fn an_edited_tree_has_one_in_a_hundred_changed_gone_and_new() {
        let before = Tree::small(1_000, &mut Random::new(1));
        let after = before.edited(&mut Random::new(2));
        let same = |it: &&FileSpec| before.files.contains(it);
        let known = |it: &&FileSpec| before.files.iter().any(|old| old.path == it.path);
        assert_eq!(after.files.len(), 1_000);
        assert_eq!(after.files.iter().filter(same).count(), 980);
        assert_eq!(after.files.iter().filter(known).count(), 990);
    }

    #[test]
    fn what_is_written_is_what_was_described() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        let tree = Tree::small(20, &mut Random::new(3));
        tree.write(&root).unwrap();
        for file in &tree.files {
            let metadata = fs::metadata(root.join(&file.path)).unwrap();
            assert_eq!(metadata.len(), file.size_bytes);
            assert_eq!(metadata.modified().unwrap(), file.modified);
            assert_eq!(metadata.permissions().mode() & 0o7777, file.mode);
        }
        let directory = fs::metadata(root.join(&tree.directories[0].0)).unwrap();
        assert_eq!(directory.modified().unwrap(), tree.directories[0].1);
    }
}
