//! Which entries take part: patterns, lists, sizes and ages as one [`Select`].

mod list;
mod pattern;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use blit_contract::{Entry, RelPath, Select, Selection, Time};

use crate::{
    args::{Limits, Patterns},
    errors::{Slug, UserError},
};

pub(crate) use list::PathList;
pub(crate) use pattern::PatternSet;

/// The rules of one run.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    anchor: Anchor,
    exclude: PatternSet,
    include: PatternSet,
    list: Option<Arc<PathList>>,
    bounds: Bounds,
}

/// Where in the tree patterns and lists begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// At the root of the tree: the user named its contents.
    #[default]
    Root,
    /// In the entry that the user named, which is itself taken whatever its name.
    Entry,
    /// In each of the entries that the user named, whose own names are looked at, too.
    Entries,
}

/// Sizes and times of files.
#[derive(Debug, Default)]
struct Bounds {
    size_min: Option<u64>,
    size_max: Option<u64>,
    modified_min: Option<Time>,
    modified_max: Option<Time>,
}

impl Filter {
    /// The rules that those flags say.
    ///
    /// # Errors
    /// A pattern that is none, a file of patterns that cannot be read, an age before all time.
    pub(crate) fn new(patterns: &Patterns, limits: &Limits) -> Result<Self, UserError> {
        Ok(Self {
            anchor: Anchor::Root,
            exclude: PatternSet::new("--exclude", &patterns.exclude, &patterns.exclude_from)?,
            include: PatternSet::new("--include", &patterns.include, &[])?,
            list: None,
            bounds: Bounds::new(limits)?,
        })
    }

    /// The same, taking only what is listed.
    pub(crate) fn with_list(mut self, list: Arc<PathList>) -> Self {
        self.list = Some(list);
        self
    }

    /// The same, beginning there.
    pub(crate) fn anchored_at(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Whether everything takes part.
    pub(crate) fn is_empty(&self) -> bool {
        self.exclude.is_empty()
            && self.include.is_empty()
            && self.list.is_none()
            && self.bounds.is_empty()
    }

    /// What becomes of an entry at that path, which begins where the patterns do.
    fn judge(&self, path: &Path, entry: &Entry) -> Selection {
        match !entry.is_directory() && !self.bounds.hold(entry) {
            true => Selection::Skip,
            false => self.judge_place(path, entry),
        }
    }

    fn judge_place(&self, path: &Path, entry: &Entry) -> Selection {
        let is_directory = entry.is_directory();
        if self.exclude.matches(path, is_directory) {
            return Selection::Skip;
        }
        if !is_directory {
            let is_included = self.include.is_empty() || self.include.matches_below(path);
            if !is_included {
                return Selection::Skip;
            }
        }
        match &self.list {
            Some(list) => list.select(path.as_os_str(), is_directory),
            None => Selection::Take,
        }
    }
}

impl Select for Filter {
    fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
        self.decide(directory, entry, Self::judge)
    }

    fn select_by_place(&self, directory: &RelPath, entry: &Entry) -> Selection {
        self.decide(directory, entry, Self::judge_place)
    }
}

impl Filter {
    /// Judges an entry by its path from where the patterns begin.
    fn decide(
        &self,
        directory: &RelPath,
        entry: &Entry,
        judge: impl Fn(&Self, &Path, &Entry) -> Selection,
    ) -> Selection {
        let own_name = || path_of(&[entry.name.as_bytes()]);
        let is_named = directory.is_root() && self.anchor != Anchor::Root;
        match self.anchor {
            Anchor::Entry if is_named && entry.is_directory() => Selection::Take,
            Anchor::Entries if is_named && entry.is_directory() => {
                match self.exclude.matches(&own_name(), true) {
                    true => Selection::Skip,
                    false => Selection::Take,
                }
            }
            _ if is_named => judge(self, &own_name(), entry),
            anchor => {
                let mut names: Vec<&[u8]> = directory
                    .components()
                    .into_iter()
                    .skip(usize::from(anchor != Anchor::Root))
                    .map(|name| name.as_bytes())
                    .collect();
                names.push(entry.name.as_bytes());
                judge(self, &path_of(&names), entry)
            }
        }
    }
}

impl Bounds {
    fn new(limits: &Limits) -> Result<Self, UserError> {
        let now = jiff::Zoned::now();
        let moment = |flag: &str, age: &Option<blit_config::Age>| {
            let Some(age) = age else { return Ok(None) };
            let at = age.moment(&now).ok_or_else(|| {
                UserError::new(Slug::UsageFlag, format!("{flag} is before all time")).unchanged()
            })?;
            Ok(Some(time_of(at)))
        };
        Ok(Self {
            size_min: limits.min_size.map(|size| size.bytes),
            size_max: limits.max_size.map(|size| size.bytes),
            modified_min: moment("--newer-than", &limits.newer_than)?,
            modified_max: moment("--older-than", &limits.older_than)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.size_min.is_none()
            && self.size_max.is_none()
            && self.modified_min.is_none()
            && self.modified_max.is_none()
    }

    fn hold(&self, entry: &Entry) -> bool {
        self.size_min.is_none_or(|min| entry.size >= min)
            && self.size_max.is_none_or(|max| entry.size <= max)
            && self.modified_min.is_none_or(|min| entry.modified > min)
            && self.modified_max.is_none_or(|max| entry.modified < max)
    }
}

fn time_of(at: jiff::Timestamp) -> Time {
    let nanos = at.as_nanosecond();
    let secs = nanos.div_euclid(1_000_000_000);
    Time::new(
        i64::try_from(secs).unwrap_or(i64::MIN),
        nanos.rem_euclid(1_000_000_000) as u32,
    )
}

/// The path of raw names: what the matcher asks for. Never shown, never opened.
fn path_of(names: &[&[u8]]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    names.iter().map(|name| OsStr::from_bytes(name)).collect()
}

#[cfg(test)]
mod tests;
