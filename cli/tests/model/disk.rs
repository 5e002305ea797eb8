//! A model tree on a disk: built with the standard library, shared with no store.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path as DiskPath, PathBuf};

use blit_conform::tree::set_times;
use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat};

use crate::tree::{Body, Content, Id, Meta, Node, Path, Tree};

/// Where `path` of a model is below `root`.
pub(crate) fn at(root: &DiskPath, path: &[Vec<u8>]) -> PathBuf {
    let mut whole = root.to_path_buf();
    whole.extend(path.iter().map(|name| OsStr::from_bytes(name)));
    whole
}

/// Builds the tree at `root`, which is not there yet.
pub(crate) fn build(root: &DiskPath, tree: &Tree) {
    make(root, tree.get(&[]).unwrap());
    let mut made: BTreeMap<Id, PathBuf> = BTreeMap::new();
    for path in tree.paths() {
        let (id, place) = (tree.id(path).unwrap(), at(root, path));
        match made.get(&id) {
            Some(first) => fs::hard_link(first, &place).unwrap(),
            None => {
                make(&place, tree.node(id));
                made.insert(id, place);
            }
        }
    }
    // Children first: whatever is done in a directory changes its times.
    let paths: Vec<&Path> = tree.paths().collect();
    for path in paths.into_iter().rev() {
        dress(&at(root, path), tree.get(path).unwrap());
    }
    dress(root, tree.get(&[]).unwrap());
}

/// Makes the object without its metadata.
pub(crate) fn make(place: &DiskPath, node: &Node) {
    match &node.body {
        Body::Directory => fs::create_dir(place).unwrap(),
        Body::Fifo => mknodat(CWD, place, FileType::Fifo, Mode::RUSR, 0).unwrap(),
        Body::File(content) => {
            File::create_new(place).unwrap();
            write(place, content);
        }
        Body::Symlink(to) => symlink(OsStr::from_bytes(to), place).unwrap(),
    }
}

/// Gives the file that content, in place.
pub(crate) fn write(place: &DiskPath, content: &Content) {
    let file = File::options().write(true).open(place).unwrap();
    file.set_len(0).unwrap();
    file.set_len(content.size).unwrap();
    for (start, end) in &content.data {
        file.write_all_at(&content.bytes(*start, *end), *start)
            .unwrap();
    }
}

/// Gives the object its metadata.
pub(crate) fn dress(place: &DiskPath, node: &Node) {
    let Meta {
        mode,
        owner,
        time,
        attributes,
    } = &node.meta;
    if blit_conform::is_root() {
        lchown(place, Some(*owner), Some(*owner)).unwrap();
    }
    if !node.is_symlink() {
        undress(place);
        for (name, value) in attributes {
            rustix::fs::setxattr(place, name.as_slice(), value, XattrFlags::empty()).unwrap();
        }
        fs::set_permissions(place, Permissions::from_mode(*mode)).unwrap();
    }
    set_times(place, *time);
}

fn undress(place: &DiskPath) {
    for (name, _) in attributes(place) {
        rustix::fs::removexattr(place, name.as_slice()).unwrap();
    }
}

/// The user attributes of the entry at `place`, which is no symlink.
pub(crate) fn attributes(place: &DiskPath) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut list = vec![0; 1 << 12];
    let length = rustix::fs::listxattr(place, &mut list).unwrap_or(0);
    let names = list[..length].split(|byte| *byte == 0);
    names
        .filter(|name| name.starts_with(b"user."))
        .map(|name| {
            let mut value = vec![0; 1 << 12];
            let length = rustix::fs::getxattr(place, name, &mut value).unwrap();
            (name.to_vec(), value[..length].to_vec())
        })
        .collect()
}

/// The time that the entry at `place` has.
pub(crate) fn time(place: &DiskPath) -> (i64, i64) {
    let found = place.symlink_metadata().unwrap();
    (found.mtime(), found.mtime_nsec())
}

/// Whether the file system at `place` keeps user attributes.
pub(crate) fn keeps_attributes(place: &DiskPath) -> bool {
    rustix::fs::setxattr(place, "user.probe", b"", XattrFlags::empty()).is_ok()
        && rustix::fs::removexattr(place, "user.probe").is_ok()
}

/// Removes what is at `place`, whatever it is.
pub(crate) fn remove(place: &DiskPath) -> io::Result<()> {
    blit_conform::remove_tree(place)
}
