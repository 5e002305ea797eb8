//! A slash that may be missing: DST already has what is inside SRC, and not SRC itself.

use std::{collections::HashSet, path::Path};

use blit_contract::{Cx, ListOptions, Name, RelPath, Side};
use blit_engine::{Top, Verb};
use futures_util::StreamExt;

use super::{Trip, legs::with_slash};
use crate::{
    app::App,
    ask::ask_yes,
    errors::{Result, Slug},
    places, units,
};

/// Looks whether a slash may be missing and says so; at a terminal asks whether to go on.
pub(super) async fn ask_about_slash(app: &App, trip: &Trip) -> Result<bool> {
    let Some(message) = hint(app, trip).await else {
        return Ok(true);
    };
    app.ui.note(Slug::PathHint, &message);
    if trip.request.yes || trip.request.writing.dry_run || !app.ui.may_ask {
        return Ok(true);
    }
    let answer = ask_yes(&app.ui, &app.stop.cancel, "Go on as typed? [y/N] ").await;
    if app.stop.cancel.is_cancelled() {
        return Err(app.stop.error().unchanged().into());
    }
    Ok(answer.unwrap_or_default())
}

async fn hint(app: &App, trip: &Trip) -> Option<String> {
    let ([source], [leg]) = (&*trip.sources, &*trip.legs) else {
        return None;
    };
    let Top::Names(names) = &leg.top else {
        return None;
    };
    let is_candidate = leg.remote.is_none()
        && trip.request.verb != Verb::Check
        && is_directory(&source.path)
        && is_directory(&leg.target)
        && names[0].source == names[0].target;
    if !is_candidate {
        return None;
    }
    // By its name in the directory that holds it: a link that takes its place meanwhile is not followed.
    let named = RelPath::ROOT.join(names[0].source.clone());
    let inside = names_in(app, &leg.source, named).await?;
    let there = names_in(app, &leg.target, RelPath::ROOT).await?;
    let shared = telling(&inside, &there, &names[0].target)?;
    Some(format!(
        "{} already has {} of the {} of {typed}; did you mean \"{typed}/\"?",
        with_slash(&leg.target),
        units::count(shared as u64),
        units::entries(inside.len() as u64),
        typed = source.shown(),
    ))
}

/// How many names of the source the destination has, if that is at least half and not the source itself.
fn telling(inside: &HashSet<Name>, there: &HashSet<Name>, own: &Name) -> Option<usize> {
    let shared = inside.intersection(there).count();
    (shared > 0 && shared * 2 >= inside.len() && !there.contains(own)).then_some(shared)
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The names in a directory; `None` if there are too many to look at, or it cannot be read.
async fn names_in(app: &App, path: &Path, at: RelPath) -> Option<HashSet<Name>> {
    let store = places::open(&app.registry, Side::Source, path, |config| config).ok()?;
    let cx = Cx::new(app.stop.cancel.clone());
    let mut batches = store.list(&cx, &at, ListOptions::flat());
    let mut names = HashSet::new();
    while let Some(batch) = batches.next().await {
        names.extend(batch.ok()?.entries.into_iter().map(|entry| entry.name));
        if names.len() > NAMES_MAX {
            return None;
        }
    }
    Some(names)
}

const NAMES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_names_are_telling_unless_the_source_is_there_itself() {
        let set = |names: &[&str]| -> HashSet<Name> {
            let name = |name: &&str| Name::new(name.as_bytes()).unwrap();
            names.iter().map(name).collect()
        };
        let own = Name::new(*b"photos").unwrap();
        let telling = |inside: &[&str], there: &[&str]| telling(&set(inside), &set(there), &own);
        assert_eq!(telling(&["a", "b", "c", "d"], &["a", "b", "x"]), Some(2));
        assert_eq!(telling(&["a", "b", "c", "d"], &["a", "x"]), None);
        assert_eq!(telling(&["a"], &["a", "photos"]), None);
        assert_eq!(telling(&[], &["a"]), None);
    }
}
