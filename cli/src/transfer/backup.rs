//! Where the old state goes must not be a part of what is changed.

use std::path::{Path, PathBuf};

use super::Trip;
use crate::{
    errors::{Slug, UserError},
    ui::shown,
};

/// Refuses a backup directory inside a destination or a source: the next mirror would delete it, the
/// next copy would copy it.
pub(super) fn refuse_inside(trip: &Trip) -> Result<(), UserError> {
    let Some(backup) = &trip.request.backup_dir else {
        return Ok(());
    };
    let here = trip.sources.iter().filter(|place| place.remote.is_none());
    let sources = here.map(|place| (&*place.path, "a source"));
    let targets = trip
        .legs
        .iter()
        .map(|leg| (&*leg.target, "the destination"));
    for (path, word) in sources.chain(targets) {
        if real(backup).starts_with(real(path)) {
            let (inner, outer) = (shown(backup.as_os_str()), shown(path.as_os_str()));
            return Err(UserError::new(
                Slug::PathOverlap,
                format!("the backup directory is inside {word}"),
            )
            .cause(format!("{inner} is below {outer}"))
            .unchanged()
            .next("choose a --backup-dir beside it, on the same file system"));
        }
    }
    Ok(())
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            let rest = absolute.strip_prefix(above).unwrap_or(Path::new(""));
            return found.join(rest);
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_not_there_yet_is_resolved_as_far_as_it_goes() {
        let scene = tempfile::tempdir().unwrap();
        let root = scene.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("there")).unwrap();
        std::os::unix::fs::symlink("there", root.join("link")).unwrap();
        assert_eq!(
            real(&root.join("link/new/deep")),
            root.join("there/new/deep")
        );
    }
}
