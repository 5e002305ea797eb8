//! What the operating system's errors mean here.

use std::io;

use blit_contract::{Error, ErrorKind};

use crate::sys::errno;

/// The contract's error for what happened in the operation `op`.
pub(crate) fn error(op: &'static str, cause: &io::Error) -> Error {
    let plain = Error::from_io(op, cause);
    match kind(cause) {
        Some(kind) if kind != plain.kind() => {
            let with_kind = Error::new(kind, op).because(detail(cause));
            match cause.raw_os_error() {
                Some(number) => with_kind.with_os(number),
                None => with_kind,
            }
        }
        _ => plain,
    }
}

/// Where the standard library's kinds say too little.
fn kind(cause: &io::Error) -> Option<ErrorKind> {
    Some(match cause.raw_os_error()? {
        // What a resolution answers when a directory on the way became a link or something else.
        errno::LOOP | errno::NOTDIR | errno::XDEV => ErrorKind::Changed,
        // Gone, or replaced by another of its name: who looks again will see.
        errno::STALE => ErrorKind::Changed,
        errno::NOENT => ErrorKind::Vanished,
        errno::PERM => ErrorKind::Denied,
        errno::OPNOTSUPP | errno::NOSYS | errno::MLINK => ErrorKind::Unsupported,
        errno::FBIG | errno::NAMETOOLONG => ErrorKind::TooLarge,
        errno::BUSY => ErrorKind::Busy,
        _ => return None,
    })
}

fn detail(cause: &io::Error) -> String {
    match cause.raw_os_error() {
        Some(errno::LOOP | errno::NOTDIR | errno::XDEV) => {
            format!("a directory on the way was replaced: {cause}")
        }
        _ => cause.to_string(),
    }
}

/// For use with `map_err`.
pub(crate) fn failed(op: &'static str) -> impl Fn(io::Error) -> Error + Copy {
    move |cause| error(op, &cause)
}

/// Whether the operating system says that there is no such entry.
pub(crate) fn is_missing(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}

/// Whether this system or file system cannot do it at all.
pub(crate) fn is_unsupported(cause: &io::Error) -> bool {
    matches!(
        cause.raw_os_error(),
        Some(errno::OPNOTSUPP | errno::NOSYS | errno::INVAL | errno::ISDIR | errno::NOTTY)
    ) || cause.kind() == io::ErrorKind::Unsupported
}

/// Whether the process or the system has no more descriptors to give.
pub(crate) fn is_exhausted(cause: &io::Error) -> bool {
    matches!(cause.raw_os_error(), Some(errno::MFILE | errno::NFILE))
}
