//! Directories that the listing has named and not yet entered, kept small: a million siblings cost
//! some 90 bytes each, where a map of paths and entries took 900.

use std::collections::HashMap;

use blit_contract::{Entry, Error, ErrorKind, Name, RelPath, Result};

/// What is known of a directory before it is entered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// What the source says it is; only where it is needed again.
    pub(super) entry: Option<Entry>,
    pub(super) is_fresh: bool,
    pub(super) is_asked: bool,
    /// Nothing is done about what is in it.
    pub(super) is_left: bool,
}

impl Known {
    /// Of a directory that is left alone, with all that is in it.
    pub(super) fn left() -> Self {
        Self {
            entry: None,
            is_fresh: false,
            is_asked: false,
            is_left: true,
        }
    }
}

/// The directories that wait, by the directory in which they are.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    parents: HashMap<RelPath, Siblings>,
}

/// Those of one directory: records one after the other, each with the length of its name, the name,
/// its flags and its entry.
#[derive(Debug, Default)]
struct Siblings {
    records: Vec<u8>,
    starts: Vec<usize>,
    /// How many were not taken yet.
    left: usize,
    /// Whether names came out of order; then they are looked for one by one.
    is_unsorted: bool,
}

const FRESH: u8 = 1;
const ASKED: u8 = 2;
const TAKEN: u8 = 4;
const LEFT: u8 = 8;

impl Waiting {
    /// Keeps what is known of the directory `name` in `parent`.
    pub(super) fn push(&mut self, parent: &RelPath, name: &Name, known: Known) -> Result<()> {
        if !self.parents.contains_key(parent) {
            self.parents.insert(parent.clone(), Siblings::default());
        }
        match self.parents.get_mut(parent) {
            Some(siblings) => siblings.push(name, known),
            None => Ok(()),
        }
    }

    /// Hands out what is known of the directory at `path`, once.
    pub(super) fn take(&mut self, path: &RelPath) -> Result<Option<Known>> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(None);
        };
        let Some(siblings) = self.parents.get_mut(parent) else {
            return Ok(None);
        };
        let known = siblings.take(name)?;
        if siblings.left == 0 {
            self.parents.remove(parent);
        }
        Ok(known)
    }
}

impl Siblings {
    fn push(&mut self, name: &Name, known: Known) -> Result<()> {
        let last = self.starts.last().map(|start| self.name_at(*start));
        self.is_unsorted |= last.is_some_and(|last| last >= name.as_bytes());
        self.starts.push(self.records.len());
        self.left += 1;
        let flags = [
            (known.is_fresh, FRESH),
            (known.is_asked, ASKED),
            (known.is_left, LEFT),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set);
        // A name has at most 255 bytes.
        self.records.push(name.as_bytes().len() as u8);
        self.records.extend_from_slice(name.as_bytes());
        self.records.push(flags.map(|(_, flag)| flag).sum());
        let records = std::mem::take(&mut self.records);
        self.records = postcard::to_extend(&known.entry, records).map_err(broken)?;
        Ok(())
    }

    fn take(&mut self, name: &Name) -> Result<Option<Known>> {
        let Some(start) = self.find(name.as_bytes()) else {
            return Ok(None);
        };
        let at = start + 1 + name.as_bytes().len();
        let (Some(flags), Some(entry)) =
            (self.records.get(at).copied(), self.records.get(at + 1..))
        else {
            return Ok(None);
        };
        if flags & TAKEN != 0 {
            return Ok(None);
        }
        let (entry, _) = postcard::take_from_bytes(entry).map_err(broken)?;
        self.records[at] |= TAKEN;
        self.left -= 1;
        Ok(Some(Known {
            entry,
            is_fresh: flags & FRESH != 0,
            is_asked: flags & ASKED != 0,
            is_left: flags & LEFT != 0,
        }))
    }

    /// Where the record of that name begins.
    fn find(&self, name: &[u8]) -> Option<usize> {
        if self.is_unsorted {
            let mut starts = self.starts.iter().copied();
            return starts.find(|start| self.name_at(*start) == name);
        }
        let found = self
            .starts
            .binary_search_by(|start| self.name_at(*start).cmp(name));
        found.ok().map(|at| self.starts[at])
    }

    fn name_at(&self, start: usize) -> &[u8] {
        let length = usize::from(self.records[start]);
        &self.records[start + 1..start + 1 + length]
    }
}

fn broken(cause: postcard::Error) -> Error {
    Error::new(ErrorKind::Bug, "compare").with_source(cause)
}

#[cfg(test)]
mod tests {
    use blit_contract::Kind;

    use super::*;

    fn name(number: usize) -> Name {
        Name::new(format!("d{number:06}").into_bytes()).unwrap()
    }

    fn known(number: usize) -> Known {
        let mut entry = Entry::new(name(number), Kind::Directory);
        entry.mode = u32::try_from(number % 0o1000).unwrap();
        Known {
            entry: (!number.is_multiple_of(3)).then_some(entry),
            is_fresh: number.is_multiple_of(2),
            is_asked: number.is_multiple_of(3),
            is_left: number.is_multiple_of(5),
        }
    }

    fn all_come_back(order: &[usize]) {
        let parent = RelPath::ROOT.join(name(7));
        let mut waiting = Waiting::default();
        for number in order {
            waiting
                .push(&parent, &name(*number), known(*number))
                .unwrap();
        }
        for number in (0..order.len()).rev() {
            let path = parent.join(name(number));
            assert_eq!(waiting.take(&path).unwrap(), Some(known(number)));
            assert_eq!(waiting.take(&path).unwrap(), None, "it is handed out once");
        }
        assert!(waiting.parents.is_empty());
    }

    #[test]
    fn what_was_put_in_comes_out_once_whatever_the_order() {
        all_come_back(&(0..1_000).collect::<Vec<_>>());
        all_come_back(&[4, 1, 0, 3, 2]);
    }

    #[test]
    fn what_was_never_put_in_is_not_there() {
        let mut waiting = Waiting::default();
        waiting.push(&RelPath::ROOT, &name(1), known(1)).unwrap();
        for path in [RelPath::ROOT, RelPath::ROOT.join(name(2))] {
            assert_eq!(waiting.take(&path).unwrap(), None);
        }
        let deeper = RelPath::ROOT.join(name(1)).join(name(1));
        assert_eq!(waiting.take(&deeper).unwrap(), None);
    }
}
