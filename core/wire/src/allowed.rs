//! What the target of another machine may ask for, and say that it is safe: entries that this side lists.
//! Whoever keeps a tree decides what is in it, not what is read or removed here.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Settled, Top};
use blit_contract::{Diff, Entry, Error, ErrorKind, Kind, RelPath, Result, Select, Selection};

/// So many gaps between the numbers of needs are no accident: numbers are counted up.
const GAPS_MAX: usize = 65_536;

/// Judges what a target says of entries.
pub struct Allowed {
    top: Top,
    select: Option<Arc<dyn Select>>,
    is_read_only: bool,
    numbers: Numbers,
    /// The directory that was asked for last: what is asked for next is mostly in it, too.
    last: Option<RelPath>,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Allowed").field(&self.top).finish()
    }
}

impl Allowed {
    /// What may be said where these entries are listed; nothing is settled if `is_read_only`.
    #[must_use]
    pub fn new(top: &Top, select: Option<Arc<dyn Select>>, is_read_only: bool) -> Self {
        Self {
            top: top.clone(),
            select,
            is_read_only,
            numbers: Numbers::default(),
            last: None,
        }
    }

    /// A need must be for something that is listed, under a number of its own.
    ///
    /// # Errors
    /// `Invalid`, after which nothing more may be taken from the peer.
    pub fn check_need(&mut self, need: &Diff) -> Result<()> {
        if !self.numbers.take(need.id) {
            return Err(violation("a need under a number that was used"));
        }
        self.check(&need.path, &need.entry, "a need for what was not listed")
    }

    /// What is settled may be removed; so it must be something that is listed, and nothing is removed
    /// where nothing was to be changed.
    ///
    /// # Errors
    /// `Invalid`, after which nothing more may be taken from the peer.
    pub fn check_settled(&mut self, settled: &Settled) -> Result<()> {
        if self.is_read_only {
            return Err(violation(
                "that something is settled, and nothing was to be",
            ));
        }
        let why = "that something is settled which was not listed";
        self.check(&settled.path, &settled.entry, why)
    }

    fn check(&mut self, path: &RelPath, entry: &Entry, why: &str) -> Result<()> {
        match self.is_listed(path, entry) {
            true => Ok(()),
            false => Err(violation(why).at(path)),
        }
    }

    fn is_listed(&mut self, path: &RelPath, entry: &Entry) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return self.top == Top::Contents;
        };
        if let Top::Names(names) = &self.top {
            let first = path.components().into_iter().next();
            if !names.iter().any(|it| Some(&it.target) == first) {
                return false;
            }
        }
        if entry.name != *name {
            return false;
        }
        let Some(select) = &self.select else {
            return true;
        };
        if self.last.as_ref() != Some(parent) {
            if !is_entered(&**select, &self.top.source_path(parent)) {
                return false;
            }
            self.last = Some(parent.clone());
        }
        takes(&**select, &self.top.source_path(path), entry.kind.clone())
    }
}

/// Whether all directories from the root down to `directory` take part.
fn is_entered(select: &dyn Select, directory: &RelPath) -> bool {
    let mut at = directory;
    while let Some(parent) = at.parent() {
        if !takes(select, at, Kind::Directory) {
            return false;
        }
        at = parent;
    }
    true
}

/// By where it is alone: its size and time are looked at when it is read.
fn takes(select: &dyn Select, path: &RelPath, kind: Kind) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return true;
    };
    let entry = Entry::new(name.clone(), kind);
    select.select_by_place(parent, &entry) != Selection::Skip
}

/// Numbers that were used, as runs: they are counted up, so that there are few.
#[derive(Debug, Default)]
struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    /// Uses a number up; `false` if it was used before, or if too many before it never were.
    fn take(&mut self, number: u64) -> bool {
        let before = self.0.range(..=number).next_back();
        let before = before.map(|(start, end)| (*start, *end));
        if before.is_some_and(|(_, end)| number <= end) {
            return false;
        }
        let start = match before {
            Some((start, end)) if end + 1 == number => start,
            _ => number,
        };
        let after = number.checked_add(1).and_then(|next| self.0.remove(&next));
        self.0.insert(start, after.unwrap_or(number));
        self.0.len() <= GAPS_MAX
    }
}

fn violation(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "receive").because(format!("the target sent {what}"))
}

#[cfg(test)]
mod tests {
    use crate::TopName;
    use blit_contract::{DiffKind, Name, Replace};

    use super::*;

    struct NoSecrets;

    impl Select for NoSecrets {
        fn select(&self, _directory: &RelPath, entry: &Entry) -> Selection {
            match entry.name.as_bytes() == b"secret" {
                true => Selection::Skip,
                false => Selection::Take,
            }
        }
    }

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn need(id: u64, path: &str) -> Diff {
        let path: RelPath = path.split('/').map(name).collect();
        let entry = Entry::new(path.name().unwrap().clone(), Kind::File);
        let mut need = Diff::new(path, entry, DiffKind::Content, Replace::Nothing);
        need.id = id;
        need
    }

    fn settled(path: &str) -> Settled {
        let Diff { path, entry, .. } = need(0, path);
        Settled { path, entry }
    }

    fn allowed(top: &Top) -> Allowed {
        Allowed::new(top, None, false)
    }

    fn without_secrets(top: &Top) -> Allowed {
        Allowed::new(top, Some(Arc::new(NoSecrets)), false)
    }

    fn named(source: &str, target: &str) -> Top {
        Top::Names(vec![TopName {
            source: name(source),
            target: name(target),
        }])
    }

    #[test]
    fn only_what_was_named_is_asked_for_and_settled() {
        let mut allowed = allowed(&named("a", "b"));
        assert!(allowed.check_need(&need(1, "b/x")).is_ok());
        assert!(allowed.check_need(&need(2, ".ssh/id")).is_err());
        assert!(allowed.check_need(&need(3, "a/x")).is_err());
        assert!(allowed.check_settled(&settled("b")).is_ok());
        assert!(allowed.check_settled(&settled(".bashrc")).is_err());
        let mut root = need(4, "x");
        root.path = RelPath::ROOT;
        assert!(allowed.check_need(&root).is_err());
    }

    #[test]
    fn what_the_rules_leave_out_is_not_given_nor_what_is_beneath_it() {
        let mut contents = without_secrets(&Top::Contents);
        assert!(contents.check_need(&need(1, "a/b")).is_ok());
        assert!(contents.check_need(&need(2, "a/secret")).is_err());
        assert!(contents.check_need(&need(3, "secret/a/b")).is_err());
        assert!(contents.check_settled(&settled("a/secret")).is_err());
        // By the names that they have here.
        let mut renamed = without_secrets(&named("secret", "plain"));
        assert!(renamed.check_need(&need(1, "plain/a")).is_err());
    }

    #[test]
    fn nothing_is_settled_where_nothing_was_to_be_changed() {
        let mut allowed = Allowed::new(&Top::Contents, None, true);
        assert!(allowed.check_need(&need(1, "a")).is_ok());
        assert!(allowed.check_settled(&settled("a")).is_err());
    }

    #[test]
    fn a_number_is_good_once_in_whatever_order_they_come() {
        let mut numbers = Numbers::default();
        for number in [5, 3, 4, 1, 2, 0, u64::MAX, u64::MAX - 1] {
            assert!(numbers.take(number), "{number}");
            assert!(!numbers.take(number), "{number}");
        }
        assert_eq!(numbers.0.len(), 2);
        let mut sparse = Numbers::default();
        let taken = (0..).take_while(|number| sparse.take(number * 2)).count();
        assert_eq!(taken, GAPS_MAX);
    }
}
