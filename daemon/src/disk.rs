//! Whether the disk of an optional module is there, and is the one that it was.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;

/// The file systems on which optional modules were first met: `disks.toml` in the state directory.
///
/// A directory that is there says nothing: the mount point of a disk that is away is one too, and what was
/// written into it would land on the wrong disk.
#[derive(Debug)]
pub(crate) struct Disks {
    path: PathBuf,
    known: Mutex<BTreeMap<String, String>>,
}

impl Disks {
    /// Those of the state directory. A file that cannot be read is an error: it is a guard.
    pub(crate) fn load(state: &Path) -> io::Result<Self> {
        let path = state.join("disks.toml");
        let text = match fs::read_to_string(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        let known = toml::from_str(&text).map_err(io::Error::other)?;
        let known = Mutex::new(known);
        Ok(Self { path, known })
    }

    /// Why the module is offline; nothing if its disk is there. The first disk is remembered.
    pub(crate) fn trouble(&self, module: &str, path: &Path) -> Option<String> {
        let found = match file_system(path) {
            Ok(found) => found,
            Err(cause) => return Some(cause.to_string()),
        };
        let mut known = self.known.lock();
        match known.get(module) {
            Some(expected) if *expected == found => None,
            Some(_) => Some(format!(
                "another file system is there; if the disk was replaced, remove {module} from {}",
                self.path.display()
            )),
            None => {
                known.insert(module.to_owned(), found);
                let text = toml::to_string(&*known).map_err(io::Error::other);
                let kept = text.and_then(|text| fs::write(&self.path, text));
                kept.err().map(|cause| cause.to_string())
            }
        }
    }
}

/// What tells a file system from others, also after it was mounted again.
fn file_system(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let found = rustix::fs::statvfs(path)?;
    Ok(format!("{:016x}", found.f_fsid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_in_the_place_of_the_disk_is_trouble() {
        let state = tempfile::tempdir().unwrap();
        let disks = Disks::load(state.path()).unwrap();
        assert_eq!(disks.trouble("backup", state.path()), None);
        // Remembered over a restart.
        let disks = Disks::load(state.path()).unwrap();
        assert_eq!(disks.trouble("backup", state.path()), None);
        let other = disks.trouble("backup", Path::new("/proc")).unwrap();
        assert!(other.contains("disks.toml"), "{other}");
        assert!(disks.trouble("backup", Path::new("/nonexistent")).is_some());
    }
}
