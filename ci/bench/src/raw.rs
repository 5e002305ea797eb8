//! The limit that L2 is held against: one file copied by the kernel, and nothing else done.

use rustix::fs::copy_file_range;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Copies the only file of `source` into `target`, in as few calls as the kernel allows.
///
/// # Errors
/// When the disk refuses.
pub fn copy_only_file(source: &Path, target: &Path) -> io::Result<()> {
    let nothing = || io::Error::other("the source has no file");
    let entry = fs::read_dir(source)?.next().ok_or_else(nothing)??;
    fs::create_dir(target)?;
    let from = File::open(entry.path())?;
    let to = File::create(target.join(entry.file_name()))?;
    let mut left_bytes = from.metadata()?.len();
    while left_bytes > 0 {
        let length = usize::try_from(left_bytes).unwrap_or(usize::MAX);
        let copied = copy_file_range(&from, None, &to, None, length)?;
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left_bytes -= copied as u64;
    }
    Ok(())
}
