//! The end of a run: blocks of failures, one line that sums it up, and the exit code.

mod blocks;

use blit_contract::{EndState, SecurityClass};
use blit_engine::Verb;
use blit_jobs::{Outcome, nothing_came, summary};

use super::{Trip, legs::with_slash, stop};
use crate::{
    app::App,
    errors::{Result, Slug},
    events::{self, Event},
    exit::Exit,
    ui::Volume,
    units,
};

/// Says how it went, and answers the exit code.
pub(super) fn conclude(app: &App, trip: &Trip, outcome: Outcome) -> Result<Exit> {
    let has_notes = app.ui.volume >= Volume::Normal;
    if let Some((reason, leg)) = &outcome.stop {
        let leg = &trip.legs[*leg];
        let error = stop::explain(app, trip, &outcome, reason, leg);
        say_blocks(app, trip, &outcome);
        let exit = error.exit().graver(outcome.exit());
        return Err(error.exits(exit).into());
    }
    let dry_run = trip.request.writing.dry_run;
    if let Some(error) = nothing_came(&outcome, dry_run) {
        return Err(error.into());
    }
    let verb = trip.request.verb;
    let exit = outcome.exit_of(verb);
    if has_notes || exit != Exit::Ok {
        let line = line(trip, &outcome);
        match exit {
            Exit::Ok | Exit::Different => app.ui.say(&line),
            _ => app.ui.say_always(&line),
        }
    }
    say_blocks(app, trip, &outcome);
    say_notes(app, trip, &outcome);
    let lanes = events::Lanes::of(&trip.lanes.uses);
    let summary = summary((verb, dry_run), &outcome, exit, lanes);
    app.ui.tell(Event::Summary(Box::new(summary)));
    Ok(exit)
}

/// Entries that are left out for their type; `check` says nothing of them.
fn uncarried(trip: &Trip, outcome: &Outcome) -> u64 {
    match trip.request.verb {
        Verb::Check => 0,
        _ => outcome.uncarried,
    }
}

/// One line that sums the run up.
fn line(trip: &Trip, outcome: &Outcome) -> String {
    let figures = &outcome.figures;
    let failed = outcome.failed();
    let changed = outcome.copied()
        + outcome.ends.get(EndState::Metadata)
        + outcome.ends.get(EndState::Deleted);
    let is_filtered = !trip.request.patterns.is_empty()
        || trip.request.limits.is_some()
        || trip.request.files_from.is_some();
    if trip.request.verb == Verb::Check {
        return check_line(outcome);
    }
    if trip.request.writing.dry_run {
        return "Dry run: nothing was changed.".to_owned();
    }
    if figures.scanned_entries == 0 && changed == 0 && failed == 0 {
        return match is_filtered {
            true => format!("Nothing matches: nothing {}.", past(trip).to_lowercase()),
            false => format!("Source is empty: nothing {}.", past(trip).to_lowercase()),
        };
    }
    if changed == 0 && failed == 0 && outcome.changed_anything {
        return format!(
            "{} {}: the destination had the same already.",
            past(trip),
            units::entries(outcome.ends.get(EndState::Unchanged))
        );
    }
    if changed == 0 && failed == 0 {
        return format!(
            "Nothing to do: {} already up to date (checked in {}).",
            are(outcome.ends.get(EndState::Unchanged)),
            units::duration(outcome.took)
        );
    }
    changes_line(trip, outcome)
}

fn changes_line(trip: &Trip, outcome: &Outcome) -> String {
    let ends = |end| outcome.ends.get(end);
    let (metadata, deleted) = (ends(EndState::Metadata), ends(EndState::Deleted));
    let (unchanged, failed) = (ends(EndState::Unchanged), outcome.failed());
    let were = if unchanged == 1 { "was" } else { "were" };
    let parts = [
        copied_part(trip, outcome),
        (metadata > 0).then(|| format!("{} got new metadata", units::entries(metadata))),
        (deleted > 0).then(|| format!("deleted {}", units::entries(deleted))),
        (unchanged > 0).then(|| format!("{} {were} already up to date", units::count(unchanged))),
        (failed > 0).then(|| format!("{} failed:", units::count(failed))),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    let line = capitalized(&said.join("; "));
    match failed {
        0 => line + ".",
        _ => line,
    }
}

fn copied_part(trip: &Trip, outcome: &Outcome) -> Option<String> {
    let (copied, failed) = (outcome.copied(), outcome.failed());
    if failed > 0 {
        let all = units::entries(copied + failed);
        return Some(format!("{} {} of {all}", past(trip), units::count(copied)));
    }
    if copied == 0 {
        return None;
    }
    let rate = units::rate(outcome.copied_bytes, outcome.took);
    let rate = rate.map(|rate| format!(" ({}/s)", units::size(rate as u64)));
    Some(format!(
        "{} {} in {}{}{}",
        past(trip),
        what_was_copied(outcome),
        units::duration(outcome.took),
        rate.unwrap_or_default(),
        way(trip)
    ))
}

/// By what way it went to another machine, and who could have read it there.
fn way(trip: &Trip) -> String {
    let Some(used) = trip.lanes.uses.used() else {
        return String::new();
    };
    let readers = match used.security {
        SecurityClass::SameMachine => "on this machine",
        SecurityClass::TrustedNetwork => "in clear",
        _ => "encrypted",
    };
    format!(" over {}, {readers}", used.transport)
}

/// The ways that did not work, if that made a difference.
fn passed_over_text(trip: &Trip) -> Option<String> {
    let uses = &trip.lanes.uses;
    let passed: Vec<String> = uses
        .passed_over()
        .into_iter()
        .map(|passed| format!("{} ({})", passed.transport, passed.why))
        .collect();
    let used = uses.used().filter(|_| !passed.is_empty())?;
    Some(format!(
        "no lanes over {}; data went over {} instead",
        passed.join(", "),
        match used.transport {
            "grpc" => "the control connection",
            other => other,
        }
    ))
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Files and their bytes; where only directories and links were made, entries.
fn what_was_copied(outcome: &Outcome) -> String {
    let files = outcome.figures.done_files;
    match files {
        0 => units::entries(outcome.copied()),
        _ => {
            let (copied, matched) = (outcome.copied_bytes, outcome.matched_bytes);
            let (files, size) = (units::files(files), units::size(copied));
            match matched {
                0 => format!("{files}, {size}"),
                _ => format!(
                    "{files}, {size} of which {} were there",
                    units::size(matched)
                ),
            }
        }
    }
}

fn check_line(outcome: &Outcome) -> String {
    let same = outcome.ends.get(EndState::Unchanged);
    let took = units::duration(outcome.took);
    let failed = outcome.failed();
    match (outcome.differences, failed) {
        (0, 0) => format!("No difference: {} the same (checked in {took}).", are(same)),
        (0, _) => format!(
            "No difference found, but {} could not be compared:",
            units::entries(failed)
        ),
        (differences, 0) => format!(
            "{} and {} the same (checked in {took}).",
            units::counted(differences, "entry differs", "entries differ"),
            are(same)
        ),
        (differences, _) => format!(
            "{}; {} could not be compared:",
            units::counted(differences, "entry differs", "entries differ"),
            units::count(failed)
        ),
    }
}

/// `1 entry is`, `2 entries are`.
fn are(number: u64) -> String {
    units::counted(number, "entry is", "entries are")
}

fn past(trip: &Trip) -> &'static str {
    match trip.request.verb {
        Verb::Check => "Checked",
        Verb::Copy | Verb::Mirror => "Copied",

        Verb::Move => "Moved",
    }
}

/// Where the trees will be, for people.
pub(super) fn shown_target(trip: &Trip) -> String {
    match &*trip.legs {
        [leg] => leg.resolved_target(),
        _ => with_slash(&trip.target.path),
    }
}

fn say_blocks(app: &App, trip: &Trip, outcome: &Outcome) {
    for (slug, group) in &outcome.groups {
        let text = blocks::text(*slug, group, trip, outcome);
        match slug.exit() {
            Exit::Ok => app.ui.say(&text),
            _ => app.ui.say_always(&text),
        }
    }
}

/// What is no failure and yet worth a line.
fn say_notes(app: &App, trip: &Trip, outcome: &Outcome) {
    if let Some(message) = passed_over_text(trip) {
        app.ui.note(Slug::NetFallback, &message);
    }
    let uncarried = uncarried(trip, outcome);
    if uncarried > 0 {
        let message = uncarried_text(trip, outcome, uncarried);
        app.ui.warn(Slug::EntrySkipped, &message);
    }
    if outcome.deletions_withheld > 0 {
        let withheld = units::counted(outcome.deletions_withheld, "entry was", "entries were");
        let message = format!("{withheld} not deleted, because something failed");
        app.ui.warn(Slug::DeleteWithheld, &message);
    }
    if !outcome.losses.is_empty() {
        let lost: Vec<_> = outcome
            .losses
            .iter()
            .map(|(class, entries)| {
                format!(
                    "{} ({})",
                    blocks::loss_phrase(*class),
                    units::entries(*entries)
                )
            })
            .collect();
        let message = format!(
            "{} cannot keep {}; everything else was kept",
            with_slash(&trip.target.path),
            lost.join(", ")
        );
        app.ui.note(Slug::MetaUnsupported, &message);
    }
}

fn uncarried_text(trip: &Trip, outcome: &Outcome, uncarried: u64) -> String {
    let stay = match trip.request.verb {
        Verb::Move => ", and stays at the source",
        _ => "",
    };
    let names: Vec<String> = outcome
        .skipped
        .iter()
        .take(NAMES_MAX)
        .map(ToString::to_string)
        .collect();
    let names = match names.is_empty() {
        true => "; -v names them".to_owned(),
        false => format!(": {}", names.join(", ")),
    };
    format!(
        "{} neither file, directory nor link was left out{stay}{names}",
        units::counted(uncarried, "entry that is", "entries that are")
    )
}

/// How many names stand in a sentence.
const NAMES_MAX: usize = 10;

#[cfg(test)]
mod tests;
