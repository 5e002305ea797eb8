//! Reads many small files, or the attributes of many entries, in one call.

use std::{io, sync::Arc};

use blit_contract::{
    Attributes, Cx, Entry, Error, ErrorKind, Kind, ReadItem, RelPath, Result, SmallFile,
};
use bytes::Bytes;

use crate::{
    error::{error, is_missing},
    place::Tree,
    sys::{self, Closing, Directory, File, errno},
};

/// Reads all of `items`; each answer stands at the place of its question.
pub(crate) fn batch(tree: &Tree, cx: &Cx, items: Vec<ReadItem>) -> Result<Vec<Result<SmallFile>>> {
    let contents = items.iter().filter(|item| item.content);
    // One byte more than the files hold: a read that does not fill its buffer has found the end.
    let room = contents.fold(1_u64, |room, item| room.saturating_add(item.expect.size));
    let room = usize::try_from(room).map_err(|_| too_large())?;
    let mut buffer = vec![0; room];
    let mut filled = 0;
    let mut directory: Option<(RelPath, Arc<Directory>)> = None;
    let mut closing = Closing::default();
    let mut read = Vec::with_capacity(items.len());
    for item in &items {
        cx.check()?;
        let content = one(
            tree,
            &mut directory,
            &mut closing,
            item,
            &mut buffer[filled..],
        );
        if let Ok((size, _)) = &content {
            filled += size;
        }
        read.push(content);
    }
    let buffer = Bytes::from(buffer);
    let mut start = 0;
    let cut = items.into_iter().zip(read).map(|(item, content)| {
        let (size, attributes) = content?;
        let mut file = SmallFile::new(item.path, item.expect, buffer.slice(start..start + size));
        file.attributes = attributes;
        start += size;
        Ok(file)
    });
    Ok(cut.collect())
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "read").because("a batch is larger than memory")
}

/// Reads one file to the front of `buffer`; answers how much it was.
fn one(
    tree: &Tree,
    held: &mut Option<(RelPath, Arc<Directory>)>,
    closing: &mut Closing,
    item: &ReadItem,
    buffer: &mut [u8],
) -> Result<(usize, Attributes)> {
    let failed = |cause: io::Error| error("read", &cause).at(&item.path);
    if matches!(item.expect.kind, Kind::Special(_) | Kind::Symlink(_)) {
        return Ok((0, Attributes::default()));
    }
    let file = open(tree, held, &item.path, &item.expect).map_err(failed)?;
    let read = from(&file, item, buffer);
    closing.close(file);
    read
}

/// Reads what is asked for of an open file.
fn from(file: &File, item: &ReadItem, buffer: &mut [u8]) -> Result<(usize, Attributes)> {
    let failed = |cause: io::Error| error("read", &cause).at(&item.path);
    let attributes = if item.xattrs {
        attributes(file).map_err(failed)?
    } else {
        Attributes::default()
    };
    if !item.content {
        return Ok((0, attributes));
    }
    let expected = usize::try_from(item.expect.size).map_err(|_| too_large())?;
    let room = buffer.get_mut(..=expected).ok_or_else(too_large)?;
    let size = file.read_whole(room).map_err(failed)?;
    let size = if size < expected {
        // Some file systems answer less than was asked for, before the end.
        let more = file.read_at(&mut room[size..], size as u64);
        size + more.map_err(failed)?
    } else {
        size
    };
    check(file, &item.expect, &item.path)?;
    if size != expected {
        return Err(changed(&item.path).because("its length is not what its size says"));
    }
    Ok((size, attributes))
}

/// Opens a file or directory for its content or attributes. The root is its own.
fn open(
    tree: &Tree,
    held: &mut Option<(RelPath, Arc<Directory>)>,
    path: &RelPath,
    expect: &Entry,
) -> io::Result<File> {
    if expect.is_directory() {
        return tree.directory(path)?.as_file();
    }
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = match held {
        Some((at, directory)) if at == parent => Arc::clone(directory),
        _ => {
            let directory = tree.directory(parent)?;
            *held = Some((parent.clone(), Arc::clone(&directory)));
            directory
        }
    };
    tree.with_room(|| directory.open_file(name, may_skip_access_time(expect)))
}

/// Only the owner and root may read without leaving a trace.
pub(crate) fn may_skip_access_time(entry: &Entry) -> bool {
    sys::is_privileged() || sys::own_ids().uid == entry.uid
}

/// The extended attributes that blit carries.
pub(crate) fn attributes(file: &File) -> io::Result<Attributes> {
    let mut found = Vec::new();
    for name in file.xattr_names()? {
        if is_carried(&name) {
            match file.xattr(&name) {
                Ok(value) => found.push((name, value)),
                // Gone since it was listed: the file's ctime tells.
                Err(cause) if is_missing(&cause) => {}
                Err(cause) if cause.raw_os_error() == Some(errno::NODATA) => {}
                Err(cause) => return Err(cause),
            }
        }
    }
    Ok(Attributes::with_xattrs(found))
}

/// User attributes and access lists; capabilities only where they can be set again.
pub(crate) fn is_carried(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name == b"system.posix_acl_access"
        || name == b"system.posix_acl_default"
        || (name == b"security.capability" && sys::is_privileged())
}

/// Checks that the file is what the scan saw.
pub(crate) fn check(file: &File, expect: &Entry, path: &RelPath) -> Result<()> {
    let stat = file
        .stat()
        .map_err(|cause| error("read", &cause).at(path))?;
    if stat.is(expect) {
        Ok(())
    } else {
        Err(changed(path))
    }
}

fn changed(path: &RelPath) -> Error {
    Error::new(ErrorKind::Changed, "read").at(path)
}
