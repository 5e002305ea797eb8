//! What people do to a tree between two commands, done to the model and to the disk alike.

use std::fs;
use std::path::Path as DiskPath;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::sample::Index;

use crate::disk;
use crate::tree::{Body, Content, Meta, Node, Path, Tree};

/// One change of a tree. What it is done to is chosen when it is done.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub(crate) act: Act,
    /// Which entry.
    pub(crate) which: Index,
    /// In which directory, for what is made or renamed.
    pub(crate) directory: Index,
    /// Its name there.
    pub(crate) name: Vec<u8>,
    /// What it is from now on.
    pub(crate) node: Node,
    /// Whether its times are those of the day, as of most edits.
    pub(crate) is_natural: bool,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Attribute,
    Chmod,
    Grow,
    Link,
    Make,
    Remove,
    Rename,
    Retype,
    Rewrite,
    Shrink,
    /// A hard link becomes a file of its own, alike in everything.
    Split,
    /// New content of the same size, and the old time.
    Stealth,
    Touch,
}

/// Does it; answers false if there is nothing that it could be done to.
pub(crate) fn apply(edit: &Edit, root: &DiskPath, tree: &mut Tree, now: u32) -> bool {
    let mut editor = Editor {
        root,
        tree,
        now,
        is_natural: edit.is_natural,
        stamps: 0,
    };
    editor.apply(edit).is_some()
}

/// A time that no other change has, whatever second was asked for.
pub(crate) fn stamp(seconds: i64, now: u32, nth: u32) -> (i64, i64) {
    (seconds, i64::from(now) * 1_000 + i64::from(nth) + 1)
}

fn today() -> (i64, i64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (
        since.as_secs() as i64,
        i64::from(since.subsec_nanos()).max(1),
    )
}

struct Editor<'a> {
    root: &'a DiskPath,
    tree: &'a mut Tree,
    now: u32,
    is_natural: bool,
    stamps: u32,
}

impl Editor<'_> {
    fn apply(&mut self, edit: &Edit) -> Option<()> {
        let paths: Vec<Path> = self.tree.paths().cloned().collect();
        let pick = |wanted: &dyn Fn(&Path, &Node) -> bool| {
            let some: Vec<&Path> = paths
                .iter()
                .filter(|path| wanted(path, self.tree.get(path).unwrap()))
                .collect();
            (!some.is_empty()).then(|| edit.which.get(&some).to_vec())
        };
        let any = |_: &Path, _: &Node| true;
        let file = |_: &Path, node: &Node| node.file().is_some();
        let can_keep_more = |_: &Path, node: &Node| node.is_directory() || node.file().is_some();
        match edit.act {
            Act::Make => {
                let at = self.free_place(edit, None)?;
                self.make(&at, &edit.node);
            }
            Act::Link => {
                let leader = pick(&file)?;
                let at = self.free_place(edit, None)?;
                fs::hard_link(self.at(&leader), self.at(&at)).unwrap();
                let id = self.tree.id(&leader).unwrap();
                self.tree.link(at.clone(), id);
                self.tree.node_mut(id).changed = self.now;
                self.stamp_above(&at, &edit.node);
            }
            Act::Remove => {
                let at = pick(&any)?;
                self.remove(&at);
                self.stamp_above(&at, &edit.node);
            }
            Act::Rename => {
                let from = pick(&any)?;
                let to = self.free_place(edit, Some(&from))?;
                fs::rename(self.at(&from), self.at(&to)).unwrap();
                self.tree.rename(&from, &to);
                self.tree.at_mut(&to).unwrap().changed = self.now;
                self.stamp_above(&from, &edit.node);
                self.stamp_above(&to, &edit.node);
            }
            Act::Retype => {
                let at = pick(&|_, node| {
                    std::mem::discriminant(&node.body) != std::mem::discriminant(&edit.node.body)
                })?;
                self.remove(&at);
                self.make(&at, &edit.node);
            }
            Act::Rewrite => {
                let content = edit.node.file()?.clone();
                self.write(&pick(&file)?, &edit.node, |_| content);
            }
            Act::Grow => {
                self.write(&pick(&file)?, &edit.node, |old| old.resized(old.size + 700));
            }
            Act::Shrink => {
                self.write(&pick(&file)?, &edit.node, |old| old.resized(old.size / 2));
            }
            Act::Stealth => {
                let at = pick(&|path, node| self.is_single(path) && node.file().is_some())?;
                let seed = edit.node.file()?.seed;
                let (node, place) = (self.tree.get(&at).unwrap().clone(), self.at(&at));
                let content = Content {
                    seed,
                    ..node.file()?.clone()
                };
                disk::write(&place, &content);
                let body = Body::File(content);
                self.change(&at, Node { body, ..node });
            }
            Act::Split => {
                let at = pick(&|path, node| !self.is_single(path) && node.file().is_some())?;
                let node = self.tree.get(&at).unwrap().clone();
                self.remove(&at);
                disk::make(&self.at(&at), &node);
                disk::dress(&self.at(&at), &node);
                let changed = self.now;
                self.tree.put(at.clone(), Node { changed, ..node });
                self.stamp_above(&at, &edit.node);
            }
            Act::Touch => {
                let at = pick(&any)?;
                let node = self.tree.get(&at).unwrap().clone();
                self.change(&at, node);
                self.stamp(&at, edit.node.meta.time.0);
            }
            Act::Chmod => {
                let at = pick(&can_keep_more)?;
                let node = self.tree.get(&at).unwrap().clone();
                let Meta { mode, owner, .. } = edit.node.meta;
                let mode = match node.is_directory() {
                    true => mode | 0o700,
                    false => mode,
                };
                let meta = Meta {
                    mode,
                    owner,
                    ..node.meta.clone()
                };
                self.change(&at, Node { meta, ..node });
            }
            Act::Attribute => {
                let at = pick(&can_keep_more)?;
                let node = self.tree.get(&at).unwrap().clone();
                let meta = Meta {
                    attributes: edit.node.meta.attributes.clone(),
                    ..node.meta.clone()
                };
                self.change(&at, Node { meta, ..node });
            }
        }
        Some(())
    }

    fn at(&self, path: &[Vec<u8>]) -> std::path::PathBuf {
        disk::at(self.root, path)
    }

    fn is_single(&self, path: &[Vec<u8>]) -> bool {
        self.tree.id(path).is_some_and(|id| self.tree.links(id) < 2)
    }

    /// A name that nothing has, in a directory that is not below `moved`.
    fn free_place(&self, edit: &Edit, moved: Option<&[Vec<u8>]>) -> Option<Path> {
        let directories: Vec<Path> = self
            .tree
            .paths()
            .cloned()
            .chain([Path::new()])
            .filter(|path| self.tree.is_directory(path) && path.len() < DEPTH_MAX)
            .filter(|path| moved.is_none_or(|moved| !path.starts_with(moved)))
            .collect();
        let mut at = edit.directory.get(&directories).clone();
        at.push(edit.name.clone());
        self.tree.get(&at).is_none().then_some(at)
    }

    fn make(&mut self, at: &[Vec<u8>], node: &Node) {
        let changed = self.now;
        let node = Node {
            changed,
            ..node.clone()
        };
        disk::make(&self.at(at), &node);
        disk::dress(&self.at(at), &node);
        self.tree.put(at.to_vec(), node.clone());
        self.stamp(at, node.meta.time.0);
        self.stamp_above(at, &node);
    }

    fn remove(&mut self, at: &[Vec<u8>]) {
        let mut gone = self.tree.below(at);
        gone.push(at.to_vec());
        let ids: Vec<_> = gone.iter().filter_map(|path| self.tree.id(path)).collect();
        disk::remove(&self.at(at)).unwrap();
        self.tree.remove(at);
        let paths: Vec<Path> = self.tree.paths().cloned().collect();
        for path in paths {
            let id = self.tree.id(&path).unwrap();
            if ids.contains(&id) {
                self.tree.node_mut(id).changed = self.now;
            }
        }
    }

    fn write(&mut self, at: &[Vec<u8>], like: &Node, change: impl FnOnce(&Content) -> Content) {
        let node = self.tree.get(at).unwrap().clone();
        let content = change(node.file().unwrap());
        disk::write(&self.at(at), &content);
        let body = Body::File(content);
        self.change(at, Node { body, ..node });
        self.stamp(at, like.meta.time.0);
    }

    /// Sets the object, and gives the disk its metadata. Only what it can have of it.
    fn change(&mut self, at: &[Vec<u8>], node: Node) {
        let changed = self.now;
        disk::dress(&self.at(at), &node);
        *self.tree.at_mut(at).unwrap() = Node { changed, ..node };
    }

    /// Gives the entry the time of the day, or one in the second that was asked for.
    fn stamp(&mut self, at: &[Vec<u8>], seconds: i64) {
        let place = self.at(at);
        self.stamps += 1;
        let time = match self.is_natural {
            true => today(),
            false => stamp(seconds, self.now, self.stamps),
        };
        blit_conform::tree::set_times(&place, time);
        let node = self.tree.at_mut(at).unwrap();
        node.meta.time = disk::time(&place);
        node.changed = self.now;
    }

    fn stamp_above(&mut self, at: &[Vec<u8>], like: &Node) {
        self.stamp(&at[..at.len() - 1], like.meta.time.0);
    }
}

/// Deep enough for every rule, and small enough for a reader.
pub(crate) const DEPTH_MAX: usize = 3;
