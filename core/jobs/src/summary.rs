//! The end of a run, for programs.

use blit_config::{Exit, units};
use blit_contract::EndState;
use blit_engine::Verb;
use blit_events::{
    Bytes, Changed, Count, Files, Lanes, Slug, Summary, UserError, loss_word, method_word,
};

use crate::Outcome;

/// The source has entries and none of them came to an end: whatever that is, it is no success.
#[must_use]
pub fn nothing_came(outcome: &Outcome, dry_run: bool) -> Option<UserError> {
    let figures = &outcome.figures;
    let came = outcome.ends.total() + figures.up_to_date + outcome.failed();
    let is_wrong = figures.scanned_entries > 0 && came == 0 && !dry_run;
    is_wrong.then(|| {
        UserError::new(
            Slug::InternalNothing,
            format!(
                "the source has {} and none of them was dealt with",
                units::entries(figures.scanned_entries)
            ),
        )
        .next("please report it with the output of: blit diagnostics dump")
        .changed(Changed::Unknown)
    })
}

/// The end of a run of that verb, for programs.
#[must_use]
pub fn summary(
    (verb, dry_run): (Verb, bool),
    outcome: &Outcome,
    exit: Exit,
    lanes: Option<Lanes>,
) -> Summary {
    let ends = |end| outcome.ends.get(end);
    let copied = outcome.copied();
    let changed = copied + ends(EndState::Metadata) + ends(EndState::Deleted);
    let result = match exit {
        Exit::Different => "different",
        Exit::Ok if dry_run => "dry_run",
        Exit::Ok if changed == 0 && !outcome.changed_anything => "nothing",
        Exit::Ok => "ok",
        _ => "partial",
    };
    let count = |name, count| Count { name, count };
    Summary {
        result,
        exit: exit.into(),
        seconds: outcome.took.as_secs_f64(),
        files: Some(Files {
            copied,
            metadata: ends(EndState::Metadata),
            deleted: ends(EndState::Deleted),
            up_to_date: ends(EndState::Unchanged),
            skipped: ends(EndState::Skipped),
            vanished: ends(EndState::Vanished),
            failed: outcome.failed(),
        }),
        bytes: Some(Bytes {
            copied: outcome.copied_bytes,
            matched: outcome.matched_bytes,
            on_wire: outcome.wire_bytes,
        }),
        rate: units::rate(outcome.copied_bytes, outcome.took),
        methods: outcome
            .methods
            .iter()
            .map(|(method, files)| count(method_word(*method), *files))
            .collect(),
        losses: outcome
            .losses
            .iter()
            .map(|(class, entries)| count(loss_word(*class), *entries))
            .collect(),
        entries: (verb == Verb::Check).then_some(outcome.differences),
        failures: outcome.failures(),
        failures_total: outcome.failed(),
        lanes,
    }
}
