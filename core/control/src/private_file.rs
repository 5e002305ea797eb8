//! Files that nobody else may read: written whole or not at all.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

/// The bits that let others look.
const OTHERS: u32 = 0o077;

/// Makes a directory of our own, and those above it.
///
/// # Errors
/// If it cannot be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Replaces the file at `path` by one with this content: after a crash it is the old or the new one.
///
/// # Errors
/// If it cannot be written; then it is as it was.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory)?;
    // Made with 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(directory)?.sync_all()
}

/// Reads a file that must be ours alone.
///
/// # Errors
/// It cannot be read, or others can read it, too.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let found = fs::symlink_metadata(path)?;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_file() || found.uid() != own || found.permissions().mode() & OTHERS != 0 {
        let text = format!(
            "{} must be a file of yours that nobody else can read: chmod 600",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    fs::read(path)
}
