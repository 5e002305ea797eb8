//! Failures of one sort as one block: how many, why, an example, what became of the rest, what to do.

use blit_contract::LossClass;
use blit_engine::Verb;
use blit_jobs::{Group, Outcome};

use crate::{errors::Slug, transfer::Trip, units};

/// The block of the failures of one sort.
pub(super) fn text(slug: Slug, group: &Group, trip: &Trip, outcome: &Outcome) -> String {
    let (what, next) = phrase(slug);
    let (noun, what) = what.split_at(what.find(' ').unwrap_or(what.len()));
    let many = units::counted(group.total, noun, plural(noun));
    let what = match group.total {
        1 => what.replace("they", "it").replace(" were", " was"),
        _ => what.to_owned(),
    };
    let example = group.examples.first().map(|problem| match group.total {
        1 => format!(": {}", problem.path),
        _ => format!(", e.g. {}", problem.path),
    });
    let mut text = format!("{many}{what}{}", example.unwrap_or_default());
    if slug == Slug::DataVanished {
        return text;
    }
    text += &format!("\n  state: {}", state(trip, outcome));
    if !next.is_empty() {
        text += &format!("\n  next: {next}");
    }
    text
}

/// What the entries of that sort have come to, in the plural, and what to do.
fn phrase(slug: Slug) -> (&'static str, &'static str) {
    match slug {
        Slug::DataChanged => (
            "file changed while being read and were left as they were",
            "run again, or copy from a snapshot",
        ),
        Slug::DataMismatch => (
            "file arrived with different content than was read",
            "this points at memory, disk or a driver; run again, and look at the system log",
        ),
        Slug::DataVanished => ("file vanished at the source meanwhile", ""),
        Slug::EntryBusy => ("entry were in use by somebody else", "run again later"),
        Slug::EntryConflict => (
            "entry could not be written (something else is in its place)",
            "look at what is there, and move it away",
        ),
        Slug::EntryUnsupported => (
            "entry could not be made as it is (not supported there)",
            "choose another destination, --preserve auto, or --exclude",
        ),
        Slug::IoSource => (
            "file could not be read (input/output error)",
            "look at the system log (dmesg) for the source's device",
        ),
        Slug::IoTarget => (
            "file could not be written (input/output error)",
            "look at the system log (dmesg) for the destination's device",
        ),
        Slug::NameConflict => (
            "name cannot exist beside another one at the destination (it ignores case)",
            "rename one, or --exclude it",
        ),
        Slug::NameTooLarge => (
            "entry could not be written (too large or too long a name for the destination)",
            "choose another destination, or --exclude it",
        ),
        Slug::PermDest => (
            "entry could not be written (permission denied)",
            "run as a user that may write there",
        ),
        Slug::PermImmutable => (
            "entry could not be changed (marked immutable or append-only)",
            "lift the mark with chattr -i -a, or --exclude",
        ),
        Slug::PermReadonly => (
            "entry could not be changed (read-only)",
            "mount it writable",
        ),
        Slug::PermSource => (
            "file could not be read (permission denied)",
            "run as a user that may read them, or --exclude",
        ),
        Slug::SpaceFull => (
            "entry could not be written (no room left)",
            "make room and run again",
        ),
        _ => ("entry failed", "run again with -v to see each"),
    }
}

fn plural(noun: &str) -> &'static str {
    match noun {
        "file" => "files",
        "name" => "names",
        _ => "entries",
    }
}

/// What became of the rest.
fn state(trip: &Trip, outcome: &Outcome) -> &'static str {
    match trip.request.verb {
        Verb::Check => "everything else was compared",
        _ if trip.request.writing.dry_run => "nothing was changed",
        _ if outcome.stop.is_some() => "the run stopped; see below",
        Verb::Copy => "everything else was copied; nothing was deleted",
        Verb::Mirror => "everything else was copied; nothing was deleted",
        Verb::Move => "everything else was moved; these stay at the source",
    }
}

/// What a target may be unable to keep, in the plural.
pub(super) fn loss_phrase(class: LossClass) -> &'static str {
    match class {
        LossClass::Acl => "ACLs",
        LossClass::HardLink => "hard links",
        LossClass::Mode => "permission bits",
        LossClass::Owner => "owners",
        LossClass::Time => "exact times",
        LossClass::Xattr => "extended attributes",
        _ => "some metadata",
    }
}
