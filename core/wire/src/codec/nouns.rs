//! Entries, paths and errors.

use blit_contract::{
    Attributes, Entry, Error, ErrorKind, Identity, Kind, Name, RelPath, Special, Time,
};
use bytes::Bytes;

use super::{BadMessage, Decoded, at_most, at_place, needed, place_of, words::word};
use crate::{
    limits::{LINK_BYTES_MAX, PATH_NAMES_MAX, TEXT_BYTES_MAX, XATTRS_MAX},
    proto,
};

/// The kinds of errors by number, from 1. New ones are added at the end.
const ERROR_KINDS: &[ErrorKind] = &[
    ErrorKind::Bug,
    ErrorKind::Busy,
    ErrorKind::Cancelled,
    ErrorKind::Changed,
    ErrorKind::Collision,
    ErrorKind::Conflict,
    ErrorKind::Corrupt,
    ErrorKind::Denied,
    ErrorKind::Immutable,
    ErrorKind::Invalid,
    ErrorKind::Io,
    ErrorKind::NoSpace,
    ErrorKind::NotFound,
    ErrorKind::ReadOnly,
    ErrorKind::TooLarge,
    ErrorKind::Unreachable,
    ErrorKind::Unsupported,
    ErrorKind::Vanished,
];

const NANOS_MAX: u32 = 999_999_999;

pub(super) fn time(time: Time) -> proto::Time {
    proto::Time {
        secs: time.secs,
        nanos: time.nanos,
    }
}

pub(super) fn to_time(time: Option<proto::Time>) -> Decoded<Time> {
    let time = time.unwrap_or_default();
    at_most(time.nanos as usize, NANOS_MAX as usize, "a time")?;
    Ok(Time::new(time.secs, time.nanos))
}

pub(super) fn name(name: &Name) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

pub(super) fn to_name(name: &Bytes) -> Decoded<Name> {
    Ok(Name::new(&**name)?)
}

pub(super) fn path(path: &RelPath) -> proto::Path {
    proto::Path {
        names: path.components().into_iter().map(name).collect(),
    }
}

pub(super) fn to_path(path: Option<proto::Path>) -> Decoded<RelPath> {
    let names = path.unwrap_or_default().names;
    at_most(names.len(), PATH_NAMES_MAX, "a path")?;
    names.iter().map(to_name).collect()
}

pub(super) fn entry(entry: &Entry) -> proto::Entry {
    use proto::Kind as Wire;
    let (kind, device_number, link_target) = match &entry.kind {
        Kind::Directory => (Wire::Directory, 0, Bytes::new()),
        Kind::File => (Wire::File, 0, Bytes::new()),
        Kind::Symlink(target) => (Wire::Symlink, 0, target.clone()),
        Kind::Special(Special::BlockDevice(number)) => (Wire::BlockDevice, *number, Bytes::new()),
        Kind::Special(Special::CharDevice(number)) => (Wire::CharDevice, *number, Bytes::new()),
        Kind::Special(Special::Fifo) => (Wire::Fifo, 0, Bytes::new()),
        // A socket, or what a later contract knows: both are only ever named.
        _ => (Wire::Socket, 0, Bytes::new()),
    };
    let identity = &entry.identity;
    proto::Entry {
        name: name(&entry.name),
        kind: kind.into(),
        size: entry.size,
        allocated: entry.allocated,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        modified: Some(time(entry.modified)),
        identity: Some(proto::Identity {
            device: identity.device,
            inode: identity.inode,
            mount: identity.mount,
            changed: Some(time(identity.changed)),
            links: identity.links,
        }),
        link_target,
        device_number,
    }
}

pub(super) fn to_entry(entry: Option<proto::Entry>) -> Decoded<Entry> {
    const MODE_BITS: u32 = 0o7777;
    let entry = needed(entry, "an entry")?;
    let kind = to_kind(&entry)?;
    let is_file = kind == Kind::File;
    let mut found = Entry::new(to_name(&entry.name)?, kind);
    if i64::try_from(entry.size).is_err() {
        return Err(BadMessage::TooLarge("a file"));
    }
    if entry.mode & !MODE_BITS != 0 {
        return Err(BadMessage::Unknown("a mode"));
    }
    (found.size, found.allocated) = if is_file {
        (entry.size, entry.allocated)
    } else {
        (0, entry.allocated)
    };
    (found.mode, found.uid, found.gid) = (entry.mode, entry.uid, entry.gid);
    found.modified = to_time(entry.modified)?;
    let identity = entry.identity.unwrap_or_default();
    found.identity = Identity {
        device: identity.device,
        inode: identity.inode,
        mount: identity.mount,
        changed: to_time(identity.changed)?,
        links: identity.links,
    };
    Ok(found)
}

fn to_kind(entry: &proto::Entry) -> Decoded<Kind> {
    use proto::Kind as Wire;
    at_most(entry.link_target.len(), LINK_BYTES_MAX, "a link")?;
    Ok(match entry.kind() {
        Wire::Directory => Kind::Directory,
        Wire::File => Kind::File,
        Wire::Symlink if entry.link_target.is_empty() || entry.link_target.contains(&0) => {
            return Err(BadMessage::Unknown("a link"));
        }
        Wire::Symlink => Kind::Symlink(entry.link_target.clone()),
        Wire::BlockDevice => Kind::Special(Special::BlockDevice(entry.device_number)),
        Wire::CharDevice => Kind::Special(Special::CharDevice(entry.device_number)),
        Wire::Fifo => Kind::Special(Special::Fifo),
        Wire::Socket => Kind::Special(Special::Socket),
        Wire::Unspecified => return Err(BadMessage::Unknown("the kind of an entry")),
    })
}

pub(super) fn xattrs(attributes: &Attributes) -> Vec<proto::Xattr> {
    let pairs = attributes.xattrs.iter();
    pairs
        .map(|(name, value)| proto::Xattr {
            name: name.clone(),
            value: value.clone(),
        })
        .collect()
}

pub(super) fn to_attributes(xattrs: Vec<proto::Xattr>) -> Decoded<Attributes> {
    at_most(xattrs.len(), XATTRS_MAX, "the attributes of an entry")?;
    let mut pairs = Vec::with_capacity(xattrs.len());
    for xattr in xattrs {
        at_most(xattr.name.len(), 255, "the name of an attribute")?;
        at_most(xattr.value.len(), 64 << 10, "the value of an attribute")?;
        if xattr.name.is_empty() || xattr.name.contains(&0) {
            return Err(BadMessage::Unknown("the name of an attribute"));
        }
        pairs.push((xattr.name, xattr.value));
    }
    Ok(Attributes::with_xattrs(pairs))
}

pub(super) fn fault(error: &Error) -> proto::Fault {
    proto::Fault {
        kind: place_of(ERROR_KINDS, &error.kind()),
        op: error.op().to_owned(),
        path: error.path().map(path),
        detail: shortened(error.detail().unwrap_or_default()),
        os: error.os().unwrap_or_default(),
    }
}

/// What crosses is for people; a length that no sentence has is cut.
fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    while text.len() > TEXT_BYTES_MAX {
        text.pop();
    }
    text
}

pub(super) fn to_error(fault: proto::Fault) -> Decoded<Error> {
    at_most(fault.detail.len(), TEXT_BYTES_MAX, "the text of an error")?;
    // A kind that only a newer peer knows is some failure over there.
    let kind = at_place(ERROR_KINDS, fault.kind, "the kind of an error").unwrap_or(ErrorKind::Io);
    let mut error = Error::new(kind, word(&fault.op));
    if let Some(path) = fault.path {
        error = error.at(&to_path(Some(path))?);
    }
    if !fault.detail.is_empty() {
        error = error.because(fault.detail);
    }
    if fault.os != 0 {
        error = error.with_os(fault.os);
    }
    Ok(error)
}
