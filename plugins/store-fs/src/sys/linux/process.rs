//! Who the process is, and how far it may go.

use std::sync::OnceLock;

use rustix::{
    fs::{Gid, Mode, OFlags},
    process::Resource,
};

use super::Ids;

/// Whether this process may do what root may: change owners, read everything.
pub(crate) fn is_privileged() -> bool {
    static PRIVILEGED: OnceLock<bool> = OnceLock::new();
    *PRIVILEGED.get_or_init(|| rustix::process::geteuid().is_root())
}

/// Who the process is.
pub(crate) fn own_ids() -> Ids {
    static OWN: OnceLock<Ids> = OnceLock::new();
    *OWN.get_or_init(|| Ids {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    })
}

/// Whether the process may give its files that group.
pub(crate) fn has_group(gid: u32) -> bool {
    static GROUPS: OnceLock<Vec<u32>> = OnceLock::new();
    let groups = GROUPS.get_or_init(|| {
        let groups = rustix::process::getgroups().unwrap_or_default();
        groups.into_iter().map(Gid::as_raw).collect()
    });
    own_ids().gid == gid || groups.contains(&gid)
}

/// The permission bits that the process takes from what it makes.
pub(crate) fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
            // Without /proc: assume the strictest, so that every mode is set by a call of its own.
            .unwrap_or(0o777)
    })
}

/// How many files the process may have open.
pub(crate) fn open_files_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    limit
        .current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1 << 20)
}

/// Room for the descriptors of a few batches of staged files.
const DESCRIPTORS_ROOM: i32 = 16_384;

/// Gives the store what it needs of the process. For binaries, once, before they start a thread or open a
/// store.
pub fn prepare_process() {
    raise_open_files_limit();
    super::heap::keep_small();
}

/// Raises the soft limit of open files to the hard one: each staged file holds a descriptor.
///
/// The kernel's table of descriptors is made large at once: to enlarge it later, it stops every thread
/// that opens a file for some 10 ms, and does so at each doubling (`expand_fdtable` waits for a grace
/// period if the process has threads).
fn raise_open_files_limit() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Refused: then batches are smaller.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    if let Ok(any) = rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        // Beyond the limit: then the table grows as it always did.
        drop(rustix::io::fcntl_dupfd_cloexec(&any, DESCRIPTORS_ROOM - 1));
    }
}
