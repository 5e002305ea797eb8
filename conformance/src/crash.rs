//! Judges a tree after a crash: what was promised of it, and what was not kept.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Options, Snapshot};

/// Something that must hold after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Every name holds what it held or what it shall hold, never a part or a mixture (K1).
    Whole,
    /// A name that had something and shall have something has something (K1).
    Kept,
    /// A file that is new has its owner, mode, times and attributes from the start (K1).
    Finished,
    /// What is to be replaced by another type is all there, or replaced (K6).
    Exchanged,
    /// What was claimed to be safe is there, and all of it (K4).
    Safe,
    /// What was to be moved is in at least one place, and complete (K5).
    Somewhere,
    /// The same command again ends as if nothing had happened (K3).
    Repeatable,
    /// The file system itself can be mounted; otherwise the bench is wrong.
    Mountable,
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where, as bytes with `/` between names.
    pub path: Vec<u8>,
    /// Which one.
    pub promise: Promise,
    /// What is there instead, for a reader.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            promise,
            detail,
        } = self;
        let detail: String = detail.chars().take(200).collect();
        write!(f, "{promise:?} /{}: {detail}", path.escape_ascii())
    }
}

/// The same, because a list of bytes says nothing to the reader of a failed test.
impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether it is, or lies below, unfinished work of blit, which may stay behind (K2).
#[must_use]
pub fn is_unfinished(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|name| name.starts_with(b".blit~") && name.len() == 28)
}

/// What a crash on the way from `old` to `new` broke in `now`. One entry is named once for a promise.
#[must_use]
pub fn judge_crash(old: &Snapshot, new: &Snapshot, now: &Snapshot) -> Vec<Broken> {
    let mut broken = Vec::new();
    let all: BTreeSet<Vec<u8>> = [old, new, now].iter().flat_map(|it| it.paths()).collect();
    for path in all.into_iter().filter(|path| is_judged(path)) {
        let [was, shall, is] = [old, new, now].map(|it| it.content_of(&path));
        let mut note = |promise, detail: String| {
            broken.push(Broken {
                path: path.clone(),
                promise,
                detail,
            });
        };
        if is.is_none() && was.is_some() && shall.is_some() {
            note(Promise::Kept, "gone".into());
        } else if is != was && is != shall {
            note(Promise::Whole, format!("{is:?}, not {was:?} or {shall:?}"));
        } else if is_new_file(&was, &shall, &is) {
            let (wanted, found) = (new.metadata_of(&path), now.metadata_of(&path));
            if wanted != found {
                note(Promise::Finished, format!("{found:?}, not {wanted:?}"));
            }
        } else if is == was
            && is_directory(&was)
            && shall.is_some()
            && !is_directory(&shall)
            && let Some(lost) = first_lost_below(&path, old, now)
        {
            note(Promise::Exchanged, format!("without {lost}"));
        }
    }
    broken
}

/// A link cannot have its metadata before it has its name, so only files are asked.
fn is_new_file(was: &Option<String>, shall: &Option<String>, is: &Option<String>) -> bool {
    let is_file = is.as_deref().is_some_and(|it| it.starts_with("File"));
    is_file && is == shall && is != was
}

fn is_directory(content: &Option<String>) -> bool {
    content.as_deref() == Some("Directory")
}

/// What was below `directory` and is not there any more.
fn first_lost_below(directory: &[u8], old: &Snapshot, now: &Snapshot) -> Option<String> {
    let inside = [directory, b"/"].concat();
    let mut below = old.paths().into_iter().filter(|it| it.starts_with(&inside));
    let lost = below.find(|path| now.content_of(path) != old.content_of(path))?;
    Some(lost.escape_ascii().to_string())
}

/// What is not as in `new`, though it was claimed to be safe.
#[must_use]
pub fn judge_claim(new: &Snapshot, now: &Snapshot) -> Vec<Broken> {
    let differences = new.differences(now, Options::exact());
    let judged = differences.into_iter().filter(|it| is_judged(&it.path));
    let broken = judged.map(|it| Broken {
        detail: format!("{:?} {}", it.what, it.detail),
        path: it.path,
        promise: Promise::Safe,
    });
    broken.collect()
}

/// What was below `from` in `old`, and is neither there nor below `to`, as in `new`.
#[must_use]
pub fn judge_move(
    (old, new, now): (&Snapshot, &Snapshot, &Snapshot),
    (from, to): (&str, &str),
) -> Vec<Broken> {
    let mut broken = Vec::new();
    let inside = format!("{from}/");
    for path in old.paths() {
        let Some(below) = path.strip_prefix(inside.as_bytes()) else {
            continue;
        };
        let target = [to.as_bytes(), b"/", below].concat();
        let stays = now.content_of(&path) == old.content_of(&path);
        let came = now.content_of(&target);
        if !stays && (came.is_none() || came != new.content_of(&target)) {
            broken.push(Broken {
                path,
                promise: Promise::Somewhere,
                detail: format!("at the target: {came:?}"),
            });
        }
    }
    broken
}

/// Neither our own unfinished work, nor what a file system keeps for itself.
fn is_judged(path: &[u8]) -> bool {
    !is_unfinished(path)
        && !path
            .split(|byte| *byte == b'/')
            .any(|it| it == b"lost+found")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::Scratch;
    use crate::tree::set_times;

    /// Three trees, to be spoilt.
    struct Trees {
        scratch: Scratch,
    }

    impl Trees {
        fn new(old: &[(&str, &str)], new: &[(&str, &str)], now: &[(&str, &str)]) -> Self {
            let trees = Self {
                scratch: Scratch::new(),
            };
            for (name, files) in [("old", old), ("new", new), ("now", now)] {
                let root = trees.scratch.directory(name);
                for (path, content) in files {
                    write(&root.join(path), content);
                }
            }
            trees
        }

        fn snapshots(&self) -> [Snapshot; 3] {
            ["old", "new", "now"].map(|it| Snapshot::of(&self.scratch.path(it)))
        }

        fn judged(&self) -> Vec<(String, Promise)> {
            let [old, new, now] = self.snapshots();
            named(judge_crash(&old, &new, &now))
        }
    }

    fn write(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        set_times(path, (1_000, 5));
    }

    fn named(broken: Vec<Broken>) -> Vec<(String, Promise)> {
        let name = |it: Broken| (String::from_utf8(it.path).unwrap(), it.promise);
        broken.into_iter().map(name).collect()
    }

    #[test]
    fn old_or_new_each_for_itself_breaks_nothing() {
        let trees = Trees::new(
            &[("a", "old"), ("b", "old"), ("gone", "x")],
            &[("a", "new"), ("b", "new"), ("c", "new")],
            &[
                ("a", "new"),
                ("b", "old"),
                (".blit~abcdefghijklmnopqrstuv", "n"),
            ],
        );
        assert_eq!(trees.judged(), []);
    }

    #[test]
    fn a_prefix_of_the_new_or_a_foreign_name_is_not_whole() {
        let trees = Trees::new(&[("a", "old")], &[("a", "new")], &[("a", "ne"), ("x", "?")]);
        let expected = ["a", "x"].map(|it| (it.to_owned(), Promise::Whole));
        assert_eq!(trees.judged(), expected);
    }

    #[test]
    fn a_name_without_anything_between_old_and_new_is_not_kept() {
        let trees = Trees::new(&[("a", "old")], &[("a", "new")], &[]);
        assert_eq!(trees.judged(), [("a".to_owned(), Promise::Kept)]);
    }

    #[test]
    fn a_new_file_without_its_time_is_not_finished() {
        let trees = Trees::new(&[], &[("a", "new")], &[("a", "new")]);
        set_times(&trees.scratch.path("now/a"), (2_000, 5));
        assert_eq!(trees.judged(), [("a".to_owned(), Promise::Finished)]);
    }

    #[test]
    fn a_directory_that_is_emptied_before_a_file_takes_its_place_is_not_exchanged() {
        let trees = Trees::new(
            &[("d/one", "x"), ("d/two", "x")],
            &[("d", "new")],
            &[("d/one", "x")],
        );
        assert_eq!(trees.judged(), [("d".to_owned(), Promise::Exchanged)]);
    }

    #[test]
    fn what_was_claimed_and_is_not_there_is_not_safe() {
        let trees = Trees::new(&[], &[("a", "new"), ("b", "new")], &[("b", "new")]);
        let [_, new, now] = trees.snapshots();
        let mut broken = named(judge_claim(&new, &now));
        // The directory that should hold it has another time.
        broken.retain(|(path, _)| !path.is_empty());
        assert_eq!(broken, [("a".to_owned(), Promise::Safe)]);
    }

    #[test]
    fn what_left_the_source_and_did_not_arrive_is_nowhere() {
        let trees = Trees::new(
            &[("s/a", "x"), ("s/b", "x"), ("s/c", "x")],
            &[("t/a", "x"), ("t/b", "x"), ("t/c", "x")],
            &[("s/a", "x"), ("t/b", "x"), ("t/c", "")],
        );
        let [old, new, now] = trees.snapshots();
        let broken = named(judge_move((&old, &new, &now), ("s", "t")));
        assert_eq!(broken, [("s".to_owned() + "/c", Promise::Somewhere),]);
    }
}
