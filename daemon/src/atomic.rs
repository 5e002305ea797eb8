//! Files that are changed together: all of them, or none.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// What one is to become.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A file with this content. One that is there keeps its mode and its owner.
    File {
        path: PathBuf,
        content: Vec<u8>,
        mode: u32,
    },
    /// A symlink.
    Link { path: PathBuf, to: PathBuf },
    /// Nothing.
    Gone { path: PathBuf },
}

impl Change {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } | Self::Link { path, .. } | Self::Gone { path } => path,
        }
    }

    /// Whether it is so already.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::File { path, content, .. } => fs::read(path).is_ok_and(|it| it == *content),
            Self::Link { path, to } => fs::read_link(path).is_ok_and(|it| it == *to),
            Self::Gone { path } => fs::symlink_metadata(path).is_err(),
        }
    }
}

/// Makes the changes, and answers which of them were none yet. After an error everything is as it was.
pub(crate) fn apply(changes: &[Change]) -> io::Result<Vec<PathBuf>> {
    let due = changes.iter().filter(|change| !change.is_done());
    // Where there is no room or no permission, it shows here, before anything is changed.
    let staged: Vec<Staged> = due.map(Staged::new).collect::<io::Result<_>>()?;
    let before: Vec<Undo> = staged
        .iter()
        .map(|stage| Undo::of(&stage.path))
        .collect::<io::Result<_>>()?;
    let mut done: Vec<Undo> = Vec::new();
    let mut changed = Vec::new();
    for (stage, undo) in staged.into_iter().zip(before) {
        let path = stage.path.clone();
        if let Err(cause) = stage.publish() {
            done.into_iter().rev().for_each(Undo::undo);
            return Err(cause);
        }
        done.push(undo);
        changed.push(path);
    }
    Ok(changed)
}

/// A change that needs only its name.
struct Staged {
    path: PathBuf,
    new: New,
}

enum New {
    File(NamedTempFile),
    Link(PathBuf),
    Nothing,
}

impl Staged {
    fn new(change: &Change) -> io::Result<Self> {
        let path = change.path().to_owned();
        let new = match change {
            Change::File { content, mode, .. } => {
                // A file that others see through a symlink stays that file.
                let path = fs::canonicalize(&path).unwrap_or(path);
                let new = New::File(file(&path, content, *mode)?);
                return Ok(Self { path, new });
            }
            Change::Link { to, .. } => {
                fs::create_dir_all(folder_of(&path))?;
                New::Link(to.clone())
            }
            Change::Gone { .. } => New::Nothing,
        };
        Ok(Self { path, new })
    }

    fn publish(self) -> io::Result<()> {
        match self.new {
            New::File(file) => drop(file.persist(&self.path)?),
            New::Link(to) => {
                let folder = tempfile::tempdir_in(folder_of(&self.path))?;
                let link = folder.path().join("link");
                symlink(to, &link)?;
                fs::rename(link, &self.path)?;
            }
            New::Nothing => fs::remove_file(&self.path)?,
        }
        fs::File::open(folder_of(&self.path))?.sync_all()
    }
}

fn file(path: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    fs::create_dir_all(folder_of(path))?;
    let mut file = NamedTempFile::new_in(folder_of(path))?;
    file.write_all(content)?;
    let mode = match fs::metadata(path) {
        Ok(found) => {
            let (user, group) = (found.uid(), found.gid());
            std::os::unix::fs::fchown(file.as_file(), Some(user), Some(group))?;
            found.permissions().mode() & 0o7777
        }
        Err(_) => mode,
    };
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// What there was.
struct Undo {
    path: PathBuf,
    before: Option<Change>,
}

impl Undo {
    fn of(path: &Path) -> io::Result<Self> {
        let (path, found) = (path.to_owned(), fs::symlink_metadata(path));
        let before = match found {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(cause),
            Ok(found) if found.is_symlink() => Some(Change::Link {
                to: fs::read_link(&path)?,
                path: path.clone(),
            }),
            Ok(found) => Some(Change::File {
                content: fs::read(&path)?,
                mode: found.mode() & 0o7777,
                path: path.clone(),
            }),
        };
        Ok(Self { path, before })
    }

    fn undo(self) {
        let change = self.before.unwrap_or(Change::Gone { path: self.path });
        // The error that led here is the one to tell.
        drop(Staged::new(&change).and_then(Staged::publish));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, content: &str) -> Change {
        Change::File {
            path: path.to_owned(),
            content: content.into(),
            mode: 0o644,
        }
    }

    #[test]
    fn what_is_done_already_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a/file"), folder.path().join("b/link"));
        let to = file.clone();
        let changes = [
            write(&file, "1"),
            Change::Link {
                path: link.clone(),
                to,
            },
        ];
        assert_eq!(apply(&changes).unwrap(), [file.clone(), link.clone()]);
        assert!(apply(&changes).unwrap().is_empty());
        assert_eq!(fs::read_to_string(link).unwrap(), "1");
        assert_eq!(
            apply(&[Change::Gone { path: file.clone() }]).unwrap(),
            [file]
        );
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_symlink_to_it_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "1").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        apply(&[write(&link, "2")]).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "2");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn after_an_error_everything_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "1").unwrap();
        fs::write(at("gone"), "1").unwrap();
        let gone = Change::Gone { path: at("gone") };
        let changes = [
            write(&at("old"), "2"),
            write(&at("new"), "2"),
            gone.clone(),
            // The second time it is not there.
            gone,
        ];
        apply(&changes).unwrap_err();
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "1");
        assert_eq!(fs::read_to_string(at("gone")).unwrap(), "1");
        assert!(!at("new").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
