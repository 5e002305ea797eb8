//! Rules of what takes part, compiled: one [`Select`] of patterns, lists, sizes and ages.
//!
//! What somebody typed becomes [`Rules`] in the command line, and crosses as such; each side compiles
//! them for itself, so that both judge every entry alike.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod pattern;

use std::{ffi::OsStr, path::PathBuf, sync::Arc};

use blit_contract::{Entry, RelPath, Select, Selection};
use blit_wire::{Anchor, Bounds, Listed, PathList, Rules};

use pattern::PatternSet;

pub use pattern::{BadPattern, check_pattern};

/// Rules, compiled.
#[derive(Debug)]
pub struct Filter {
    anchor: Anchor,
    exclude: PatternSet,
    include: PatternSet,
    list: Option<PathList>,
    bounds: Bounds,
}

impl Filter {
    /// Compiles rules.
    ///
    /// # Errors
    /// A pattern is none, or all of them together are too much.
    pub fn new(rules: &Rules) -> Result<Self, BadPattern> {
        Ok(Self {
            anchor: rules.anchor,
            exclude: PatternSet::new(&rules.exclude)?,
            include: PatternSet::new(&rules.include)?,
            list: rules.list.clone(),
            bounds: rules.bounds,
        })
    }

    /// Compiles rules to what a session or listing asks: nothing if everything takes part.
    ///
    /// # Errors
    /// Those of [`Filter::new`].
    pub fn compile(rules: &Rules) -> Result<Option<Arc<dyn Select>>, BadPattern> {
        match rules.is_empty() {
            true => Ok(None),
            false => Ok(Some(Arc::new(Self::new(rules)?))),
        }
    }

    /// What becomes of an entry whose names, from where the patterns begin, are `names`.
    fn judge(&self, names: &[&[u8]], entry: &Entry) -> Selection {
        let path = path_of(names);
        let is_directory = entry.is_directory();
        if self.exclude.matches(&path, is_directory) {
            return Selection::Skip;
        }
        if !is_directory {
            let is_included = self.include.is_empty() || self.include.matches_below(&path);
            if !is_included || !hold(&self.bounds, entry) {
                return Selection::Skip;
            }
        }
        match self.list.as_ref().map(|list| list.place(names)) {
            None => Selection::Take,
            Some(Listed::Beneath) if is_directory => Selection::Take,
            Some(Listed::Itself) => Selection::TakeOnly,
            Some(_) => Selection::Skip,
        }
    }
}

impl Select for Filter {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        let own_name = [entry.name.as_bytes()];
        let is_named = directory.is_root() && self.anchor != Anchor::Root;
        match self.anchor {
            Anchor::Entry if is_named && entry.is_directory() => Selection::Take,
            Anchor::Entries if is_named && entry.is_directory() => {
                match self.exclude.matches(&path_of(&own_name), true) {
                    true => Selection::Skip,
                    false => Selection::Take,
                }
            }
            _ if is_named => self.judge(&own_name, entry),
            anchor => {
                let mut names: Vec<&[u8]> = directory
                    .components()
                    .into_iter()
                    .skip(usize::from(anchor != Anchor::Root))
                    .map(|name| name.as_bytes())
                    .collect();
                names.push(entry.name.as_bytes());
                self.judge(&names, entry)
            }
        }
    }
}

fn hold(bounds: &Bounds, entry: &Entry) -> bool {
    bounds.size_min.is_none_or(|min| entry.size >= min)
        && bounds.size_max.is_none_or(|max| entry.size <= max)
        && bounds.modified_min.is_none_or(|min| entry.modified > min)
        && bounds.modified_max.is_none_or(|max| entry.modified < max)
}

/// The path of raw names: what the matcher asks for. Never shown, never opened.
fn path_of(names: &[&[u8]]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    names.iter().map(|name| OsStr::from_bytes(name)).collect()
}

#[cfg(test)]
mod tests;
