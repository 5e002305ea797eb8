//! Judges what a run left: two comparers that share no code with blit look at it.

use crate::shell;
use blit_conform::{Options, What};
use eyre::{bail, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The metadata that is not as in the source: what it is, and one place where.
pub type Lost = BTreeMap<&'static str, String>;

/// Compares a copy with its source by `rsync` and by our own comparer.
///
/// # Errors
/// When names, types or contents differ: such a run is void.
pub fn judge(source: &Path, target: &Path) -> eyre::Result<Lost> {
    let mut lost = by_rsync(source, target)?;
    for difference in blit_conform::compare(source, target, Options::exact()) {
        let Some(name) = metadata(difference.what) else {
            bail!("the result differs: {difference}");
        };
        lost.entry(name).or_insert_with(|| difference.to_string());
    }
    Ok(lost)
}

/// Compares by `rsync` alone: enough for the second and later runs of a contender.
///
/// # Errors
/// When names, types or contents differ.
pub fn by_rsync(source: &Path, target: &Path) -> eyre::Result<Lost> {
    let mut command = Command::new("rsync");
    command.args(["-nac", "--delete", "--itemize-changes"]);
    read_items(&shell::output(
        command.arg(source.join("")).arg(target.join("")),
    )?)
}

/// Reads lines such as `.f..tp..... name`; a dot first says that only metadata would change.
fn read_items(said: &str) -> eyre::Result<Lost> {
    let mut lost = Lost::new();
    for line in said.lines().filter(|line| !line.is_empty()) {
        ensure!(
            line.starts_with('.'),
            "the result differs: rsync says {line}"
        );
        let flags = line.split(' ').next().unwrap_or_default();
        for (flag, name) in [
            ('t', "times"),
            ('p', "modes"),
            ('o', "owners"),
            ('g', "owners"),
        ] {
            if flags.chars().skip(2).any(|it| it == flag) {
                lost.entry(name)
                    .or_insert_with(|| format!("rsync says {line}"));
            }
        }
    }
    Ok(lost)
}

/// What a difference is called when it is one of metadata.
fn metadata(what: What) -> Option<&'static str> {
    match what {
        What::Acl => Some("access lists"),
        What::HardLinkJoined | What::HardLinkSplit => Some("hard links"),
        What::Holes => Some("holes"),
        What::Mode => Some("modes"),
        What::Owner => Some("owners"),
        What::Time => Some("times"),
        What::Xattr => Some("attributes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::tree::Tree;
    use std::fs;

    /// A small tree and a true copy of it, in a folder that lives as long as the test.
    fn twins() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        Tree::small(20, &mut Random::new(4)).write(&source).unwrap();
        let mut copy = Command::new("cp");
        shell::output(copy.arg("-a").arg(&source).arg(&target)).unwrap();
        (folder, source, target)
    }

    #[test]
    fn a_true_copy_has_lost_nothing() {
        let (_folder, source, target) = twins();
        assert_eq!(judge(&source, &target).unwrap(), Lost::new());
    }

    #[test]
    fn a_copy_with_a_missing_file_is_void() {
        let (_folder, source, target) = twins();
        fs::remove_file(target.join("d0000/f00003")).unwrap();
        let error = judge(&source, &target).unwrap_err().to_string();
        assert!(
            error.starts_with("the result differs: rsync says"),
            "{error}"
        );
    }

    #[test]
    fn a_copy_with_a_changed_byte_is_void_even_with_its_time_put_back() {
        let (_folder, source, target) = twins();
        let path = target.join("d0000/f00003");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::File::open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        assert!(judge(&source, &target).is_err());
    }

    #[test]
    fn lost_metadata_is_named_and_does_not_void_the_copy() {
        let (_folder, source, target) = twins();
        for entry in fs::read_dir(target.join("d0000")).unwrap() {
            let path = entry.unwrap().path();
            for name in xattr::list(&path).unwrap() {
                xattr::remove(&path, name).unwrap();
            }
            fs::File::open(&path)
                .unwrap()
                .set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        }
        let lost = judge(&source, &target).unwrap();
        assert_eq!(
            lost.keys().copied().collect::<Vec<_>>(),
            ["attributes", "times"]
        );
    }

    #[test]
    fn lines_of_rsync_are_read_flag_by_flag() {
        let lost = read_items(".f..tp..... a\n.d....og... b\n").unwrap();
        assert_eq!(
            lost.keys().copied().collect::<Vec<_>>(),
            ["modes", "owners", "times"]
        );
        assert!(read_items(">fcs....... a\n").is_err());
        assert!(read_items("*deleting   a\n").is_err());
    }
}
