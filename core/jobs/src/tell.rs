//! What a session says, for programs.

use blit_contract::{Problem, RelPath};
use blit_events::{Event, Note, PathField, Plan, Slug, item_error, slug_of};

use crate::Figures;

/// What there is to do. `is_complete`: it will not become more.
#[must_use]
pub fn plan_event(figures: &Figures, is_complete: bool) -> Event {
    Event::Plan(Plan {
        entries: figures.scanned_entries,
        bytes: figures.scanned_bytes,
        copy_files: figures.wanted_files,
        copy_bytes: figures.wanted_bytes,
        delete_entries: figures.doomed_entries,
        up_to_date: figures.up_to_date,
        complete: is_complete,
    })
}

/// What became of an entry that did not come to a good end.
#[must_use]
pub fn problem_event(problem: &Problem) -> Event {
    match slug_of(problem.side, problem.error.kind()) {
        slug @ Slug::DataVanished => Event::Warning(Note {
            code: slug.name(),
            message: "vanished at the source meanwhile".to_owned(),
            path: Some(PathField::from(&problem.path)),
        }),
        _ => Event::ItemError(item_error(problem)),
    }
}

/// Another file system is mounted at this directory of the source.
#[must_use]
pub fn not_entered(path: &RelPath) -> (Slug, String) {
    let message = format!(
        "{path} is another file system and was not entered; what the target has there stays"
    );
    (Slug::EntrySkipped, message)
}

/// Nothing has moved for a while.
#[must_use]
pub fn stalled(waiting_for: &str, seconds: u64) -> (Slug, String) {
    let message = format!("no data for {seconds} s: waiting for {waiting_for}");
    (Slug::RunStalled, message)
}
