//! Metadata: cases 51 to 63.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use super::build::{attribute, file, set_times};

super::catalogue! {
    51 times_of_every_age
    53 modes_of_every_kind
    54 privileged_bits
    55 owners_that_nobody_knows
    56 user_attributes
    57 many_attributes
    58 access_lists
    60 directory_times
    63 directory_that_may_not_be_written
}

fn times_of_every_age(root: &Path) -> io::Result<()> {
    const YEAR_9999: i64 = 253_402_300_799;
    let seconds = [
        -1,
        0,
        1 << 31,
        1 << 32,
        YEAR_9999,
        -(1 << 31) - 1,
        1_700_000_000,
    ];
    for (index, seconds) in seconds.into_iter().enumerate() {
        let nanoseconds = [0, 1, 999, 999_999, 999_999_999][index % 5];
        let path = file(root, format!("{seconds}").as_bytes())?;
        set_times(&path, (seconds, nanoseconds));
        let link = root.join(format!("link{index}"));
        symlink("x", &link)?;
        set_times(&link, (seconds, nanoseconds));
        let directory = root.join(format!("directory{index}"));
        fs::create_dir(&directory)?;
        set_times(&directory, (seconds, nanoseconds));
    }
    Ok(())
}

fn modes_of_every_kind(root: &Path) -> io::Result<()> {
    for mode in [0o000, 0o111, 0o400, 0o200, 0o640, 0o777, 0o604] {
        let path = file(root, format!("file{mode:o}").as_bytes())?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        let directory = root.join(format!("directory{mode:o}"));
        fs::create_dir(&directory)?;
        file(&directory, b"inner")?;
        fs::set_permissions(&directory, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn privileged_bits(root: &Path) -> io::Result<()> {
    for mode in [0o4755, 0o2755, 0o1755, 0o6711, 0o7777, 0o2644] {
        let path = file(root, format!("file{mode:o}").as_bytes())?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        let directory = root.join(format!("directory{mode:o}"));
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(mode))?;
        file(&directory, b"inner")?;
    }
    Ok(())
}

fn owners_that_nobody_knows(root: &Path) -> io::Result<()> {
    for (index, owner) in [(12_345, 54_321), (0, 7), (u32::MAX - 1, u32::MAX - 1)]
        .iter()
        .enumerate()
    {
        let path = file(root, format!("file{index}").as_bytes())?;
        chown(&path, Some(owner.0), Some(owner.1))?;
        fs::set_permissions(&path, Permissions::from_mode(0o6755))?;
        let link = root.join(format!("link{index}"));
        symlink("file0", &link)?;
        lchown(&link, Some(owner.0), Some(owner.1))?;
        let directory = root.join(format!("directory{index}"));
        fs::create_dir(&directory)?;
        chown(&directory, Some(owner.0), Some(owner.1))?;
    }
    Ok(())
}

fn user_attributes(root: &Path) -> io::Result<()> {
    let path = file(root, b"file")?;
    attribute(&path, b"user.empty", b"")?;
    attribute(&path, b"user.binary", b"\x00\xff\n\x1b[2J")?;
    attribute(&path, b"user.\xff\xfe", b"a name that is not UTF-8")?;
    let large = file(root, b"large")?;
    attribute(&large, b"user.large", &[b'v'; 3_900])?;
    let directory = root.join("directory");
    fs::create_dir(&directory)?;
    attribute(&directory, b"user.on a directory", b"kept")?;
    set_times(&path, (1_000_000_000, 42));
    Ok(())
}

fn many_attributes(root: &Path) -> io::Result<()> {
    let path = file(root, b"file")?;
    (0..60).try_for_each(|index| attribute(&path, format!("user.{index}").as_bytes(), b"some"))
}

fn access_lists(root: &Path) -> io::Result<()> {
    let path = file(root, b"file")?;
    attribute(&path, b"system.posix_acl_access", &access_list(4_711))?;
    let parent = root.join("parent");
    fs::create_dir(&parent)?;
    file(&parent, b"before the default")?;
    attribute(&parent, b"system.posix_acl_default", &access_list(1_234))?;
    // What is made now inherits; what was made before must not.
    file(&parent, b"after the default")?;
    fs::create_dir(parent.join("inherits"))?;
    let plain = parent.join("plain");
    fs::create_dir(&plain)?;
    rustix::fs::removexattr(&plain, "system.posix_acl_default")?;
    rustix::fs::removexattr(&plain, "system.posix_acl_access")?;
    file(&plain, b"inner").map(drop)
}

/// `u::rw-, u:USER:r--, g::r--, m::r--, o::---` in the form of the kernel: a version, then tag,
/// permissions and id of each line.
fn access_list(user: u32) -> Vec<u8> {
    const NO_ID: u32 = u32::MAX;
    let lines: [(u16, u16, u32); 5] = [
        (0x01, 6, NO_ID),
        (0x02, 4, user),
        (0x04, 4, NO_ID),
        (0x10, 4, NO_ID),
        (0x20, 0, NO_ID),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in lines {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn directory_times(root: &Path) -> io::Result<()> {
    let deep = root.join("a/b/c");
    fs::create_dir_all(&deep)?;
    (0..5).try_for_each(|index| file(&deep, format!("{index}").as_bytes()).map(drop))?;
    for (index, path) in [deep.as_path(), &root.join("a/b"), &root.join("a")]
        .iter()
        .enumerate()
    {
        set_times(path, (900_000_000 + index as i64, 987_654_321));
    }
    Ok(())
}

fn directory_that_may_not_be_written(root: &Path) -> io::Result<()> {
    let directory = root.join("closed");
    fs::create_dir_all(directory.join("inner"))?;
    file(&directory, b"file")?;
    file(&directory.join("inner"), b"file")?;
    for path in [directory.join("inner"), directory] {
        set_times(&path, (800_000_000, 1));
        fs::set_permissions(&path, Permissions::from_mode(0o555))?;
    }
    Ok(())
}
