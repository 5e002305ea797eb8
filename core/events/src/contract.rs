//! Errors of stores in the user's terms.

use blit_config::Exit;
use blit_contract::{Error, ErrorKind, Problem, Side};

use crate::{Changed, ItemError, PathField, Slug, UserError, side_word};

/// The slug of an entry's error on a side.
#[must_use]
pub fn slug_of(side: Side, kind: ErrorKind) -> Slug {
    match (side, kind) {
        (_, ErrorKind::Bug) => Slug::InternalBug,
        (_, ErrorKind::Busy) => Slug::EntryBusy,
        (_, ErrorKind::Changed) => Slug::DataChanged,
        (_, ErrorKind::Collision) => Slug::NameConflict,
        (_, ErrorKind::Conflict) => Slug::EntryConflict,
        (_, ErrorKind::Corrupt) => Slug::DataMismatch,
        (Side::Source, ErrorKind::Denied) => Slug::PermSource,
        (Side::Target, ErrorKind::Denied) => Slug::PermDest,
        (_, ErrorKind::Immutable) => Slug::PermImmutable,
        (Side::Source, ErrorKind::Io) => Slug::IoSource,
        (Side::Target, ErrorKind::Io) => Slug::IoTarget,
        (_, ErrorKind::NoSpace) => Slug::SpaceFull,
        (Side::Source, ErrorKind::NotFound | ErrorKind::Vanished) => Slug::DataVanished,
        (_, ErrorKind::ReadOnly) => Slug::PermReadonly,
        (_, ErrorKind::TooLarge) => Slug::NameTooLarge,
        (_, ErrorKind::Unreachable) => Slug::NetUnreachable,
        (_, ErrorKind::Unsupported) => Slug::EntryUnsupported,
        _ => Slug::EntryFailed,
    }
}

/// An error that ended the whole command, about the place that the user calls `shown`.
#[must_use]
pub fn from_contract(side: Side, shown: &str, error: &Error) -> UserError {
    let cause = cause_of(error);
    let new = |slug, message: String| UserError::new(slug, message).cause(cause.clone());
    match (side, error.kind()) {
        (_, ErrorKind::NotFound | ErrorKind::Vanished) => {
            new(Slug::PathNotFound, format!("not found: {shown}"))
        }
        (Side::Source, ErrorKind::Denied) => {
            new(Slug::PermSource, format!("{shown} may not be read"))
                .exits(Exit::Refused)
                .next("run as a user that may read it")
        }
        (Side::Target, ErrorKind::Denied) => {
            new(Slug::PermDest, format!("{shown} may not be written"))
                .next("run as a user that may write there, or choose another destination")
        }
        (_, ErrorKind::ReadOnly) => new(Slug::PermReadonly, format!("{shown} is read-only"))
            .next("choose another destination, or mount it writable"),
        (_, ErrorKind::NoSpace) => new(Slug::SpaceFull, format!("no room is left in {shown}"))
            .next("make room and run the same command again; it continues"),
        (_, ErrorKind::Conflict) => new(
            Slug::PathNotDirectory,
            format!("{shown} is not a directory"),
        ),
        (Side::Source, ErrorKind::Io) => new(
            Slug::IoSource,
            format!("{shown} cannot be read: its device fails"),
        )
        .exits(Exit::Failed)
        .next("look at the system log (dmesg) for the device"),
        (Side::Target, ErrorKind::Io) => new(
            Slug::IoTarget,
            format!("{shown} cannot be written: its device fails"),
        )
        .exits(Exit::Failed)
        .next("look at the system log (dmesg) for the device"),
        (_, ErrorKind::Corrupt) => new(
            Slug::DataMismatch,
            format!("data in {shown} does not match its digest"),
        ),
        (_, ErrorKind::Bug) => internal(cause.clone()),
        (_, kind) => new(Slug::RunFailed, format!("{shown}: {}", kind.phrase())),
    }
}

/// What a daemon refused a request for.
#[must_use]
pub fn from_refusal(place: &str, error: &Error) -> UserError {
    let detail = error.detail().unwrap_or(error.kind().phrase()).to_owned();
    match error.kind() {
        ErrorKind::Denied => UserError::new(Slug::AuthUnpaired, format!("{place}: {detail}")).next(
            "get an invitation over there with: blit pair   then here: blit pair HOST INVITATION",
        ),
        ErrorKind::NotFound => {
            UserError::new(Slug::PathNotFound, format!("not found: {place}")).cause(detail)
        }
        ErrorKind::ReadOnly => UserError::new(Slug::PermReadonly, format!("{place} is read-only"))
            .cause(detail)
            .next("ask its owner for access = \"read-write\""),
        ErrorKind::Unreachable => UserError::new(
            Slug::NetUnreachable,
            format!("the connection to {place} was lost"),
        )
        .cause(detail)
        .next("run the same command again; it continues"),
        _ => from_contract(Side::Target, place, error),
    }
}

/// A defect of blit.
#[must_use]
pub fn internal(cause: impl Into<String>) -> UserError {
    UserError::new(Slug::InternalBug, "blit has a defect")
        .cause(cause)
        .state("files under their final names are complete")
        .next("please report it with the output of: blit diagnostics dump")
        .changed(Changed::Unknown)
}

/// The operation, the entry and the system's own words.
#[must_use]
pub fn cause_of(error: &Error) -> String {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    cause
}

/// A problem with an entry, for programs.
#[must_use]
pub fn item_error(problem: &Problem) -> ItemError {
    ItemError {
        code: slug_of(problem.side, problem.error.kind()).name(),
        side: side_word(problem.side),
        path: PathField::from(&problem.path),
        message: cause_of(&problem.error),
        errno: problem.error.os(),
        retried: problem.retried,
    }
}
