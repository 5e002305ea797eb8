//! The entries of a tree, in one flat table: no depth is too deep.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use blit_contract::{Attributes, Entry, Identity, Kind, Name, Special, Time};
use bytes::Bytes;

use crate::{content::Content, space::Room};

/// The number of the root.
pub(crate) const ROOT: u64 = 1;

/// When the clock of every tree begins: 2026-01-01 UTC.
const CLOCK_START_SECS: i64 = 1_767_225_600;

/// One thing in the tree, whatever its names are.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) body: Body,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: Time,
    pub(crate) attributes: Attributes,
    changed: Time,
    links: u32,
    /// The directory that holds it; only directories need it, and they have one name.
    parent: u64,
}

#[derive(Debug)]
pub(crate) enum Body {
    Directory(BTreeMap<Name, u64>),
    File(File),
    Special(Special),
    Symlink(Bytes),
}

/// A file's bytes, and the room that they take.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) room: Room,
}

impl Node {
    pub(crate) fn new(body: Body) -> Self {
        let mode = match body {
            Body::Directory(_) => 0o755,
            Body::File(_) | Body::Special(_) => 0o644,
            Body::Symlink(_) => 0o777,
        };
        Self {
            body,
            mode,
            uid: 0,
            gid: 0,
            modified: Time::default(),
            attributes: Attributes::default(),
            changed: Time::default(),
            links: 0,
            parent: 0,
        }
    }

    pub(crate) fn file(&self) -> Option<&File> {
        match &self.body {
            Body::File(file) => Some(file),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match &self.body {
            Body::Directory(_) => Kind::Directory,
            Body::File(_) => Kind::File,
            Body::Special(special) => Kind::Special(*special),
            Body::Symlink(target) => Kind::Symlink(target.clone()),
        }
    }
}

/// A whole tree.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) device: u64,
    pub(crate) folds_case: bool,
    nodes: HashMap<u64, Node>,
    next_inode: u64,
    /// How often the clock was looked at. Each look is a second and a nanosecond after the last,
    /// so that whoever cuts times off to seconds is found out.
    ticks: u32,
}

impl Tree {
    pub(crate) fn new(device: u64) -> Self {
        let mut tree = Self {
            device,
            folds_case: false,
            nodes: HashMap::new(),
            next_inode: ROOT,
            ticks: 0,
        };
        let root = tree.add(Node::new(Body::Directory(BTreeMap::new())));
        tree.touch(root);
        tree
    }

    /// The present, which is never the same twice.
    pub(crate) fn now(&mut self) -> Time {
        self.ticks += 1;
        Time::new(
            CLOCK_START_SECS + i64::from(self.ticks),
            self.ticks % 1_000_000_000,
        )
    }

    /// Keeps a node that has no name yet.
    pub(crate) fn add(&mut self, node: Node) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.nodes.insert(inode, node);
        inode
    }

    pub(crate) fn node(&self, inode: u64) -> Option<&Node> {
        self.nodes.get(&inode)
    }

    /// The node, for a change of its metadata or content, which is noted.
    pub(crate) fn node_mut(&mut self, inode: u64) -> Option<&mut Node> {
        let now = self.now();
        let node = self.nodes.get_mut(&inode)?;
        node.changed = now;
        Some(node)
    }

    /// Notes that the content of a node changed now.
    pub(crate) fn touch(&mut self, inode: u64) {
        if let Some(node) = self.node_mut(inode) {
            node.modified = node.changed;
        }
    }

    /// The object at the end of `names`, from the root. No symlink is followed.
    pub(crate) fn resolve(&self, names: &[&Name]) -> Option<u64> {
        names.iter().try_fold(ROOT, |directory, name| {
            self.child(directory, name).map(|(_, inode)| inode)
        })
    }

    /// What `name` means in `directory`, and how it is really written.
    pub(crate) fn child(&self, directory: u64, name: &Name) -> Option<(&Name, u64)> {
        let children = self.children(directory)?;
        let exact = children.get_key_value(name);
        let found = exact.or_else(|| {
            let is_same = |other: &Name| fold(other) == fold(name);
            let mut others = children.iter().filter(|_| self.folds_case);
            others.find(|(other, _)| is_same(other))
        });
        found.map(|(name, inode)| (name, *inode))
    }

    /// At most `count` children whose names come after `after`, in order.
    pub(crate) fn children_after(
        &self,
        directory: u64,
        after: Option<&Name>,
        count: usize,
    ) -> Option<Vec<(Name, u64)>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let children = self
            .children(directory)?
            .range::<Name, _>((from, Bound::Unbounded));
        let owned = |(name, inode): (&Name, &u64)| (name.clone(), *inode);
        Some(children.take(count).map(owned).collect())
    }

    pub(crate) fn is_directory(&self, inode: u64) -> bool {
        self.children(inode).is_some()
    }

    pub(crate) fn is_empty_directory(&self, inode: u64) -> bool {
        self.children(inode).is_some_and(BTreeMap::is_empty)
    }

    /// The entry of that name for the object `inode`.
    pub(crate) fn entry(&self, name: &Name, inode: u64) -> Option<Entry> {
        let node = self.nodes.get(&inode)?;
        let mut entry = Entry::new(name.clone(), node.kind());
        if let Some(file) = node.file() {
            entry.size = file.content.size();
            entry.allocated = file.content.allocated();
        }
        (entry.mode, entry.uid, entry.gid) = (node.mode, node.uid, node.gid);
        entry.modified = node.modified;
        entry.identity = self.identity(inode, node);
        Some(entry)
    }

    /// The identities of `directory` and of all above it.
    pub(crate) fn chain(&self, mut directory: u64) -> Vec<Identity> {
        let mut chain = Vec::new();
        while let Some(node) = self.nodes.get(&directory) {
            chain.push(self.identity(directory, node));
            directory = node.parent;
        }
        chain
    }

    /// Gives the object `inode` a name. There must be none of it in `directory`.
    pub(crate) fn link(&mut self, directory: u64, name: Name, inode: u64) {
        let is_directory = self.is_directory(inode);
        if let Some(node) = self.node_mut(inode) {
            node.links += 1;
            if is_directory {
                node.parent = directory;
            }
        }
        if let Some(children) = self.children_mut(directory) {
            children.insert(name, inode);
        }
        self.touch(directory);
    }

    /// Takes a name away; with its last name the object goes, and all that is in it.
    pub(crate) fn unlink(&mut self, directory: u64, name: &Name) {
        let taken = self.children_mut(directory).and_then(|c| c.remove(name));
        self.touch(directory);
        let mut gone: Vec<u64> = taken.into_iter().collect();
        while let Some(inode) = gone.pop() {
            let Some(node) = self.node_mut(inode) else {
                continue;
            };
            node.links = node.links.saturating_sub(1);
            if node.links == 0
                && let Some(node) = self.nodes.remove(&inode)
                && let Body::Directory(children) = node.body
            {
                gone.extend(children.into_values());
            }
        }
    }

    fn identity(&self, inode: u64, node: &Node) -> Identity {
        Identity {
            device: self.device,
            inode,
            mount: self.device,
            changed: node.changed,
            links: node.links,
        }
    }

    fn children(&self, inode: u64) -> Option<&BTreeMap<Name, u64>> {
        match &self.nodes.get(&inode)?.body {
            Body::Directory(children) => Some(children),
            _ => None,
        }
    }

    fn children_mut(&mut self, inode: u64) -> Option<&mut BTreeMap<Name, u64>> {
        match &mut self.nodes.get_mut(&inode)?.body {
            Body::Directory(children) => Some(children),
            _ => None,
        }
    }
}

/// The name as a store sees it that ignores case.
fn fold(name: &Name) -> Vec<u8> {
    match std::str::from_utf8(name.as_bytes()) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => name.as_bytes().to_ascii_lowercase(),
    }
}
