//! Flags and settings as options of a session.

use blit_config::DeleteLimit;
use blit_engine::{Compare, MaxDelete, Options, Verb};

use super::Request;
use crate::{
    app::App,
    args::refuse_switches,
    errors::{Result, Slug, UserError},
};

/// Refuses what cannot be done, before anything is looked at.
pub(super) fn refuse(request: &Request) -> Result<(), UserError> {
    let mut paths = request.sources.clone();
    paths.push(request.target.clone());
    refuse_switches(super::verb_word(request.verb), &paths)?;
    let refuse = |message: &str, next: &str| {
        Err(UserError::new(Slug::UsageUnavailable, message)
            .unchanged()
            .next(next))
    };
    if request.reading.follow {
        return refuse(
            "--follow is not available yet",
            "without it, symbolic links are copied as links",
        );
    }
    if request.writing.detach && request.backup_dir.is_some() {
        return refuse(
            "--backup-dir cannot be used with --detach yet",
            "run the command without one of them",
        );
    }
    Ok(())
}

/// Whether each entry that changes is told of.
pub(super) fn tells_items(app: &App, request: &Request) -> bool {
    // A dry run that does not name what would go is no help before a mirror.
    app.ui.tells_items() || request.reading.itemize || request.writing.dry_run
}

/// The options that the request and the settings ask for.
pub(super) fn of(app: &App, request: &Request) -> Result<Options, UserError> {
    let settings = &app.settings().transfer;
    let mut options = Options::new(request.verb);
    options.compare = match request.reading.checksum {
        true => Compare::Checksum,
        false => Compare::Quick,
    };
    options.dry_run = request.writing.dry_run;
    // Whoever moves a tree away must hear by name what did not come along.
    options.items = tells_items(app, request) || matches!(request.verb, Verb::Check | Verb::Move);
    options.update = request.existing.update;
    options.ignore_existing = request.existing.ignore_existing;
    options.one_file_system = settings.one_file_system.unwrap_or(options.one_file_system);
    options.specials = request.writing.specials;
    options.verify = request.writing.verify || request.verb == Verb::Move;
    options.backup = request.backup_dir.is_some();
    options.max_delete = match settings.max_delete {
        None => MaxDelete::Default,
        Some(DeleteLimit::Entries(entries)) => MaxDelete::Entries(entries),
        Some(DeleteLimit::Percent(percent)) => MaxDelete::Percent(percent),
    };
    let limit = request.writing.bwlimit.map(|limit| limit.bytes);
    // As elsewhere, nothing is no limit.
    options.bytes_per_sec = limit.filter(|limit| *limit > 0);
    options.durability = settings.durability;
    options.preserve = settings.preserve.into();
    Ok(options)
}
