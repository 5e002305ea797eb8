//! Answers that are kept for a while: the key that follows asks nearly the same.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use blit_wire::Place;

use crate::Found;

/// How long an answer holds.
const KEPT: Duration = Duration::from_secs(30);

/// No answer of ours is longer: names are limited in number and each in length.
const BYTES_MAX: u64 = 4 << 20;

/// What the first line says.
const MAGIC: &str = "blit-completion 1";

/// Where one answer is kept.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    file: PathBuf,
}

impl Cache {
    /// Of a machine with that key at those addresses, about `place` or its modules.
    pub(crate) fn of(folder: &Path, machine: &(String, String), place: Option<&Place>) -> Self {
        let mut key = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            key.update(&(bytes.len() as u64).to_le_bytes());
            key.update(bytes);
        };
        part(machine.0.as_bytes());
        part(machine.1.as_bytes());
        if let Some(place) = place {
            part(place.module.as_bytes());
            part(&place.path.to_bytes());
        }
        let folder = folder.join("completion");
        let file = folder.join(key.finalize().to_hex().as_str());
        Self { folder, file }
    }

    /// What was answered a moment ago.
    pub(crate) fn read(&self) -> Option<Vec<Found>> {
        let known = fs::symlink_metadata(&self.file).ok()?;
        if !known.is_file() || known.len() > BYTES_MAX || !is_fresh(known.modified().ok()?) {
            return None;
        }
        let text = fs::read_to_string(&self.file).ok()?;
        let mut lines = text.lines();
        (lines.next()? == MAGIC).then_some(())?;
        lines.map(read_line).collect()
    }

    /// Keeps an answer, and lets go of those that hold no more.
    pub(crate) fn write(&self, found: &[Found]) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        for kept in fs::read_dir(&self.folder)? {
            let kept = kept?;
            if !is_fresh(kept.metadata()?.modified()?) {
                // Another shell may have done it.
                drop(fs::remove_file(kept.path()));
            }
        }
        let lines: String = found
            .iter()
            .map(|it| format!("{} {}\n", if it.is_directory { 'd' } else { 'f' }, it.name))
            .collect();
        // Made for its owner alone: names are nobody else's business.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(format!("{MAGIC}\n{lines}").as_bytes())?;
        file.persist(&self.file)?;
        Ok(())
    }
}

/// Neither too old nor, after a jump of the clock, of the future.
fn is_fresh(written: SystemTime) -> bool {
    let age = SystemTime::now().duration_since(written);
    age.is_ok_and(|age| age < KEPT)
}

fn read_line(line: &str) -> Option<Found> {
    let (kind, name) = line.split_once(' ')?;
    Found::new(name.as_bytes(), kind == "d")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache(folder: &Path) -> Cache {
        Cache::of(folder, &("key".to_owned(), "nas:9031".to_owned()), None)
    }

    fn age(path: &Path, age: Duration) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn an_answer_is_kept_for_its_owner_alone_until_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        assert_eq!(cache.read(), None);
        let found = [(&b"a b"[..], true), (b"c", false)];
        let found: Vec<_> = found.map(|(name, is)| Found::new(name, is).unwrap()).into();
        cache.write(&found).unwrap();
        assert_eq!(cache.read(), Some(found.clone()));
        let mode = fs::metadata(&cache.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        age(&cache.file, KEPT);
        assert_eq!(cache.read(), None);
        // From the future, as after a clock was set back.
        let file = fs::File::options().write(true).open(&cache.file).unwrap();
        file.set_modified(SystemTime::now() + KEPT).unwrap();
        assert_eq!(cache.read(), None);
    }

    #[test]
    fn what_is_old_goes_when_something_new_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        cache.write(&[]).unwrap();
        let old = cache.folder.join("old");
        fs::write(&old, "").unwrap();
        age(&old, KEPT);
        cache.write(&[]).unwrap();
        assert!(!old.exists() && cache.file.exists());
    }

    #[test]
    fn machines_ports_modules_and_paths_do_not_share_answers() {
        let of = |machine: (&str, &str), module: Option<&str>| {
            let place = module.map(|module| Place {
                module: module.to_owned(),
                path: blit_contract::RelPath::ROOT,
            });
            let machine = (machine.0.to_owned(), machine.1.to_owned());
            Cache::of(Path::new("/c"), &machine, place.as_ref()).file
        };
        let all = [
            of(("a", "b"), None),
            of(("ab", ""), None),
            of(("a", "b:1"), None),
            of(("a", "b"), Some("m")),
            of(("a", "b"), Some("n")),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_file_that_is_no_answer_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        cache.write(&[]).unwrap();
        for text in [
            "",
            "something else\nd a\n",
            "blit-completion 1\nd\n",
            "blit-completion 1\nd a\u{1b}[2J\n",
        ] {
            fs::write(&cache.file, text).unwrap();
            assert_eq!(cache.read(), None, "{text:?}");
        }
    }
}
