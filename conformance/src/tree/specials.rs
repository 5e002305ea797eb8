//! What a copy passes over unless it is asked for: cases 31 and 32.

use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::is_root;

/// A FIFO, a socket and, for root, devices in `root`; answers with how many.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn special_files(root: &Path) -> usize {
    std::fs::create_dir_all(root).expect("their directory");
    mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
    // The path of a socket may have 108 bytes only.
    let short = tempfile::tempdir_in("/tmp").expect("a short path");
    drop(UnixListener::bind(short.path().join("s")).expect("a socket"));
    match std::fs::rename(short.path().join("s"), root.join("socket")) {
        Ok(()) => {}
        Err(_) => {
            mknodat(CWD, root.join("socket"), FileType::Socket, Mode::RUSR, 0).expect("a socket")
        }
    }
    if !is_root() {
        return 2;
    }
    mknodat(
        CWD,
        root.join("character"),
        FileType::CharacterDevice,
        Mode::RUSR,
        makedev(1, 3),
    )
    .expect("a device");
    mknodat(
        CWD,
        root.join("block"),
        FileType::BlockDevice,
        Mode::RUSR,
        makedev(7, 200),
    )
    .expect("a device");
    4
}
