//! Which entries take part, as plain data: what crosses to the side that has the tree.

use std::sync::Arc;

use blit_contract::{Name, RelPath, Time};

use crate::{
    BadMessage,
    codec::at_most,
    limits::{LIST_BYTES_MAX, LISTED_MAX, PATTERN_BYTES_MAX, PATTERNS_BYTES_MAX, PATTERNS_MAX},
};

/// The rules of one run. Without any, everything takes part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Where in the tree patterns and lists begin.
    pub anchor: Anchor,
    /// What matches is left out: lines by the rules of gitignore, of which the last that matches decides.
    pub exclude: Vec<String>,
    /// If there is any, files that do not match are left out.
    pub include: Vec<String>,
    /// Exactly these paths, if there is a list.
    pub list: Option<PathList>,
    /// Sizes and times of files.
    pub bounds: Bounds,
}

/// Where in the tree patterns and lists begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Anchor {
    /// At the root of the tree: the user named its contents.
    #[default]
    Root,
    /// In the entry that the user named, which is itself taken whatever its name.
    Entry,
    /// In each of the entries that the user named, whose own names are looked at, too.
    Entries,
}

/// Sizes and times of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At least so many bytes.
    pub size_min: Option<u64>,
    /// At most so many bytes.
    pub size_max: Option<u64>,
    /// Modified after this.
    pub modified_min: Option<Time>,
    /// Modified before this.
    pub modified_max: Option<Time>,
}

impl Rules {
    /// Whether everything takes part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exclude.is_empty()
            && self.include.is_empty()
            && self.list.is_none()
            && self.bounds == Bounds::default()
    }

    /// Whether they may cross. Where both sides share a process there is no limit.
    ///
    /// # Errors
    /// `TooLarge`, with what is.
    pub fn check(&self) -> Result<(), BadMessage> {
        for patterns in [&self.exclude, &self.include] {
            let bytes = patterns.iter().map(|pattern| pattern.len() + 1).sum();
            check_patterns(patterns.len(), bytes)?;
            let longest = patterns.iter().map(String::len).max();
            at_most(longest.unwrap_or(0), PATTERN_BYTES_MAX, "a pattern")?;
        }
        match &self.list {
            Some(list) => check_list(list.paths.len(), list.bytes()),
            None => Ok(()),
        }
    }
}

pub(crate) fn check_patterns(count: usize, bytes: usize) -> Result<(), BadMessage> {
    at_most(bytes, PATTERNS_BYTES_MAX, "the text of all patterns")?;
    at_most(count, PATTERNS_MAX, "the number of patterns")
}

pub(crate) fn check_list(count: usize, bytes: usize) -> Result<(), BadMessage> {
    at_most(bytes, LIST_BYTES_MAX, "the text of a list of paths")?;
    at_most(count, LISTED_MAX, "the number of listed paths")
}

/// Paths that somebody listed. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathList {
    /// The names of each, joined by NUL, which is in no name and comes before every other byte: what
    /// is beneath a path stands right behind it. Sorted, each once.
    paths: Arc<[Box<[u8]>]>,
}

/// What a list says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Something beneath it is listed, whether it is itself or not.
    Beneath,
    /// It is itself.
    Itself,
    /// Neither.
    Not,
}

impl FromIterator<RelPath> for PathList {
    fn from_iter<I: IntoIterator<Item = RelPath>>(paths: I) -> Self {
        let paths = paths.into_iter().filter(|path| !path.is_root());
        Self::from_joined(paths.map(|path| {
            let names: Vec<&[u8]> = path.components().into_iter().map(Name::as_bytes).collect();
            names.join(&0).into_boxed_slice()
        }))
    }
}

impl PathList {
    /// The list of paths whose names are joined by NUL.
    pub(crate) fn from_joined(paths: impl Iterator<Item = Box<[u8]>>) -> Self {
        let mut paths: Vec<Box<[u8]>> = paths.collect();
        paths.sort_unstable();
        paths.dedup();
        Self {
            paths: paths.into(),
        }
    }

    pub(crate) fn joined(&self) -> impl Iterator<Item = &[u8]> {
        self.paths.iter().map(|path| &**path)
    }

    /// How many bytes they take on their way: behind each path stand two NULs.
    pub(crate) fn bytes(&self) -> usize {
        self.joined().map(|path| path.len() + 2).sum()
    }

    /// The paths.
    pub fn iter(&self) -> impl Iterator<Item = RelPath> {
        self.joined().map(|path| {
            let names = path.split(|byte| *byte == 0);
            // They were names when they came in here.
            names.filter_map(|name| Name::new(name).ok()).collect()
        })
    }

    /// What the list says of the path with these names.
    #[must_use]
    pub fn place(&self, names: &[&[u8]]) -> Listed {
        let path = names.join(&0);
        let at = self.paths.partition_point(|listed| **listed < *path);
        let is_listed = self.paths.get(at).is_some_and(|listed| **listed == *path);
        let is_beneath = |listed: &[u8]| {
            let rest = listed.strip_prefix(&*path);
            rest.is_some_and(|rest| path.is_empty() || rest.first() == Some(&0))
        };
        let next = self.paths.get(at + usize::from(is_listed));
        match (next.is_some_and(|listed| is_beneath(listed)), is_listed) {
            (true, _) => Listed::Beneath,
            (false, true) => Listed::Itself,
            (false, false) => Listed::Not,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        let names = text.split('/').filter(|name| !name.is_empty());
        names
            .map(|name| Name::new(name.as_bytes()).unwrap())
            .collect()
    }

    fn list(paths: &[&str]) -> PathList {
        paths.iter().map(|text| path(text)).collect()
    }

    fn place(list: &PathList, text: &str) -> Listed {
        let names: Vec<&[u8]> = text.split('/').map(str::as_bytes).collect();
        list.place(&names)
    }

    #[test]
    fn a_list_knows_its_paths_and_what_is_above_them() {
        let list = list(&["a/b", "a\u{1}", "a!", "c/d", "c", "a/b"]);
        assert_eq!(place(&list, "a"), Listed::Beneath);
        assert_eq!(place(&list, "a/b"), Listed::Itself);
        assert_eq!(place(&list, "a/b/c"), Listed::Not);
        assert_eq!(place(&list, "a!"), Listed::Itself);
        assert_eq!(place(&list, "c"), Listed::Beneath);
        assert_eq!(place(&list, "b"), Listed::Not);
        assert_eq!(list.iter().count(), 5, "each path once");
    }

    #[test]
    fn rules_of_any_size_are_made_and_only_those_within_the_limits_cross() {
        let mut rules = Rules {
            exclude: vec!["x".repeat(PATTERN_BYTES_MAX)],
            list: Some(list(&["a/b"])),
            ..Rules::default()
        };
        assert_eq!(rules.check(), Ok(()));
        rules.exclude[0].push('x');
        assert_eq!(rules.check(), Err(BadMessage::TooLarge("a pattern")));
        rules.exclude = vec!["x".to_owned(); PATTERNS_MAX + 1];
        assert!(rules.check().is_err());
        rules.exclude = vec!["x".repeat(4_000); PATTERNS_BYTES_MAX / 4_000 + 1];
        assert!(rules.check().is_err());
        rules.exclude.clear();
        let numbers = (0..=LISTED_MAX).map(|at| at.to_string().into_bytes().into());
        rules.list = Some(PathList::from_joined(numbers));
        assert!(rules.check().is_err());
    }
}
