//! Runs a program on disks that are recorded, and looks at what a power loss would have left.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Crash, Image, Log, Recorder};
use crate::volume::{FileSystem, Mounted};
use crate::{Broken, Promise, Scratch, Snapshot, judge_claim, judge_crash};

/// What a program did to its disks, from the first write to a clean unmount.
#[derive(Debug)]
pub struct Recording {
    kinds: Vec<FileSystem>,
    log: Log,
    old: Snapshot,
    new: Snapshot,
    // Dropped in this order.
    _memory: Mounted,
    scratch: Scratch,
}

impl Recording {
    /// Makes a disk of each of `kinds`, mounts them as `0`, `1` and so on below a directory, lets
    /// `plant` fill that directory, and records what `run` does to it. When `run` is back, the
    /// program has claimed that everything is safe.
    ///
    /// # Panics
    /// When anything of this cannot be done.
    #[must_use]
    pub fn of(kinds: &[FileSystem], plant: impl FnOnce(&Path), run: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new();
        let memory = Mounted::memory(&scratch.path("memory")).expect("memory to work in");
        let bench = Place::new(&scratch, kinds);
        let (disks, old) = bench.planted(plant);
        let (log, new) = bench.recorded(disks, run);
        Self {
            kinds: kinds.to_vec(),
            log,
            old,
            new,
            _memory: memory,
            scratch,
        }
    }

    /// Everything that reached the disks.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// The tree before the program ran.
    #[must_use]
    pub const fn before(&self) -> &Snapshot {
        &self.old
    }

    /// The tree when it claimed to be done.
    #[must_use]
    pub const fn claimed(&self) -> &Snapshot {
        &self.new
    }

    /// That many crashes by `seed`, the most telling first.
    #[must_use]
    pub fn crashes(&self, seed: u64, count: usize) -> Vec<Crash> {
        self.log.crashes(seed, count, SECTOR_BYTES)
    }

    /// Mounts what `crash` leaves, which the file system repairs, and shows it to `look`.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn after<T>(&self, crash: &Crash, look: impl FnOnce(&Path) -> T) -> io::Result<T> {
        let place = Place::new(&self.scratch, &self.kinds);
        place.saved(&self.log.disks_after(crash))?;
        let mounted = place.mounted()?;
        let seen = look(&place.root);
        mounted.into_iter().try_for_each(Mounted::unmount)?;
        place.cleared()?;
        Ok(seen)
    }

    /// What `crash` breaks of what was promised: each name is old or new, and what was claimed is
    /// there. `more` judges what else was promised, and may change the tree: nobody else sees it.
    #[must_use]
    pub fn judge(
        &self,
        crash: &Crash,
        more: impl FnOnce(&Path, &Snapshot) -> Vec<Broken>,
    ) -> Vec<Broken> {
        let judged = self.after(crash, |root| {
            let now = Snapshot::of(root);
            let mut broken = judge_crash(&self.old, &self.new, &now);
            if self.log.is_claimed_at(crash) {
                broken.extend(judge_claim(&self.new, &now));
            }
            broken.extend(more(root, &now));
            broken.retain(|it| !it.path.ends_with(NEIGHBOUR.as_bytes()));
            broken
        });
        judged.unwrap_or_else(|error| {
            vec![Broken {
                path: Vec::new(),
                promise: Promise::Mountable,
                detail: error.to_string(),
            }]
        })
    }
}

/// Where the disks are kept as files in memory, and where they are mounted.
struct Place<'a> {
    scratch: &'a Scratch,
    kinds: &'a [FileSystem],
    root: PathBuf,
}

impl<'a> Place<'a> {
    fn new(scratch: &'a Scratch, kinds: &'a [FileSystem]) -> Self {
        let root = scratch.directory("place");
        Self {
            scratch,
            kinds,
            root,
        }
    }

    fn image(&self, disk: usize) -> PathBuf {
        self.scratch.path(format!("memory/{disk}"))
    }

    fn mount(&self, image: impl Fn(usize) -> PathBuf) -> io::Result<Vec<Mounted>> {
        let disks = self.kinds.iter().enumerate();
        let mounted = disks.map(|(disk, kind)| {
            let at = self.root.join(disk.to_string());
            Mounted::image(*kind, &image(disk), &at)
        });
        mounted.collect()
    }

    fn mounted(&self) -> io::Result<Vec<Mounted>> {
        self.mount(|disk| self.image(disk))
    }

    fn saved(&self, disks: &[Image]) -> io::Result<()> {
        self.cleared()?;
        let mut numbered = disks.iter().enumerate();
        numbered.try_for_each(|(disk, image)| image.save(&self.image(disk)))
    }

    fn cleared(&self) -> io::Result<()> {
        let images = (0..self.kinds.len()).map(|disk| self.image(disk));
        images
            .filter(|it| it.exists())
            .try_for_each(std::fs::remove_file)
    }

    fn planted(&self, plant: impl FnOnce(&Path)) -> (Vec<Image>, Snapshot) {
        for (disk, kind) in self.kinds.iter().enumerate() {
            kind.make(&self.image(disk));
        }
        let mounted = self.mounted().expect("new file systems");
        for path in self.neighbours() {
            std::fs::write(path, "x").expect("a file of somebody else");
        }
        plant(&self.root);
        let old = Snapshot::of(&self.root);
        unmount(mounted);
        let disks = (0..self.kinds.len()).map(|disk| Image::load(&self.image(disk)));
        (disks.collect::<io::Result<_>>().expect("their images"), old)
    }

    fn recorded(&self, disks: Vec<Image>, run: impl FnOnce(&Path)) -> (Log, Snapshot) {
        let files = self.scratch.directory("disks");
        let recorder = Recorder::mount(disks, &files).expect("a recorder");
        let mounted = self
            .mount(|disk| recorder.file(disk))
            .expect("recorded disks");
        std::thread::scope(|scope| {
            // Dropped when the run is over, also if it panics.
            let (_running, over) = std::sync::mpsc::channel::<()>();
            scope.spawn(|| self.commit_often(over));
            run(&self.root);
            recorder.claim();
        });
        let new = Snapshot::of(&self.root);
        unmount(mounted);
        (recorder.finish().expect("nobody uses the disks"), new)
    }
}

impl Place<'_> {
    /// Somebody else works on the same disks and syncs one file of his again and again, so that the
    /// journal commits at any moment: what is only safe in one piece with the next sync is found.
    fn commit_often(&self, over: Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(PAUSE) {
            for path in self.neighbours() {
                let file = OpenOptions::new().write(true).open(path);
                let file = file.expect("it was planted");
                file.write_all_at(b"x", 0).expect("there is room");
                file.sync_all().expect("it can be synced");
            }
        }
    }

    fn neighbours(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.kinds.len()).map(|disk| self.root.join(format!("{disk}/{NEIGHBOUR}")))
    }
}

/// The file of somebody else on each disk, which the program has nothing to do with.
const NEIGHBOUR: &str = "neighbour";

/// Often enough for tens of commits in a run, and seldom enough for the run to come forward.
const PAUSE: Duration = Duration::from_millis(5);

fn unmount(mounted: Vec<Mounted>) {
    let unmounted = mounted.into_iter().try_for_each(Mounted::unmount);
    unmounted.expect("nobody works in it");
}

/// What a disk writes as a whole, and what file systems take for granted: the superblocks of ext4 and
/// btrfs and the blocks of XFS have nothing to repair them if they are torn in smaller pieces.
const SECTOR_BYTES: usize = 4096;
