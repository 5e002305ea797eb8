//! Exactly the paths that a file lists.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io::Read,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use blit_contract::{Name, RelPath, Selection};

use crate::{
    errors::{Slug, UserError},
    ui::shown,
};

/// Paths, and the directories above them.
#[derive(Debug, Default)]
pub(crate) struct PathList(HashMap<OsString, Role>);

/// Why a path is known.
#[derive(Debug, Clone, Copy, Default)]
struct Role {
    is_listed: bool,
    has_listed_below: bool,
}

impl PathList {
    /// Reads the list in `file`; `-` is standard input.
    pub(crate) fn read(file: &Path) -> Result<Self, UserError> {
        let mut bytes = Vec::new();
        let read = match file.as_os_str() == "-" {
            true => std::io::stdin().lock().read_to_end(&mut bytes),
            false => std::fs::File::open(file).and_then(|mut open| open.read_to_end(&mut bytes)),
        };
        read.map_err(|error| {
            let name = shown(file.as_os_str());
            UserError::new(
                Slug::FilterSyntax,
                format!("cannot read --files-from {name}"),
            )
            .cause(error.to_string())
            .unchanged()
        })?;
        Self::parse(&bytes)
    }

    /// Paths that end in NUL if there is any NUL, otherwise in a line feed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, UserError> {
        let end = if bytes.contains(&0) { 0 } else { b'\n' };
        let mut list = Self::default();
        for line in bytes.split(|byte| *byte == end) {
            list.add(line)?;
        }
        Ok(list)
    }

    /// Every path that is listed.
    pub(crate) fn paths(&self) -> impl Iterator<Item = RelPath> {
        let listed = self.0.iter().filter(|(_, role)| role.is_listed);
        listed.map(|(path, _)| names(path.as_bytes()).flatten().collect())
    }

    /// What becomes of the entry at `path`.
    pub(super) fn select(&self, path: &OsStr, is_directory: bool) -> Selection {
        match self.0.get(path) {
            Some(role) if role.has_listed_below && is_directory => Selection::Take,
            Some(role) if role.is_listed => Selection::TakeOnly,
            _ => Selection::Skip,
        }
    }

    fn add(&mut self, line: &[u8]) -> Result<(), UserError> {
        let bad = |why: &str| {
            let shown = shown(OsStr::from_bytes(line));
            Err(UserError::new(
                Slug::FilterSyntax,
                format!("--files-from: \"{shown}\" {why}"),
            )
            .unchanged())
        };
        if line.starts_with(b"/") {
            return bad("is not relative to the source");
        }
        let mut path = Vec::new();
        for name in names(line) {
            let Ok(name) = name else {
                return bad("is not a path below the source");
            };
            if !path.is_empty() {
                let above = self.0.entry(OsString::from_vec(path.clone())).or_default();
                above.has_listed_below = true;
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
        }
        if !path.is_empty() {
            self.0
                .entry(OsString::from_vec(path))
                .or_default()
                .is_listed = true;
        }
        Ok(())
    }
}

/// The names in a path; `.` and doubled slashes say nothing.
fn names(path: &[u8]) -> impl Iterator<Item = Result<Name, blit_contract::BadName>> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
        .map(Name::try_from)
}
