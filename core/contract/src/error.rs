//! The one error of the contract. Its kind alone decides what happens next.

use std::fmt;

use crate::RelPath;

/// What every call of the contract returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    op: &'static str,
    path: Option<RelPath>,
    detail: Option<Box<str>>,
    os: Option<i32>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of that kind in the operation `op` (a verb: `open`, `rename`).
    #[must_use]
    pub fn new(kind: ErrorKind, op: &'static str) -> Self {
        Self {
            kind,
            op,
            path: None,
            detail: None,
            os: None,
            source: None,
        }
    }

    /// An error of the operating system in the operation `op`.
    #[must_use]
    pub fn from_io(op: &'static str, error: &std::io::Error) -> Self {
        let plain = Self::new(ErrorKind::from_io(error.kind()), op).because(error.to_string());
        match error.raw_os_error() {
            Some(errno) => plain.with_os(errno),
            None => plain,
        }
    }

    /// Adds the entry that it happened to.
    #[must_use]
    pub fn at(mut self, path: &RelPath) -> Self {
        self.path = Some(path.clone());
        self
    }

    /// Adds one sentence with real values, for people.
    #[must_use]
    pub fn because(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the error number of the operating system.
    #[must_use]
    pub fn with_os(mut self, errno: i32) -> Self {
        self.os = Some(errno);
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong, for branching.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed.
    #[must_use]
    pub fn op(&self) -> &'static str {
        self.op
    }

    /// The entry that it happened to, if it was one.
    #[must_use]
    pub fn path(&self) -> Option<&RelPath> {
        self.path.as_ref()
    }

    /// One sentence with real values, if there is one.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The error number of the operating system, if it came from there.
    #[must_use]
    pub fn os(&self) -> Option<i32> {
        self.os
    }
}

impl fmt::Display for Error {
    // Never the source: whoever prints the chain prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        write!(f, ": {}", self.kind.phrase())?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

/// What went wrong. Alphabetical; new kinds may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Our own code broke its word; please report it.
    Bug,
    /// Somebody else holds it now; later may work.
    Busy,
    /// The user stopped the run.
    Cancelled,
    /// The entry changed while it was being read or replaced.
    Changed,
    /// Two names that this store cannot tell apart (it ignores case or normalises).
    Collision,
    /// Something of another type, or not what was scanned, is at the name.
    Conflict,
    /// Data does not match its digest.
    Corrupt,
    /// The operating system or the peer said no.
    Denied,
    /// An immutable or append-only flag forbids it.
    Immutable,
    /// The caller asked for something that cannot be.
    Invalid,
    /// The device failed.
    Io,
    /// Room, quota or inodes ran out.
    NoSpace,
    /// There is no such entry.
    NotFound,
    /// The store is read-only.
    ReadOnly,
    /// The store cannot hold a file of this size or a name of this length.
    TooLarge,
    /// The other side cannot be reached.
    Unreachable,
    /// This store or transport cannot do it.
    Unsupported,
    /// The entry was there when it was scanned, and is gone.
    Vanished,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Read the source again from the start, a few times.
    FromSource,
    /// The same call may work a little later.
    Later,
    /// It cannot.
    Never,
}

impl ErrorKind {
    /// Whether trying again can help. Nothing else of an error is asked for this.
    #[must_use]
    pub fn retry(self) -> Retry {
        match self {
            Self::Changed | Self::Corrupt => Retry::FromSource,
            Self::Busy | Self::Unreachable => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// The kind that says the same as one of the standard library.
    #[must_use]
    pub fn from_io(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind as Io;
        match kind {
            Io::FileTooLarge | Io::InvalidFilename => Self::TooLarge,
            Io::NotFound => Self::NotFound,
            Io::PermissionDenied => Self::Denied,
            Io::QuotaExceeded | Io::StorageFull => Self::NoSpace,
            Io::ReadOnlyFilesystem => Self::ReadOnly,
            Io::ResourceBusy | Io::WouldBlock => Self::Busy,
            Io::StaleNetworkFileHandle => Self::Vanished,
            Io::AlreadyExists | Io::DirectoryNotEmpty | Io::IsADirectory | Io::NotADirectory => {
                Self::Conflict
            }
            Io::Unsupported => Self::Unsupported,
            _ => Self::Io,
        }
    }

    /// The kind in plain words.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Bug => "internal error",
            Self::Busy => "in use by somebody else",
            Self::Cancelled => "stopped",
            Self::Changed => "changed meanwhile",
            Self::Collision => "its name cannot exist beside another one here",
            Self::Conflict => "something else is in its place",
            Self::Corrupt => "the data does not match its digest",
            Self::Denied => "permission denied",
            Self::Immutable => "it is marked immutable or append-only",
            Self::Invalid => "not valid",
            Self::Io => "input/output error",
            Self::NoSpace => "no room left",
            Self::NotFound => "not found",
            Self::ReadOnly => "read-only",
            Self::TooLarge => "too large for this store",
            Self::Unreachable => "unreachable",
            Self::Unsupported => "not supported here",
            Self::Vanished => "vanished meanwhile",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    #[test]
    fn a_message_names_operation_entry_and_kind_but_not_the_cause() {
        let path = RelPath::ROOT.join(Name::new(*b"a.txt").unwrap());
        let error = Error::new(ErrorKind::Denied, "open")
            .at(&path)
            .with_source("EACCES");
        assert_eq!(error.to_string(), "open a.txt: permission denied");
    }

    #[test]
    fn only_a_changed_or_corrupt_entry_is_read_again() {
        assert_eq!(ErrorKind::Changed.retry(), Retry::FromSource);
        assert_eq!(ErrorKind::Corrupt.retry(), Retry::FromSource);
        assert_eq!(ErrorKind::NoSpace.retry(), Retry::Never);
    }
}
