//! What SRC… and DST mean: the slash rule.
//!
//! A source that ends in `/` means its contents; otherwise it means the thing itself, by name.
//! Nothing else matters, but for a single file, which may get a new name.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use blit_contract::Name;
use blit_engine::{Top, TopName};
use blit_reach::RemotePlace;

use super::remote::RemoteEnd;
use crate::{
    errors::{Slug, UserError},
    places::Place,
};

pub(crate) use blit_jobs::{join_shown, with_slash};

/// One session: entries of one source directory, and where they go.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    /// The directory that is read.
    pub(crate) source: PathBuf,
    /// What of it.
    pub(crate) top: Top,
    /// The directory that is written.
    pub(crate) target: PathBuf,
    /// The end that is on another machine, if one is; its directory above is then only for people.
    pub(crate) remote: Option<RemoteEnd>,
}

impl Leg {
    /// Where the tree itself will be, for people: the target directory, or the one entry in it.
    pub(crate) fn resolved_target(&self) -> String {
        blit_jobs::resolved_target(&self.target, &self.top)
    }

    /// The directory that is written, if it is on another machine.
    pub(crate) fn remote_target(&self) -> Option<&RemotePlace> {
        self.remote.as_ref()?.target()
    }
}

/// Works out the sessions: consecutive sources of one directory share one.
///
/// # Errors
/// A source that is not there, and two sources that would have one name at the destination.
pub(crate) fn legs(sources: &[Place], target: &Place) -> Result<Vec<Leg>, UserError> {
    let rename = new_name(sources, target)?;
    let mut legs: Vec<Leg> = Vec::new();
    let mut taken = HashSet::new();
    for source in sources {
        let (directory, name) = match source.split().filter(|_| !source.is_contents) {
            None => {
                check_directory(source)?;
                legs.push(Leg {
                    source: source.path.clone(),
                    top: Top::Contents,
                    target: target.path.clone(),
                    remote: None,
                });
                continue;
            }
            Some(split) => split,
        };
        std::fs::symlink_metadata(&source.path).map_err(|error| missing(source, &error))?;
        let name = match &rename {
            Some((_, new)) => TopName {
                source: name,
                target: new.clone(),
            },
            None => TopName::same(name),
        };
        if !taken.insert(name.target.clone()) {
            return Err(twice(target, &name.target));
        }
        let into = rename.as_ref().map_or(&target.path, |(parent, _)| parent);
        add(&mut legs, directory, name, into);
    }
    Ok(legs)
}

/// Whether a single file gets a new name: the only look at DST.
fn new_name(sources: &[Place], target: &Place) -> Result<Option<(PathBuf, Name)>, UserError> {
    let [source] = sources else { return Ok(None) };
    if source.is_contents || target.is_contents || target.path.is_dir() {
        return Ok(None);
    }
    match std::fs::symlink_metadata(&source.path) {
        Ok(found) if !found.is_dir() => Ok(target.split()),
        _ => Ok(None),
    }
}

fn add(legs: &mut Vec<Leg>, directory: PathBuf, name: TopName, target: &Path) {
    if let Some(last) = legs.last_mut()
        && last.source == directory
        && let Top::Names(names) = &mut last.top
    {
        names.push(name);
        return;
    }
    legs.push(Leg {
        source: directory,
        top: Top::Names(vec![name]),
        target: target.to_owned(),
        remote: None,
    });
}

fn check_directory(source: &Place) -> Result<(), UserError> {
    match std::fs::metadata(&source.path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(not_directory(source)),
        Err(error) => Err(missing(source, &error)),
    }
}

fn missing(source: &Place, error: &std::io::Error) -> UserError {
    match error.kind() {
        std::io::ErrorKind::NotADirectory if source.is_contents => not_directory(source),
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::NotFound => {
            source.not_found("source")
        }
        std::io::ErrorKind::PermissionDenied => UserError::new(
            Slug::PermSource,
            format!("{} may not be read", source.shown()),
        )
        .cause(error.to_string())
        .exits(crate::exit::Exit::Refused)
        .unchanged(),
        _ => UserError::new(Slug::IoSource, format!("{} cannot be read", source.shown()))
            .cause(error.to_string())
            .exits(crate::exit::Exit::Failed)
            .unchanged(),
    }
}

fn not_directory(source: &Place) -> UserError {
    let typed = source.shown();
    let without = typed.trim_end_matches(['/', '.']).to_owned();
    UserError::new(Slug::PathNotDirectory, format!("not a directory: {typed}"))
        .unchanged()
        .next(format!("for the file itself write {without}"))
}

fn twice(target: &Place, name: &Name) -> UserError {
    UserError::new(
        Slug::PathTwice,
        format!(
            "two sources would both become {}",
            join_shown(&target.path, name)
        ),
    )
    .unchanged()
    .next("copy them one after the other, to different directories")
}

#[cfg(test)]
mod tests;
