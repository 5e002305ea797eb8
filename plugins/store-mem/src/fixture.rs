//! Filling and reading a tree by hand, around the contract and its faults.

use std::collections::BTreeMap;

use blit_contract::{BadName, Error, ErrorKind, Name, RelPath, Result};
use bytes::Bytes;

use crate::{
    MemStore,
    content::Content,
    space::Room,
    tree::{Body, File, Node},
};

impl MemStore {
    /// Puts a file at `path` (`a/b.txt`), with the directories above it. A file that is there keeps
    /// its identity and gets new content, as when somebody edits it.
    ///
    /// # Errors
    /// `Invalid` for what is no path, `NoSpace`, `Changed` if something on the way is no directory.
    pub fn add_file(&self, path: &str, content: impl Into<Bytes>) -> Result<()> {
        let content = Content::new(content.into());
        let mut room = Room::new(self.space());
        room.resize(content.allocated())?;
        let body = Body::File(File { content, room });
        let path = parse(path)?;
        let mut tree = self.tree();
        match self.find(&tree, &path) {
            Some((_, inode)) => {
                if let Some(node) = tree.node_mut(inode) {
                    node.body = body;
                }
                tree.touch(inode);
                Ok(())
            }
            None => {
                drop(tree);
                self.add_node(&path, Node::new(body))
            }
        }
    }

    /// Puts an empty directory at `path`, with the directories above it.
    ///
    /// # Errors
    /// As [`MemStore::add_file`].
    pub fn add_directory(&self, path: &str) -> Result<()> {
        self.add_node(&parse(path)?, Node::new(Body::Directory(BTreeMap::new())))
    }

    /// Puts a symlink at `path`, with the directories above it.
    ///
    /// # Errors
    /// As [`MemStore::add_file`].
    pub fn add_symlink(&self, path: &str, target: impl Into<Bytes>) -> Result<()> {
        self.add_node(&parse(path)?, Node::new(Body::Symlink(target.into())))
    }

    /// Gives the file at `first` another name, in a directory that is there.
    ///
    /// # Errors
    /// As [`MemStore::add_file`], and `NotFound` without a first name.
    pub fn add_link(&self, path: &str, first: &str) -> Result<()> {
        let (path, first) = (parse(path)?, parse(first)?);
        let mut tree = self.tree();
        let (_, inode) = self
            .find(&tree, &first)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "link").at(&first))?;
        let (directory, name) = self.place(&mut tree, &path, "link")?;
        tree.link(directory, name.clone(), inode);
        Ok(())
    }

    /// Takes away what is at `path`, and all that is in it.
    ///
    /// # Errors
    /// As [`MemStore::add_file`]; what is not there is taken away already.
    pub fn remove(&self, path: &str) -> Result<()> {
        let path = parse(path)?;
        let mut tree = self.tree();
        let (directory, name) = self.place(&mut tree, &path, "remove")?;
        tree.unlink(directory, name);
        Ok(())
    }

    /// What the file at `path` holds; `None` if there is no file.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<Bytes> {
        let path = parse(path).ok()?;
        let tree = self.tree();
        let (_, inode) = self.find(&tree, &path)?;
        Some(tree.node(inode)?.file()?.content.read_all())
    }

    /// Every path in the tree, in order, as text for people.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let tree = self.tree();
        let root = self.find(&tree, &RelPath::ROOT);
        let mut open: Vec<_> = root
            .into_iter()
            .map(|(_, inode)| (RelPath::ROOT, inode))
            .collect();
        let mut paths = Vec::new();
        while let Some((path, inode)) = open.pop() {
            let children = tree.children_after(inode, None, usize::MAX);
            for (name, inode) in children.unwrap_or_default() {
                let child = path.join(name);
                paths.push(child.to_string());
                open.push((child, inode));
            }
        }
        paths.sort();
        paths
    }

    fn add_node(&self, path: &RelPath, mut node: Node) -> Result<()> {
        let parent = path.parent().cloned().unwrap_or_default();
        let mut tree = self.tree();
        self.at(&parent).make_root(&mut tree);
        let (directory, name) = self.place(&mut tree, path, "add")?;
        if tree.child(directory, name).is_some() {
            return Err(Error::new(ErrorKind::Conflict, "add").at(path));
        }
        node.modified = tree.now();
        let inode = tree.add(node);
        tree.link(directory, name.clone(), inode);
        Ok(())
    }
}

fn parse(path: &str) -> Result<RelPath> {
    let names = path.split('/').map(|name| Name::new(name.as_bytes()));
    names
        .collect::<Result<RelPath, BadName>>()
        .map_err(|error| Error::new(ErrorKind::Invalid, "parse").with_source(error))
}
