//! Where the old state goes: on the machine of the destination, and apart from what is changed.

use blit_config::resolved;
use blit_reach::RemotePlace;
use blit_registry::Registry;

use super::{Request, Trip, legs::Leg};
use crate::{
    app::App,
    errors::{Result, Slug, UserError},
    places::Place,
    ui::shown,
};

/// Reads what was typed: a place like the destination, and on its machine.
pub(super) fn place(
    registry: &Registry,
    request: &Request,
    target: &Place,
) -> Result<Option<Place>, UserError> {
    let Some(typed) = &request.backup_dir else {
        return Ok(None);
    };
    let backup = Place::parse(registry, typed.as_os_str())?;
    let why = match (&backup.remote, &target.remote) {
        (None, None) => return Ok(Some(backup)),
        (Some(kept), Some(there)) if kept.machine != there.machine => {
            "is on another machine than, or named otherwise than,"
        }
        (Some(kept), Some(there)) if kept.module() != there.module() => "is in another module than",
        (Some(_), Some(_)) => return Ok(Some(backup)),
        // What a plain path would be relative to there, nobody could guess.
        (None, Some(_)) => "is a path on this machine, and not on that of",
        (Some(_), None) => "is on another machine than",
    };
    let cause = format!("{} {why} {}", backup.shown(), target.shown());
    let error = UserError::new(
        Slug::UsageFlag,
        "the backup directory is not where the destination is",
    );
    Err(error.cause(cause).unchanged().next(match &target.remote {
        Some(there) => beside(there, &backup),
        None => "choose a --backup-dir on this machine, beside the destination".to_owned(),
    }))
}

/// How the same could be typed for a destination on another machine.
fn beside(there: &RemotePlace, backup: &Place) -> String {
    let name = match &backup.remote {
        Some(remote) => remote.path.name().cloned(),
        None => backup.split().map(|(_, name)| name),
    };
    match (there.split(), name) {
        (Some((mut above, own)), Some(name)) if name != own => {
            above.path = above.path.join(name);
            format!(
                "name it as the destination is named: --backup-dir {}",
                above.shown()
            )
        }
        (Some((above, _)), _) => {
            let above = above.shown();
            format!("name it as the destination is named: --backup-dir {above}/DIR")
        }
        (None, _) => IN_A_DIRECTORY.to_owned(),
    }
}

/// Nothing of a module is outside of its root.
const IN_A_DIRECTORY: &str =
    "choose a directory below it as the destination: beside that is room for the backup directory";

/// Refuses a backup directory inside a destination or a source: the next mirror would delete it, the
/// next copy would copy it.
pub(super) fn refuse_inside(trip: &Trip) -> Result<(), UserError> {
    match &trip.backup {
        None => Ok(()),
        Some(backup) => match &backup.remote {
            None => refuse_inside_here(trip, backup),
            Some(kept) => refuse_inside_there(trip, kept),
        },
    }
}

fn refuse_inside_here(trip: &Trip, backup: &Place) -> Result<(), UserError> {
    let here = trip.sources.iter().filter(|place| place.remote.is_none());
    let sources = here.map(|place| (&*place.path, "a source"));
    let targets = trip
        .legs
        .iter()
        .map(|leg| (&*leg.target, "the destination"));
    for (path, word) in sources.chain(targets) {
        if resolved(&backup.path).starts_with(resolved(path)) {
            let (inner, outer) = (shown(backup.path.as_os_str()), shown(path.as_os_str()));
            return Err(overlap(&format!("the backup directory is inside {word}"))
                .cause(format!("{inner} is below {outer}"))
                .next("choose a --backup-dir beside it, on the same file system"));
        }
    }
    Ok(())
}

/// The other machine looks once more, by what the directories are and not by how they are named.
fn refuse_inside_there(trip: &Trip, kept: &RemotePlace) -> Result<(), UserError> {
    let below = |inner: &RemotePlace, outer: &RemotePlace, message: &str| {
        let cause = format!("{} is below {}", inner.shown(), outer.shown());
        let next = match outer.path.is_root() {
            true => IN_A_DIRECTORY,
            false => "choose a --backup-dir beside it, on the same file system",
        };
        match inner.is_at_or_below(outer) {
            true => Err(overlap(message).cause(cause).next(next)),
            false => Ok(()),
        }
    };
    for source in trip.sources.iter().filter_map(|it| it.remote.as_ref()) {
        below(kept, source, "the backup directory is inside a source")?;
    }
    for changed in trip.legs.iter().filter_map(Leg::remote_target) {
        below(
            kept,
            changed,
            "the backup directory is inside the destination",
        )?;
        // What is kept of a directory called like the destination would come into it.
        below(
            changed,
            kept,
            "the destination is inside the backup directory",
        )?;
    }
    Ok(())
}

fn overlap(message: &str) -> UserError {
    UserError::new(Slug::PathOverlap, message.to_owned()).unchanged()
}

/// Why the other machine does not take the directory: it knows what the names lead to.
pub(super) fn refused(why: &str) -> UserError {
    let message = "the backup directory cannot be used";
    let error = UserError::new(Slug::UsageFlag, message).cause(why.to_owned());
    error.next("choose a --backup-dir beside the destination, on the same file system")
}

/// Refuses to let a machine replace or delete anything that cannot keep it.
pub(super) async fn check_keeper(app: &App, trip: &Trip) -> Result<()> {
    if trip.backup.as_ref().is_none_or(|it| it.remote.is_none()) {
        return Ok(());
    }
    let mut ends = trip.legs.iter().filter_map(|leg| leg.remote.as_ref());
    // All of them lead to one machine.
    let Some(end) = ends.next() else {
        return Ok(());
    };
    let status = end.status(app).await?;
    if status.keeps {
        return Ok(());
    }
    let (name, version) = (end.machine_name(), shown(status.version.as_ref()));
    Err(UserError::new(
        Slug::UsageUnavailable,
        format!("blit on {name} has no --backup-dir"),
    )
    .cause(format!(
        "version {version} there would not keep what it replaces"
    ))
    .unchanged()
    .next(format!(
        "install a newer blit on {name}, or run the command without it"
    ))
    .into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use blit_engine::Verb;

    use super::*;

    fn read(typed: &str, target: &str) -> Result<Option<Place>, UserError> {
        let registry = Registry::new([]).unwrap();
        let target = Place::parse(&registry, OsStr::new(target)).unwrap();
        let mut request = Request::new(Verb::Mirror, Vec::new(), target.typed.clone());
        request.backup_dir = Some(typed.into());
        place(&registry, &request, &target)
    }

    #[test]
    fn a_backup_directory_is_a_place_on_the_machine_of_the_target() {
        for (typed, target) in [
            ("old", "tree/"),
            ("nas:/m/old", "nas:/m/tree/"),
            ("nas:m/old", "nas:/m/tree"),
            ("ssh://nas/srv/old", "ssh://nas/srv/tree"),
            ("ssh://nas/~/old", "ssh://nas/srv/tree"),
        ] {
            let read = read(typed, target).unwrap().unwrap();
            assert_eq!(read.typed, *typed);
        }
    }

    #[test]
    fn a_backup_directory_elsewhere_is_refused_with_the_way_to_name_it() {
        for (typed, target, next) in [
            ("old", "nas:/m/tree/", "--backup-dir nas:/m/old"),
            ("../a/old", "nas:/m/d/tree", "--backup-dir nas:/m/d/old"),
            ("/srv/tree", "nas:/m/tree/", "--backup-dir nas:/m/DIR"),
            ("..", "nas:/m/tree/", "--backup-dir nas:/m/DIR"),
            ("old", "nas:/m/", "room for the backup directory"),
            ("nas:/n/old", "nas:/m/tree", "--backup-dir nas:/m/old"),
            ("pc:/m/old", "nas:/m/tree", "--backup-dir nas:/m/old"),
            (
                "ssh://pc/old",
                "ssh://nas/srv/tree",
                "--backup-dir ssh://nas/srv/old",
            ),
            ("ssh://nas/m/old", "nas:/m/tree", "--backup-dir nas:/m/old"),
            (
                "nas:/m/old",
                "tree/",
                "on this machine, beside the destination",
            ),
        ] {
            let refused = read(typed, target).unwrap_err();
            let told = refused.next.clone().unwrap();
            assert!(told.ends_with(next), "{typed} {target}: {told}");
            assert_eq!((refused.slug, refused.exit().code()), (Slug::UsageFlag, 2));
        }
    }
}
