//! Where a place is: the identities of everything above it, through mounts and beneath them.

use std::path::{Path, PathBuf};

use blit_contract::{Identity, RelPath, Result};

use crate::{
    error::{failed, is_missing},
    place::Tree,
    sys::{self, Directory},
};

/// The identities of the entry at `path` and of every directory above it; see the contract.
pub(crate) fn of(tree: &Tree, path: &RelPath) -> Result<Vec<Identity>> {
    let failed = failed("look at the directories above");
    let mut chain = Vec::new();
    let Some(handles) = tree.handles() else {
        climb(tree.nearest_existing().map_err(failed)?, &mut chain)?;
        return Ok(chain);
    };
    let mut parent = path.parent().unwrap_or(path);
    let above = loop {
        match (handles.get(parent), parent.parent()) {
            (Ok(above), _) => break above,
            // Not even the directory is there: what is nearest counts.
            (Err(cause), Some(next)) if is_missing(&cause) => parent = next,
            (Err(cause), _) => return Err(failed(cause)),
        }
    };
    if let Some(Ok(stat)) = path.name().map(|name| above.stat(name)) {
        chain.push(stat.identity());
    }
    climb(above.try_clone().map_err(failed)?, &mut chain)?;
    Ok(chain)
}

/// Adds the identities from a directory up to where nothing is above it.
fn climb(from: Directory, chain: &mut Vec<Identity>) -> Result<()> {
    let failed = failed("look at the directories above");
    let mut at = from;
    loop {
        let identity = at.stat_itself().map_err(failed)?.identity();
        let above = at.open_parent().map_err(failed)?;
        let next = above.stat_itself().map_err(failed)?.identity();
        chain.push(identity);
        if next.mount != identity.mount
            && let Some(same_place) = elsewhere(&identity)
        {
            // A bind mount shows a directory whose real parents are seen through another mount only.
            climb(same_place, chain)?;
        }
        if next.is_same_object(&identity) && next.mount == identity.mount {
            return Ok(());
        }
        at = above;
    }
}

/// The directory above the one that is the root of a bind mount, in the file system that it is of.
fn elsewhere(bound: &Identity) -> Option<Directory> {
    let mounts = sys::mounts();
    let own = mounts.iter().find(|mount| mount.id == bound.mount)?;
    let inner_parent = own.root.parent()?;
    let seen_by = |mount: &Mount| {
        let beneath = inner_parent.strip_prefix(&mount.root).ok()?;
        Directory::open_root(&mount.point.join(beneath)).ok()
    };
    let others = mounts.iter().filter(|mount| mount.device == own.device);
    others.filter(|mount| mount.id != own.id).find_map(seen_by)
}

/// One mount, as the kernel lists it.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) id: u64,
    /// The file system, as the list names it.
    pub(crate) device: String,
    /// Which directory of the file system is mounted.
    pub(crate) root: PathBuf,
    /// Where.
    pub(crate) point: PathBuf,
}

impl Mount {
    /// Reads one line of the kernel's list: `36 35 98:0 /root /point …`, with octal escapes.
    #[cfg_attr(
        any(not(target_os = "linux"), feature = "portable-sys"),
        allow(dead_code, reason = "only Linux has the list")
    )]
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let id = fields.next()?.parse().ok()?;
        let device = fields.nth(1)?.to_owned();
        let path = |field: &str| Path::new(&unescaped(field)).to_owned();
        let (root, point) = (path(fields.next()?), path(fields.next()?));
        Some(Self {
            id,
            device,
            root,
            point,
        })
    }
}

/// The kernel writes blanks and backslashes as `\040`.
fn unescaped(field: &str) -> String {
    let mut pieces = field.split('\\');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece
            .get(..3)
            .and_then(|octal| u8::from_str_radix(octal, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                text.push_str(&piece[3..]);
            }
            None => text.push_str(piece),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_mount_list_is_read_with_its_escapes() {
        let line = r"36 35 98:0 /sub\040dir /mnt/a\134b rw,noatime - ext4 /dev/root rw";
        let mount = Mount::parse(line).unwrap();
        assert_eq!((mount.id, &*mount.device), (36, "98:0"));
        assert_eq!(mount.root, Path::new("/sub dir"));
        assert_eq!(mount.point, Path::new(r"/mnt/a\b"));
    }
}
