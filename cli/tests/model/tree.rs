//! A tree in memory: names, and the objects that they name. Two names of one object are a hard link.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A path below the root, as its names; the root itself is empty. Parents sort before children.
pub(crate) type Path = Vec<Vec<u8>>;

/// Which object a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u32);

/// One object.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) body: Body,
    pub(crate) meta: Meta,
    /// When anything of it last changed, in steps of a story: what a ctime would be.
    pub(crate) changed: u32,
}

/// What an object is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Directory,
    Fifo,
    File(Content),
    Symlink(Vec<u8>),
}

/// What a copy keeps besides.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) time: (i64, i64),
    pub(crate) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The bytes of a file: made from a seed where there is data, and holes elsewhere.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) seed: u64,
    pub(crate) size: u64,
    /// Where data is, as start and end, in order and apart.
    pub(crate) data: Vec<(u64, u64)>,
}

impl Content {
    /// The same, cut or grown with data to that size.
    pub(crate) fn resized(&self, size: u64) -> Self {
        let mut data = self.data.clone();
        data.retain(|(start, _)| *start < size);
        for (_, end) in &mut data {
            *end = size.min(*end);
        }
        if size > self.size {
            data.push((self.size, size));
        }
        Self {
            size,
            data,
            ..*self
        }
    }

    /// The bytes from `start` to `end`, which depend on nothing but the seed and where they are.
    pub(crate) fn bytes(&self, start: u64, end: u64) -> Vec<u8> {
        let first = start / 8 * 8;
        let words = (first..end).step_by(8).flat_map(|at| word(self.seed, at));
        let skip = (start - first) as usize;
        words.skip(skip).take((end - start) as usize).collect()
    }

    fn pieces(&self) -> Vec<(u64, u64)> {
        let mut pieces: Vec<(u64, u64)> = Vec::new();
        for (start, end) in &self.data {
            match pieces.last_mut() {
                Some(last) if last.1 == *start => last.1 = *end,
                _ if start == end => {}
                _ => pieces.push((*start, *end)),
            }
        }
        pieces
    }
}

/// Equal bytes: the seed matters only where there is data.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        let pieces = self.pieces();
        let same_seed = self.seed == other.seed || pieces.is_empty();
        self.size == other.size && same_seed && pieces == other.pieces()
    }
}

impl Eq for Content {}

/// Eight bytes (`SplitMix64`), none of them zero: data never looks like a hole.
fn word(seed: u64, at: u64) -> [u8; 8] {
    let mut bits = (seed << 40 ^ at).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31) | 0x0101_0101_0101_0101).to_le_bytes()
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        self.body == Body::Directory
    }

    pub(crate) fn file(&self) -> Option<&Content> {
        match &self.body {
            Body::File(content) => Some(content),
            _ => None,
        }
    }

    pub(crate) fn is_symlink(&self) -> bool {
        matches!(self.body, Body::Symlink(_))
    }
}

/// A tree. It always has a root, which is a directory.
#[derive(Clone)]
pub(crate) struct Tree {
    names: BTreeMap<Path, Id>,
    objects: BTreeMap<Id, Node>,
    next: u32,
}

impl Tree {
    pub(crate) fn new(root: Node) -> Self {
        let mut tree = Self {
            names: BTreeMap::new(),
            objects: BTreeMap::new(),
            next: 0,
        };
        tree.put(Path::new(), root);
        tree
    }

    pub(crate) fn id(&self, path: &[Vec<u8>]) -> Option<Id> {
        self.names.get(path).copied()
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.objects[&id]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node {
        self.objects.get_mut(&id).expect("an id of this tree")
    }

    pub(crate) fn get(&self, path: &[Vec<u8>]) -> Option<&Node> {
        self.id(path).map(|id| self.node(id))
    }

    pub(crate) fn at_mut(&mut self, path: &[Vec<u8>]) -> Option<&mut Node> {
        self.id(path).map(|id| self.node_mut(id))
    }

    pub(crate) fn is_directory(&self, path: &[Vec<u8>]) -> bool {
        self.get(path).is_some_and(Node::is_directory)
    }

    /// Every path but the root, parents before children.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.names.keys().skip(1)
    }

    /// Every path below `path`, parents before children.
    pub(crate) fn below(&self, path: &[Vec<u8>]) -> Vec<Path> {
        let later = self.names.range(path.to_vec()..).skip(1);
        later
            .map(|(at, _)| at)
            .take_while(|at| at.starts_with(path))
            .cloned()
            .collect()
    }

    /// How many names the object has.
    pub(crate) fn links(&self, id: Id) -> usize {
        self.names.values().filter(|it| **it == id).count()
    }

    /// Whether any object has several names.
    pub(crate) fn has_links(&self) -> bool {
        let ids: BTreeSet<Id> = self.names.values().copied().collect();
        ids.len() < self.names.len()
    }

    /// A new object at `path`; what was there goes, with all below it.
    pub(crate) fn put(&mut self, path: Path, node: Node) -> Id {
        self.remove(&path);
        let id = Id(self.next);
        self.next += 1;
        self.objects.insert(id, node);
        self.names.insert(path, id);
        id
    }

    /// Another name for an object; what was there goes, with all below it.
    pub(crate) fn link(&mut self, path: Path, id: Id) {
        if self.id(&path) != Some(id) {
            self.remove(&path);
            self.names.insert(path, id);
        }
    }

    /// Takes away what is at `path`, with all below it.
    pub(crate) fn remove(&mut self, path: &[Vec<u8>]) {
        for at in self.below(path) {
            self.names.remove(&at);
        }
        self.names.remove(path);
        let used: BTreeSet<Id> = self.names.values().copied().collect();
        self.objects.retain(|id, _| used.contains(id));
    }

    /// Moves what is at `from` to `to`, where nothing is.
    pub(crate) fn rename(&mut self, from: &[Vec<u8>], to: &[Vec<u8>]) {
        let mut moved = self.below(from);
        moved.push(from.to_vec());
        for path in moved {
            if let Some(id) = self.names.remove(&path) {
                self.names.insert([to, &path[from.len()..]].concat(), id);
            }
        }
    }
}

/// The path as a test shows it.
pub(crate) fn shown(path: &[Vec<u8>]) -> String {
    format!("/{}", joined(path).escape_ascii())
}

/// The path as bytes with `/` between names.
pub(crate) fn joined(path: &[Vec<u8>]) -> Vec<u8> {
    path.join(&b'/')
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of seed {}", self.size, self.seed)?;
        if self.pieces() != [(0, self.size)] {
            write!(f, " at {:?}", self.pieces())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}", self.body, self.meta)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => write!(f, "directory"),
            Self::Fifo => write!(f, "fifo"),
            Self::File(content) => write!(f, "file of {content:?}"),
            Self::Symlink(to) => write!(f, "symlink to {}", to.escape_ascii()),
        }
    }
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mode, owner, time) = (self.mode, self.owner, self.time);
        write!(f, "mode {mode:04o}, owner {owner}, time {time:?}")?;
        for (name, value) in &self.attributes {
            write!(f, ", {}={} bytes", name.escape_ascii(), value.len())?;
        }
        Ok(())
    }
}

/// One line an entry.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, id) in &self.names {
            let node = self.node(*id);
            write!(f, "\n    {} {node:?}", shown(path))?;
            if !node.is_directory() && self.links(*id) > 1 {
                write!(f, ", object {}", id.0)?;
            }
        }
        Ok(())
    }
}
