//! What the source of another machine may list: what was asked for, and nothing that the rules leave
//! out. Whoever serves a tree decides what is in it, not where on this machine something appears.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use crate::{Open, Top};
use blit_contract::{EntryBatch, Error, ErrorKind, Name, RelPath, Result, Select, Selection};

/// What was asked for.
pub struct Expected {
    /// The named entries by their names here, with those that they have there; `None` for everything.
    names: Option<HashMap<Name, Name>>,
    select: Option<Arc<dyn Select>>,
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expected").field(&self.names).finish()
    }
}

impl Expected {
    /// These entries, and what such a selection takes of them.
    #[must_use]
    pub fn new(top: &Top, select: Option<Arc<dyn Select>>) -> Self {
        let names = match top {
            Top::Contents => None,
            Top::Names(names) => {
                let names = names.iter();
                Some(
                    names
                        .map(|it| (it.target.clone(), it.source.clone()))
                        .collect(),
                )
            }
        };
        Self { names, select }
    }

    /// Everything of a directory is other work than some of its entries.
    ///
    /// # Errors
    /// `Invalid`, after which nothing more may be taken from the peer.
    pub fn check_open(&self, open: &Open) -> Result<()> {
        match open.root.is_some() == self.names.is_none() {
            true => Ok(()),
            false => Err(broken("the source opened another tree than was asked for")),
        }
    }

    /// A batch has only what was asked for.
    ///
    /// # Errors
    /// `Invalid`, after which nothing more may be taken from the peer.
    pub fn check(&self, batch: &EntryBatch) -> Result<()> {
        if self.names.is_none() && self.select.is_none() {
            return Ok(());
        }
        let Some(directory) = self.there(&batch.directory) else {
            return Err(broken("the source listed what nobody asked for").at(&batch.directory));
        };
        for entry in &batch.entries {
            let at = || batch.directory.join(entry.name.clone());
            let mut entry = Cow::Borrowed(entry);
            if let Some(names) = self.names.as_ref().filter(|_| directory.is_root()) {
                let name = names.get(&entry.name);
                let name = name.ok_or_else(|| broken("the source listed what nobody asked for"));
                let name = name.map_err(|error| error.at(&at()))?;
                if *name != entry.name {
                    entry.to_mut().name = name.clone();
                }
            }
            let select = self.select.as_ref();
            if select.is_some_and(|it| it.select(&directory, &entry) == Selection::Skip) {
                return Err(broken("the source listed what the rules leave out").at(&at()));
            }
        }
        Ok(())
    }

    /// A directory, as it is called there; `None` if nobody asked for it.
    fn there(&self, directory: &RelPath) -> Option<RelPath> {
        let Some(names) = self.names.as_ref().filter(|_| !directory.is_root()) else {
            return Some(directory.clone());
        };
        let mut components = directory.components().into_iter();
        let first = components.next()?;
        let there = names.get(first)?;
        if there == first {
            return Some(directory.clone());
        }
        let rest = components.cloned();
        Some(std::iter::once(there.clone()).chain(rest).collect())
    }
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, "receive").because(why)
}

#[cfg(test)]
mod tests {
    use crate::{TopName, Verb};
    use blit_contract::{Entry, Kind};

    use super::*;

    struct NoTemporary;

    impl Select for NoTemporary {
        fn select(&self, directory: &RelPath, entry: &Entry) -> Selection {
            let is_old = directory
                .components()
                .iter()
                .any(|it| it.as_bytes() == b"old");
            match entry.name.as_bytes().ends_with(b".tmp") || is_old {
                true => Selection::Skip,
                false => Selection::Take,
            }
        }
    }

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn batch(directory: &[&str], entry: &str) -> EntryBatch {
        let mut batch = EntryBatch::new(directory.iter().map(|it| name(it)).collect());
        batch.entries = vec![Entry::new(name(entry), Kind::File)];
        batch
    }

    fn renamed(source: &str, target: &str) -> Top {
        Top::Names(vec![TopName {
            source: name(source),
            target: name(target),
        }])
    }

    fn open(root: Option<Entry>) -> Open {
        Open {
            verb: Verb::Mirror,
            dry_run: false,
            root,
            lanes: 1,
        }
    }

    #[test]
    fn only_the_named_entries_are_expected() {
        let expected = Expected::new(&renamed("photos", "photos"), None);
        assert!(expected.check(&batch(&[], "photos")).is_ok());
        assert!(expected.check(&batch(&["photos"], "x")).is_ok());
        assert!(expected.check(&batch(&[], ".bashrc")).is_err());
        assert!(expected.check(&batch(&[".ssh"], "x")).is_err());
    }

    #[test]
    fn rules_judge_by_the_names_at_the_source() {
        let select = || -> Option<Arc<dyn Select>> { Some(Arc::new(NoTemporary)) };
        let all = Expected::new(&Top::Contents, select());
        assert!(all.check(&batch(&["a"], "b")).is_ok());
        assert!(all.check(&batch(&["a"], "b.tmp")).is_err());
        let expected = Expected::new(&renamed("a", "b.tmp"), select());
        assert!(expected.check(&batch(&[], "b.tmp")).is_ok());
        let expected = Expected::new(&renamed("old", "new"), select());
        assert!(expected.check(&batch(&["new"], "x")).is_err());
    }

    #[test]
    fn a_whole_directory_cannot_stand_for_some_of_its_entries() {
        let root = Entry::new(name("root"), Kind::Directory);
        let some = Expected::new(&renamed("a", "a"), None);
        assert!(some.check_open(&open(Some(root.clone()))).is_err());
        assert!(some.check_open(&open(None)).is_ok());
        let all = Expected::new(&Top::Contents, None);
        assert!(all.check_open(&open(None)).is_err());
        assert!(all.check_open(&open(Some(root))).is_ok());
    }
}
