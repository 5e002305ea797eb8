//! Those who write while a run reads.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blit_conform::tree::{Random, set_times};

use super::states::{Motion, PAGE_BYTES, order, page, whole};

/// Pages of a full file: some are packed with others, and some are read in ranges.
const PAGES: [u64; 4] = [1, 7, 64, 272];

/// One file that moves.
#[derive(Debug, Clone)]
pub(super) struct Moving {
    pub(super) motion: Motion,
    pub(super) number: u64,
    /// Below the root of the tree.
    pub(super) path: String,
    generation: u64,
    pages: u64,
    /// How far the writer is in its generation.
    at: u64,
    order: Vec<u64>,
}

impl Moving {
    fn new(motion: Motion, number: u64) -> Self {
        let pages = match motion {
            // Many are made again and again, and that shall not take the time of the others.
            Motion::Vanishes => PAGES[number as usize % 2],
            _ => PAGES[number as usize % PAGES.len()],
        };
        // Directories that vanish hold several files.
        let inner = if motion == Motion::Vanishes {
            format!("{}/", number % 3)
        } else {
            String::new()
        };
        Self {
            motion,
            number,
            path: format!("{}/{inner}{number}", motion.directory()),
            generation: 1,
            pages,
            order: Vec::new(),
            at: if motion == Motion::Grows { 1 } else { pages },
        }
    }

    fn page(&self, number: u64) -> Vec<u8> {
        page(self.number, self.generation, number, self.pages)
    }

    /// What it has when the writer begins.
    pub(super) fn first(&self) -> Vec<u8> {
        let mut content = whole(self.number, self.generation, self.pages);
        content.truncate(self.at as usize * PAGE_BYTES);
        content
    }

    /// One step of its writer.
    fn step(&mut self, root: &Path, aside: &Path) -> std::io::Result<()> {
        let path = root.join(&self.path);
        let open = || OpenOptions::new().write(true).open(&path);
        match self.motion {
            Motion::Rests | Motion::Vanishes => Ok(()),
            Motion::Grows if self.at < self.pages => {
                open()?.write_all_at(&self.page(self.at), self.at * PAGE_BYTES as u64)?;
                self.at += 1;
                Ok(())
            }
            Motion::Shrinks if self.at > 1 => {
                self.at -= 1;
                open()?.set_len(self.at * PAGE_BYTES as u64)
            }
            Motion::Grows | Motion::Shrinks | Motion::Replaced => {
                self.generation += 1;
                self.at = if self.motion == Motion::Grows {
                    1
                } else {
                    self.pages
                };
                fs::write(aside, self.first())?;
                // A move may have removed its directory.
                while let Err(error) = fs::rename(aside, &path) {
                    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                    fs::create_dir_all(path.parent().unwrap())?;
                }
                Ok(())
            }
            Motion::Rewritten | Motion::RewrittenUnseen => {
                if self.at == self.pages {
                    (self.at, self.generation) = (0, self.generation + 1);
                    self.order = order(self.number, self.generation, self.pages);
                }
                let number = self.order[self.at as usize];
                open()?.write_all_at(&self.page(number), number * PAGE_BYTES as u64)?;
                self.at += 1;
                if self.motion == Motion::RewrittenUnseen {
                    set_times(&path, (1_400_000_000, 5));
                }
                Ok(())
            }
        }
    }
}

/// A tree with files of these motions.
pub(super) fn plant(root: &Path, motions: &[Motion], of_each: u64) -> Vec<Moving> {
    let mut files = Vec::new();
    for (at, motion) in motions.iter().enumerate() {
        for number in 0..of_each {
            let file = Moving::new(*motion, at as u64 * of_each + number);
            let path = root.join(&file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, file.first()).unwrap();
            set_times(&path, (1_400_000_000, 5));
            files.push(file);
        }
    }
    files
}

/// How many steps the writers made.
pub(super) struct Written {
    pub(super) steps: u64,
}

/// Runs `action` while two writers are at work on `files` below `root`; they begin before it does.
pub(super) fn while_writing(
    root: &Path,
    aside: &Path,
    files: &mut [Moving],
    seed: u64,
    action: impl FnOnce(),
) -> Written {
    let (done, steps) = (AtomicBool::new(false), AtomicU64::new(0));
    let (busy, vanishing): (Vec<_>, Vec<_>) = files
        .iter_mut()
        .partition(|it| it.motion != Motion::Vanishes);
    std::thread::scope(|scope| {
        let (done, steps) = (&done, &steps);
        scope.spawn(move || rewrite(root, aside, busy, seed, done, steps));
        scope.spawn(move || remove(root, aside, vanishing, seed, done, steps));
        while steps.load(Ordering::Relaxed) < 10 {
            std::thread::yield_now();
        }
        action();
        done.store(true, Ordering::Relaxed);
    });
    Written {
        steps: steps.into_inner(),
    }
}

/// Steps through files by chance: a while with one, as programs do, then with another.
fn rewrite(
    root: &Path,
    aside: &Path,
    mut files: Vec<&mut Moving>,
    seed: u64,
    done: &AtomicBool,
    steps: &AtomicU64,
) {
    let mut random = Random::new(seed);
    let aside = aside.join("written");
    // Most of the time it takes small steps in two of those that take long to be read: these never rest.
    let is_long = |at: &usize| {
        let file = &files[*at];
        let is_replaced = matches!(file.motion, Motion::Replaced | Motion::Rests);
        !is_replaced && file.pages == PAGES[PAGES.len() - 1]
    };
    let mut long: Vec<usize> = (0..files.len()).filter(is_long).collect();
    while long.len() > 2 {
        long.swap_remove(random.below(long.len()));
    }
    while !done.load(Ordering::Relaxed) {
        let (at, steps_max) = if long.is_empty() || random.one_in(8) {
            (random.below(files.len()), 3)
        } else {
            (*random.pick(&long), 20)
        };
        for _ in 0..random.below(steps_max) {
            files[at].step(root, &aside).unwrap();
            steps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Removes a directory and all that is in it; another one, with the next generation, takes its name.
fn remove(
    root: &Path,
    aside: &Path,
    mut files: Vec<&mut Moving>,
    seed: u64,
    done: &AtomicBool,
    steps: &AtomicU64,
) {
    let mut random = Random::new(!seed);
    while !files.is_empty() && !done.load(Ordering::Relaxed) {
        let inner = format!("{}/{}", Motion::Vanishes.directory(), random.below(3));
        let (old, new) = (root.join(&inner), aside.join("made"));
        fs::create_dir_all(&new).unwrap();
        for file in files.iter_mut().filter(|it| it.path.starts_with(&inner)) {
            file.generation += 1;
            let name = PathBuf::from(&file.path);
            fs::write(new.join(name.file_name().unwrap()), file.first()).unwrap();
        }
        fs::remove_dir_all(&old).unwrap();
        std::thread::yield_now();
        fs::rename(&new, &old).unwrap();
        steps.fetch_add(1, Ordering::Relaxed);
    }
}
