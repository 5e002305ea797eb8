//! Rows: at once, or sorted; all, or some; for people, pipes or programs.

use std::cmp::Reverse;

use blit_contract::{Escaped, Time};

use crate::{
    args::{Rows, SortKey},
    errors::Result,
    events::{self, Event},
    ui::Ui,
};

/// One row.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The raw bytes of the path.
    pub(crate) path: Vec<u8>,
    /// What stands before it.
    pub(crate) before: String,
    /// What stands behind it.
    pub(crate) behind: String,
    pub(crate) size: u64,
    pub(crate) modified: Time,
    /// The same for programs.
    pub(crate) event: events::Entry,
}

/// Writes rows as the flags say.
pub(crate) struct RowWriter<'a> {
    ui: &'a Ui,
    flags: &'a Rows,
    kept: Vec<Row>,
    written: u64,
}

impl<'a> RowWriter<'a> {
    /// Nothing is written yet.
    pub(crate) fn new(ui: &'a Ui, flags: &'a Rows) -> Self {
        Self {
            ui,
            flags,
            kept: Vec::new(),
            written: 0,
        }
    }

    /// Takes a row. Answers whether more are wanted.
    pub(crate) fn add(&mut self, row: Row) -> Result<bool> {
        match self.flags.sort {
            Some(_) => self.kept.push(row),
            None => self.write(&row)?,
        }
        Ok(self.wants_more())
    }

    /// Writes what was kept, and answers how many rows there were.
    pub(crate) fn finish(mut self) -> Result<u64> {
        let mut kept = std::mem::take(&mut self.kept);
        match self.flags.sort {
            Some(SortKey::Name) => kept.sort_by(|a, b| a.path.cmp(&b.path)),
            Some(SortKey::Size) => {
                kept.sort_by(|a, b| (Reverse(a.size), &a.path).cmp(&(Reverse(b.size), &b.path)))
            }
            Some(SortKey::Time) => {
                kept.sort_by(|a, b| {
                    (Reverse(a.modified), &a.path).cmp(&(Reverse(b.modified), &b.path))
                });
            }
            None => {}
        }
        for row in &kept {
            if self.limit_is_reached() {
                break;
            }
            self.write(row)?;
        }
        Ok(self.written)
    }

    fn wants_more(&self) -> bool {
        self.flags.sort.is_some() || !self.limit_is_reached()
    }

    fn limit_is_reached(&self) -> bool {
        self.flags.limit.is_some_and(|limit| self.written >= limit)
    }

    fn write(&mut self, row: &Row) -> Result<()> {
        if self.limit_is_reached() {
            return Ok(());
        }
        self.written += 1;
        if self.ui.json {
            return self.ui.emit(Event::Entry(Box::new(row.event.clone())));
        }
        let mut bytes = row.before.clone().into_bytes();
        match self.flags.null {
            true => bytes.extend_from_slice(&row.path),
            // One line for each entry, whatever is in its name.
            false => bytes.extend_from_slice(Escaped(&row.path).to_string().as_bytes()),
        }
        bytes.extend_from_slice(row.behind.as_bytes());
        self.ui.row(&bytes, if self.flags.null { 0 } else { b'\n' })
    }
}
