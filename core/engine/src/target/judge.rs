//! Decides about one entry: pure, from what both scans saw.

use blit_contract::{DiffKind, Entry, Kind, Preserve, Special, Time};
use blit_wire::Verb;

use crate::{Compare, Options};

/// What is to become of an entry that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A directory is in the place of something else, and this verb deletes nothing.
    Conflict,
    /// Ask the source, for this reason.
    Ask(DiffKind, &'static str),
    /// Make it anew: its type or link target differs.
    Replace(&'static str),
    /// It is as it should be.
    Same,
    /// It is left alone, by this rule.
    Skip(&'static str),
}

/// Judges `source` against what the target has at its name.
pub(crate) fn judge(source: &Entry, target: &Entry, options: &Options) -> Verdict {
    if options.ignore_existing && !(source.is_directory() && target.is_directory()) {
        return Verdict::Skip("it exists");
    }
    if options.update && source.is_file() && target.modified > source.modified {
        return Verdict::Skip("it is newer at the target");
    }
    match (&source.kind, &target.kind) {
        (Kind::File, Kind::File) => judge_file(source, target, options),
        (Kind::Directory, Kind::Directory) => judge_metadata(source, target, options),
        (Kind::Symlink(wanted), Kind::Symlink(found)) if wanted == found => {
            judge_metadata(source, target, options)
        }
        (Kind::Symlink(_), Kind::Symlink(_)) => Verdict::Replace("link target"),
        (Kind::Special(wanted), Kind::Special(found)) if wanted == found => {
            judge_metadata(source, target, options)
        }
        (_, Kind::Directory) if options.verb == Verb::Copy || options.verb == Verb::Move => {
            Verdict::Conflict
        }
        _ => Verdict::Replace("type"),
    }
}

fn judge_file(source: &Entry, target: &Entry, options: &Options) -> Verdict {
    if source.size != target.size {
        return Verdict::Ask(DiffKind::Content, "size");
    }
    let by_content = options.compare == Compare::Checksum || options.verb == Verb::Move;
    match compare_times(source, target, options.preserve) {
        Times::Differ if !by_content => Verdict::Ask(DiffKind::Content, "time"),
        Times::Same if !by_content => judge_metadata(source, target, options),
        _ if source.size == 0 => judge_metadata(source, target, options),
        _ => Verdict::Ask(DiffKind::Digest, "content is compared"),
    }
}

/// Judges everything but content. Extended attributes cost a call each, so they are looked at only if
/// the source's inode changed after the target's: since then nothing of the source is known to be here.
///
/// By content, everything is compared.
pub(crate) fn judge_metadata(source: &Entry, target: &Entry, options: &Options) -> Verdict {
    let preserve = options.preserve;
    let is_thorough = options.compare == Compare::Checksum;
    let ask = |reason| Verdict::Ask(DiffKind::Attributes, reason);
    let may_hide_more = is_thorough || source.identity.changed >= target.identity.changed;
    if shows_difference(source, target, preserve) {
        ask("metadata")
    } else if preserve.xattrs && !is_symlink(source) && may_hide_more {
        ask("attributes may have changed")
    } else {
        Verdict::Same
    }
}

/// Whether mode, owner or time differ.
pub(crate) fn shows_difference(source: &Entry, target: &Entry, preserve: Preserve) -> bool {
    (preserve.mode && !is_symlink(source) && source.mode != target.mode)
        || (preserve.owner && (source.uid, source.gid) != (target.uid, target.gid))
        || compare_times(source, target, preserve) == Times::Differ
}

fn is_symlink(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Symlink(_))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Differ,
    Same,
    /// The target's may be all that it could keep of the source's.
    Uncertain,
}

fn compare_times(source: &Entry, target: &Entry, preserve: Preserve) -> Times {
    let (wanted, found) = (source.modified, target.modified);
    if wanted == found || (!preserve.times && found >= wanted) {
        Times::Same
    } else if is_coarse(wanted, found) || is_clamped(wanted, found) {
        Times::Uncertain
    } else {
        Times::Differ
    }
}

/// Some file systems keep whole seconds only, or even ones.
fn is_coarse(wanted: Time, found: Time) -> bool {
    found.nanos == 0 && (wanted.secs == found.secs || wanted.secs == found.secs + 1)
}

/// The ends of what file systems can store, in seconds: 32 bits; ext4; XFS with large times.
const LATEST_SECS: [i64; 3] = [0x7fff_ffff, 15_032_385_535, 16_299_260_424];
const EARLIEST_SECS: i64 = -0x8000_0000;

fn is_clamped(wanted: Time, found: Time) -> bool {
    (found.secs == EARLIEST_SECS && wanted < found)
        || (LATEST_SECS.contains(&found.secs) && wanted > found)
}

/// Whether blit can make such an entry at all.
pub(crate) fn can_be_made(entry: &Entry, options: &Options) -> bool {
    match entry.kind {
        Kind::Special(Special::Socket) => false,
        Kind::Special(_) => options.specials,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blit_contract::Name;

    fn file(size: u64, modified: Time, changed: i64) -> Entry {
        let mut entry = Entry::new(Name::new(*b"f").unwrap(), Kind::File);
        entry.size = size;
        entry.modified = modified;
        entry.mode = 0o644;
        entry.identity.changed = Time::new(changed, 0);
        entry
    }

    fn at(secs: i64, nanos: u32) -> Time {
        Time::new(secs, nanos)
    }

    fn copy() -> Options {
        Options::new(Verb::Copy)
    }

    const CONTENT: DiffKind = DiffKind::Content;
    const DIGEST: DiffKind = DiffKind::Digest;

    #[test]
    fn a_nanosecond_of_difference_is_a_difference() {
        let verdict = judge(&file(1, at(5, 2), 0), &file(1, at(5, 1), 9), &copy());
        assert_eq!(verdict, Verdict::Ask(CONTENT, "time"));
    }

    #[test]
    fn a_newer_target_of_the_same_size_is_replaced_unless_update_is_asked() {
        let (source, target) = (file(1, at(5, 1), 0), file(1, at(9, 1), 9));
        assert_eq!(
            judge(&source, &target, &copy()),
            Verdict::Ask(CONTENT, "time")
        );
        let mut update = copy();
        update.update = true;
        assert!(matches!(judge(&source, &target, &update), Verdict::Skip(_)));
    }

    #[test]
    fn what_a_store_could_not_keep_of_a_time_is_compared_by_content() {
        let cut = judge(&file(1, at(5, 7), 0), &file(1, at(5, 0), 9), &copy());
        assert!(matches!(cut, Verdict::Ask(DIGEST, _)));
        let clamped = judge(
            &file(1, at(1 << 40, 0), 0),
            &file(1, at(15_032_385_535, 0), 9),
            &copy(),
        );
        assert!(matches!(clamped, Verdict::Ask(DIGEST, _)));
    }

    #[test]
    fn attributes_are_looked_at_only_if_the_source_changed_since() {
        let source = file(1, at(5, 1), 50);
        assert_eq!(
            judge(&source, &file(1, at(5, 1), 51), &copy()),
            Verdict::Same
        );
        assert!(matches!(
            judge(&source, &file(1, at(5, 1), 50), &copy()),
            Verdict::Ask(DiffKind::Attributes, _)
        ));
    }

    #[test]
    fn a_move_trusts_only_content() {
        let same = file(1, at(5, 1), 0);
        let verdict = judge(&same, &file(1, at(5, 1), 9), &Options::new(Verb::Move));
        assert!(matches!(verdict, Verdict::Ask(DIGEST, _)));
    }

    #[test]
    fn only_a_mirror_puts_a_file_in_the_place_of_a_directory() {
        let source = file(1, at(5, 1), 0);
        let directory = Entry::new(Name::new(*b"f").unwrap(), Kind::Directory);
        assert_eq!(judge(&source, &directory, &copy()), Verdict::Conflict);
        let mirror = judge(&source, &directory, &Options::new(Verb::Mirror));
        assert_eq!(mirror, Verdict::Replace("type"));
    }
}
