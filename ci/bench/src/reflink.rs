//! A btrfs file system inside a file, where a copy can share the blocks of its source.

use crate::shell;
use eyre::{Context, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// btrfs does not want to be smaller than this.
const IMAGE_BYTES_MIN: u64 = 512 << 20;

/// A mounted image; dropping it unmounts and removes it.
pub(crate) struct ReflinkStore {
    image: PathBuf,
    mounted: PathBuf,
}

impl ReflinkStore {
    /// Makes and mounts an image below `folder` that has room for `size_bytes` of files.
    pub(crate) fn mount(folder: &Path, size_bytes: u64) -> eyre::Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "only root may mount the btrfs image"
        );
        let store = Self {
            image: folder.join("btrfs.image"),
            mounted: folder.join("btrfs"),
        };
        File::create(&store.image)?.set_len(IMAGE_BYTES_MIN.max(size_bytes * 3))?;
        fs::create_dir(&store.mounted)?;
        shell::output(Command::new("mkfs.btrfs").arg("--quiet").arg(&store.image))
            .wrap_err("needs btrfs-progs")?;
        let mut mount = Command::new("mount");
        mount
            .args(["-o", "loop"])
            .arg(&store.image)
            .arg(&store.mounted);
        shell::output(&mut mount).wrap_err("no loop device")?;
        Ok(store)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mounted
    }
}

impl Drop for ReflinkStore {
    /// Best effort: what cannot be removed lies in the folder of the run, and is removed with it.
    fn drop(&mut self) {
        let _ = shell::output(Command::new("umount").arg(&self.mounted));
        let _ = fs::remove_dir(&self.mounted);
        let _ = fs::remove_file(&self.image);
    }
}
