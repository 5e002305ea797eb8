//! Making, replacing and deleting entries, and their metadata.

use std::collections::BTreeMap;

use blit_contract::{
    Applied, Attributes, Entry, Error, ErrorKind, Kind, MetaOp, Name, RelPath, Replace, Result,
    WritePolicy,
};

use crate::{
    MemStore, Operation,
    tree::{Body, Node, Tree},
};

impl MemStore {
    /// Does one change that moves no content.
    pub(crate) async fn apply_one(&self, policy: WritePolicy, op: MetaOp) -> Result<Applied> {
        let path = op.path().clone();
        self.begin(Operation::Apply, &path).await?;
        let mut tree = self.tree();
        let changed = match op {
            MetaOp::Link {
                path,
                leader,
                replace,
            } => self.make_link(&mut tree, &path, &leader, &replace),
            MetaOp::MakeDirectory { path, replace } => {
                self.make_directory(&mut tree, &path, &replace)
            }
            MetaOp::MakeEntry {
                path,
                entry,
                attributes,
                replace,
            } => {
                let node = node_like(&entry)
                    .ok_or_else(|| Error::new(ErrorKind::Invalid, "make").at(&path))?;
                self.make_entry(&mut tree, &path, node, &replace, |node| {
                    set_metadata(node, policy, &entry, Some(attributes));
                })
            }
            MetaOp::SetMetadata {
                path,
                expect,
                entry,
                attributes,
            } => {
                let inode = self.checked(&tree, &path, expect.as_ref())?;
                Ok(set_node_metadata(
                    &mut tree, inode, policy, &entry, attributes,
                ))
            }
            _ => Err(Error::new(ErrorKind::Unsupported, "apply")),
        };
        Ok(Applied::new(changed.map_err(|e| e.at(&path))?, Vec::new()))
    }

    /// Deletes one entry, if it is what was scanned.
    pub(crate) async fn delete_one(&self, path: &RelPath, scanned: &Entry) -> Result<()> {
        self.begin(Operation::Delete, path).await?;
        let mut tree = self.tree();
        let (directory, name) = self.place(&mut tree, path, "delete")?;
        let (found, inode) = self
            .look(&tree, path)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "delete").at(path))?;
        if found.name != *name || !is_as_scanned(&found, scanned) {
            return Err(Error::new(ErrorKind::Changed, "delete").at(path));
        }
        if found.is_directory() && !tree.is_empty_directory(inode) {
            return Err(Error::new(ErrorKind::Conflict, "delete")
                .at(path)
                .because("the directory is not empty"));
        }
        tree.unlink(directory, name);
        Ok(())
    }

    fn make_directory(&self, tree: &mut Tree, path: &RelPath, replace: &Replace) -> Result<bool> {
        if let Some((found, _)) = self.look(tree, path)
            && found.is_directory()
        {
            return Err(
                Error::new(ErrorKind::Conflict, "make").because("there is a directory already")
            );
        }
        let node = Node::new(Body::Directory(BTreeMap::new()));
        self.make_entry(tree, path, node, replace, |_| {})
    }

    fn make_entry(
        &self,
        tree: &mut Tree,
        path: &RelPath,
        mut node: Node,
        replace: &Replace,
        finish: impl FnOnce(&mut Node),
    ) -> Result<bool> {
        let (directory, name) = self.place(tree, path, "make")?;
        make_way(tree, directory, name, replace)?;
        node.modified = tree.now();
        finish(&mut node);
        let inode = tree.add(node);
        tree.link(directory, name.clone(), inode);
        Ok(true)
    }

    fn make_link(
        &self,
        tree: &mut Tree,
        path: &RelPath,
        leader: &RelPath,
        replace: &Replace,
    ) -> Result<bool> {
        let (_, inode) = self
            .find(tree, leader)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "link"))?;
        if tree.is_directory(inode) {
            return Err(
                Error::new(ErrorKind::Invalid, "link").because("a directory has one name only")
            );
        }
        let (directory, name) = self.place(tree, path, "link")?;
        if tree.child(directory, name) == Some((name, inode)) {
            return Ok(false);
        }
        make_way(tree, directory, name, replace)?;
        tree.link(directory, name.clone(), inode);
        Ok(true)
    }

    /// The object at `path`, if it is the one that was scanned.
    fn checked(&self, tree: &Tree, path: &RelPath, expect: Option<&Entry>) -> Result<u64> {
        let (found, inode) = self
            .look(tree, path)
            .ok_or_else(|| Error::new(ErrorKind::Vanished, "set").at(path))?;
        let is_it = |scanned: &Entry| {
            found.identity.is_same_object(&scanned.identity)
                && found.kind.is_same_type(&scanned.kind)
        };
        if expect.is_none_or(is_it) {
            return Ok(inode);
        }
        Err(Error::new(ErrorKind::Changed, "set").at(path))
    }
}

/// Takes away what is at `name`, as far as `replace` allows.
pub(crate) fn make_way(
    tree: &mut Tree,
    directory: u64,
    name: &Name,
    replace: &Replace,
) -> Result<()> {
    let Some((real_name, inode)) = tree.child(directory, name) else {
        return Ok(());
    };
    if real_name != name {
        return Err(Error::new(ErrorKind::Collision, "replace")
            .because(format!("\"{real_name}\" is there")));
    }
    let found = tree.entry(name, inode);
    let is_it = |scanned: &Entry| found.as_ref().is_some_and(|f| is_as_scanned(f, scanned));
    match replace {
        Replace::Nothing => return Err(Error::new(ErrorKind::Conflict, "replace")),
        Replace::Entry(scanned) | Replace::Tree(scanned) if !is_it(scanned) => {
            return Err(Error::new(ErrorKind::Changed, "replace"));
        }
        Replace::Entry(_) if tree.is_directory(inode) && !tree.is_empty_directory(inode) => {
            return Err(
                Error::new(ErrorKind::Conflict, "replace").because("the directory is not empty")
            );
        }
        Replace::Entry(_) | Replace::Tree(_) => {}
    }
    tree.unlink(directory, name);
    Ok(())
}

/// Whether `found` is what was scanned. What is in a directory, and how many names a file has, may
/// have changed through this very run: that shows in times of directories and in `changed` only.
fn is_as_scanned(found: &Entry, scanned: &Entry) -> bool {
    let is_same = found.kind == scanned.kind && found.identity.is_same_object(&scanned.identity);
    let is_untouched = (found.size, found.modified) == (scanned.size, scanned.modified);
    is_same && (is_untouched || found.is_directory())
}

/// A new symlink or special like `entry`.
fn node_like(entry: &Entry) -> Option<Node> {
    match &entry.kind {
        Kind::Special(special) => Some(Node::new(Body::Special(*special))),
        Kind::Symlink(target) => Some(Node::new(Body::Symlink(target.clone()))),
        _ => None,
    }
}

fn set_node_metadata(
    tree: &mut Tree,
    inode: u64,
    policy: WritePolicy,
    entry: &Entry,
    attributes: Option<Attributes>,
) -> bool {
    let differs = |node: &Node| {
        let keep = policy.preserve;
        let is_link = matches!(node.body, Body::Symlink(_));
        (keep.mode && !is_link && node.mode != entry.mode)
            || (keep.owner && (node.uid, node.gid) != (entry.uid, entry.gid))
            || (keep.times && node.modified != entry.modified)
            || (keep.xattrs && attributes.as_ref().is_some_and(|a| *a != node.attributes))
    };
    if !tree.node(inode).is_some_and(differs) {
        return false;
    }
    if let Some(node) = tree.node_mut(inode) {
        set_metadata(node, policy, entry, attributes);
    }
    true
}

/// Gives a node the metadata of `entry`, as far as the policy asks.
pub(crate) fn set_metadata(
    node: &mut Node,
    policy: WritePolicy,
    entry: &Entry,
    attributes: Option<Attributes>,
) {
    let keep = policy.preserve;
    if keep.mode && !matches!(node.body, Body::Symlink(_)) {
        node.mode = entry.mode & 0o7777;
    }
    if keep.owner {
        (node.uid, node.gid) = (entry.uid, entry.gid);
    }
    if keep.times {
        node.modified = entry.modified;
    }
    if let Some(attributes) = attributes.filter(|_| keep.xattrs) {
        node.attributes = attributes;
    }
}
