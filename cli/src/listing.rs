//! What `ls`, `find`, `du` and `rm` have in common: reading a tree, and writing rows about it.

mod long;
mod rows;

use std::{sync::Arc, time::Instant};

use blit_contract::{Cx, Entry, Error, ErrorKind, ListOptions, RelPath, Select, Side, Store};
use blit_wire::Rules;
use futures_util::StreamExt;

use crate::{
    app::App,
    errors::{Result, cause_of, from_contract, slug_of},
    events::{self, Event, PathField},
    exit::Exit,
    filter,
    places::{self, Place},
    ui::timestamp,
};

pub(crate) use long::long;
pub(crate) use rows::{Row, RowWriter};

/// A place that is read: a directory, or a single entry in one.
pub(crate) struct Tree {
    pub(crate) store: Arc<dyn Store>,
    /// The entry, if it is no directory.
    pub(crate) single: Option<Entry>,
    /// What stands before the paths of its entries.
    pub(crate) prefix: Vec<u8>,
    /// Which entries are wanted.
    select: Option<Arc<dyn Select>>,
    place: Place,
    cx: Cx,
    began: Instant,
    /// What could not be read.
    failures: u64,
}

impl Tree {
    /// Opens the place that was typed, of which those rules choose.
    ///
    /// # Errors
    /// It is not there, or may not be read; the rules are too much for another machine.
    pub(crate) async fn open(app: &App, typed: &std::ffi::OsStr, rules: Rules) -> Result<Self> {
        let place = Place::parse(&app.registry, typed)?;
        let cx = Cx::new(app.stop.cancel.clone());
        let select = filter::compile(&rules)?;
        if place.remote.is_some() {
            filter::check_crossing(&rules)?;
            return Self::open_remote(app, place, cx, (rules, select)).await;
        }
        let (store, single) = match place.split() {
            Some((parent, name)) if !place.path.is_dir() => {
                let store = open_or_not_found(app, &place, &parent)?;
                let path = RelPath::ROOT.join(name);
                let found = store.stat(&cx, &path).await;
                let found =
                    found.map_err(|error| from_contract(Side::Source, &place.shown(), &error))?;
                (store, Some(found.ok_or_else(|| place.not_found("path"))?))
            }
            _ => (open_or_not_found(app, &place, &place.path)?, None),
        };
        Ok(Self {
            store,
            prefix: prefix(&place, single.is_some()),
            single,
            select,
            place,
            cx,
            began: Instant::now(),
            failures: 0,
        })
    }

    /// Opens a place of another machine.
    async fn open_remote(
        app: &App,
        place: Place,
        cx: Cx,
        (rules, select): (Rules, Option<Arc<dyn Select>>),
    ) -> Result<Self> {
        let found = places::open_remote(app, &cx, &place, &rules).await?;
        Ok(Self {
            prefix: prefix(&place, found.single.is_some()),
            store: found.store,
            single: found.single,
            select,
            place,
            cx,
            began: Instant::now(),
            failures: 0,
        })
    }

    /// Calls `each` for every entry below, parents before children, until it answers no.
    pub(crate) async fn walk(
        &mut self,
        app: &App,
        mut options: ListOptions,
        mut each: impl FnMut(RelPath, Entry) -> Result<bool>,
    ) -> Result<()> {
        if let Some(entry) = self.single.clone() {
            each(RelPath::ROOT.join(entry.name.clone()), entry)?;
            return Ok(());
        }
        options.select = self.select.clone();
        let store = Arc::clone(&self.store);
        let (cx, root) = (self.cx.clone(), RelPath::ROOT);
        let mut batches = store.list(&cx, &root, options);
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|error| self.failed(&error))?;
            for problem in &batch.problems {
                self.problem(app, problem);
            }
            for entry in batch.entries {
                let path = batch.directory.join(entry.name.clone());
                if !each(path, entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Says how it ended, and answers the exit code.
    pub(crate) fn conclude(self, app: &App, entries: u64) -> Result<Exit> {
        let exit = match self.failures {
            0 => Exit::Ok,
            _ => Exit::Partial,
        };
        app.ui.emit(Event::Summary(Box::new(events::Summary {
            failures_total: self.failures,
            ..events::Summary::of_rows(exit, self.began.elapsed(), entries)
        })))?;
        Ok(exit)
    }

    fn failed(&self, error: &Error) -> crate::errors::UserError {
        from_contract(Side::Source, &self.place.shown(), error)
    }

    fn problem(&mut self, app: &App, error: &Error) {
        if error.kind() == ErrorKind::Vanished {
            return;
        }
        self.failures += 1;
        let slug = slug_of(Side::Source, error.kind());
        app.ui.warn(slug, &cause_of(error));
    }
}

fn open_or_not_found(app: &App, place: &Place, path: &std::path::Path) -> Result<Arc<dyn Store>> {
    if std::fs::symlink_metadata(&place.path)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        return Err(place.not_found("path").into());
    }
    Ok(places::open(&app.registry, Side::Source, path, |config| {
        config
    })?)
}

/// `dir/` before what is in `dir`, nothing before what is here.
fn prefix(place: &Place, is_single: bool) -> Vec<u8> {
    let bytes = place.path.as_os_str().as_encoded_bytes();
    let above = match is_single {
        true => {
            &bytes[..bytes
                .iter()
                .rposition(|byte| *byte == b'/')
                .map_or(0, |at| at + 1)]
        }
        false => bytes,
    };
    match above {
        b"" | b"." => Vec::new(),
        b"./" if !is_single => Vec::new(),
        above if above.ends_with(b"/") => above.to_vec(),
        above => [above, b"/"].concat(),
    }
}

/// An entry as a row for programs.
pub(crate) fn entry_event(path: &[u8], entry: &Entry) -> events::Entry {
    let modified = jiff::Timestamp::new(entry.modified.secs, entry.modified.nanos.cast_signed());
    let target = match &entry.kind {
        blit_contract::Kind::Symlink(target) => Some(PathField::new(target)),
        _ => None,
    };
    events::Entry {
        kind: entry.kind.word(),
        path: Some(PathField::new(path)),
        name: Some(String::from_utf8_lossy(entry.name.as_bytes()).into_owned()),
        size: Some(entry.size),
        allocated: Some(entry.allocated),
        mode: Some(format!("{:04o}", entry.mode)),
        uid: Some(entry.uid),
        gid: Some(entry.gid),
        modified: modified.ok().map(timestamp),
        target,
        ..events::Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use blit_registry::Registry;

    use super::*;

    #[test]
    fn paths_begin_as_they_were_typed() {
        let prefix_of = |typed: &str, is_single| {
            let place = Place::parse(&Registry::new([]).unwrap(), OsStr::new(typed)).unwrap();
            String::from_utf8(prefix(&place, is_single)).unwrap()
        };
        assert_eq!(prefix_of(".", false), "");
        assert_eq!(prefix_of("./", false), "");
        assert_eq!(prefix_of("a/b", false), "a/b/");
        assert_eq!(prefix_of("/", false), "/");
        assert_eq!(prefix_of("a/b.txt", true), "a/");
        assert_eq!(prefix_of("b.txt", true), "");
    }
}
