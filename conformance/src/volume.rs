//! File systems in image files, mounted for as long as a test needs them.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{need_root, need_tool, skip};

/// A kind of file system that keeps its promises in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// A journal for metadata, data before the names of it.
    Ext4,
    /// A journal of intents.
    Xfs,
    /// Copies instead of overwriting, with a log for what is synced alone.
    Btrfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As `mount` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// Whether it can be made and mounted here; a reason why not is said.
    #[must_use]
    pub fn is_here(self) -> bool {
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let is_known = known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(self.name()));
        if !is_known {
            skip(&format!("this kernel has no {}", self.name()));
        }
        is_known && need_root("to mount") && need_tool(&format!("mkfs.{}", self.name()))
    }

    /// The smallest disk that it likes.
    pub(crate) const fn size_bytes(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            Self::Xfs => 320 << 20,
            Self::Btrfs => 128 << 20,
        }
    }

    /// Makes an empty one in a new file at `image`.
    ///
    /// # Panics
    /// When that fails.
    pub fn make(self, image: &Path) {
        let file = std::fs::File::create_new(image).expect("a new image");
        file.set_len(self.size_bytes()).expect("its size");
        let flags: &[&str] = match self {
            // Nothing is left for the kernel to write when nobody asks it to.
            Self::Ext4 => &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
            Self::Xfs | Self::Btrfs => &["-q"],
        };
        let mut make = Command::new(format!("mkfs.{}", self.name()));
        run(make.args(flags).arg(image)).expect("a file system");
    }
}

/// Something mounted at a directory; it is unmounted at the end.
#[derive(Debug)]
pub struct Mounted {
    at: Option<PathBuf>,
    image: Option<PathBuf>,
}

impl Mounted {
    /// The file system in the file `image`, mounted at `at`.
    ///
    /// # Errors
    /// What `mount` says, when it cannot be mounted.
    pub fn image(kind: FileSystem, image: &Path, at: &Path) -> io::Result<Self> {
        let options = match kind {
            // Without what it does for programs that do not sync.
            FileSystem::Ext4 => "loop,noatime,noauto_da_alloc",
            FileSystem::Xfs => "loop,noatime,nouuid",
            FileSystem::Btrfs => {
                // It would take an older state of the same file system for a mistake.
                run(Command::new("btrfs").args(["device", "scan", "--forget"]))?;
                "loop,noatime"
            }
        };
        std::fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        run(mount
            .args(["-t", kind.name(), "-o", options])
            .arg(image)
            .arg(at))?;
        Ok(Self {
            at: Some(at.to_owned()),
            image: Some(image.to_owned()),
        })
    }

    /// An empty file system in memory, where nothing waits for a disk.
    ///
    /// # Errors
    /// What `mount` says.
    pub fn memory(at: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        run(mount.args(["-t", "tmpfs", "-o", "size=4g", "none"]).arg(at))?;
        Ok(Self {
            at: Some(at.to_owned()),
            image: None,
        })
    }

    /// Unmounts it, and fails if somebody uses it. Then everything is in the image.
    ///
    /// # Errors
    /// What `umount` says; or that the image is still in use a minute later.
    pub fn unmount(mut self) -> io::Result<()> {
        let at = self.at.take().unwrap_or_default();
        run(Command::new("umount").arg(&at)).inspect_err(|_| self.at = Some(at))?;
        self.image.as_deref().map_or(Ok(()), released)
    }
}

/// How long an unmounted image may stay in use.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until no loop device has `image` any more. A mount namespace that anybody made meanwhile has
/// a copy of every mount, and only with the last of them does the kernel write what it holds back.
fn released(image: &Path) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while is_attached(image)? {
        if Instant::now() > end {
            let said = format!("{} stays attached to a loop device", image.display());
            return Err(io::Error::other(said));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn is_attached(image: &Path) -> io::Result<bool> {
    for device in std::fs::read_dir("/sys/block")? {
        // It is there only while the device has a file.
        let file = device?.path().join("loop/backing_file");
        if std::fs::read(file).is_ok_and(|of| of.trim_ascii_end() == image.as_os_str().as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(at) = &self.at
            && run(Command::new("umount").arg(at)).is_err()
        {
            let _ = run(Command::new("umount").arg("-l").arg(at));
        }
    }
}

/// Runs a tool to a good end.
fn run(command: &mut Command) -> io::Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let program = command.get_program().display();
    Err(io::Error::other(format!("{program}: {}", said.trim())))
}
