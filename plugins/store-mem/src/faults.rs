//! What goes wrong on purpose, and the record of what was asked.

use std::time::Duration;

use blit_contract::{Error, ErrorKind, RelPath, Result};

/// What a store is asked to do with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Making a directory, link or special, or setting metadata.
    Apply,
    /// Looking whether a file that was read is still the same.
    Check,
    /// Deleting an entry.
    Delete,
    /// Ending a file that was written in ranges.
    Finish,
    /// Listing one directory.
    List,
    /// Opening a file for reading in ranges.
    OpenRead,
    /// Opening a file for writing in ranges.
    OpenWrite,
    /// Giving a staged file its name.
    Publish,
    /// Reading a range, or a small file in a batch.
    Read,
    /// Reading back what was written.
    ReadBack,
    /// Staging a small file in a batch.
    Stage,
    /// Looking at one entry.
    Stat,
    /// The barrier; its path is the root.
    Sync,
    /// Writing a range.
    Write,
}

/// One call, in the record of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// Of which entry.
    pub path: RelPath,
}

/// One thing that goes wrong, by default at every call of its operation.
#[derive(Debug, Clone)]
pub struct Fault {
    operation: Operation,
    effect: Effect,
    path: Option<RelPath>,
    skip: u64,
    times: u64,
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    Change,
    Corrupt,
    Delay(Duration),
    Fail(ErrorKind),
}

impl Fault {
    fn new(operation: Operation, effect: Effect) -> Self {
        Self {
            operation,
            effect,
            path: None,
            skip: 0,
            times: u64::MAX,
        }
    }

    /// Somebody else appends to the file while the call runs.
    #[must_use]
    pub fn change(operation: Operation) -> Self {
        Self::new(operation, Effect::Change)
    }

    /// One bit is flipped in what is read or written, and nobody says so.
    #[must_use]
    pub fn corrupt(operation: Operation) -> Self {
        Self::new(operation, Effect::Corrupt)
    }

    /// The call takes so long before it does anything. The time may be virtual.
    #[must_use]
    pub fn delay(operation: Operation, delay: Duration) -> Self {
        Self::new(operation, Effect::Delay(delay))
    }

    /// The call fails.
    #[must_use]
    pub fn fail(operation: Operation, kind: ErrorKind) -> Self {
        Self::new(operation, Effect::Fail(kind))
    }

    /// The same, for this entry only.
    #[must_use]
    pub fn at(mut self, path: RelPath) -> Self {
        self.path = Some(path);
        self
    }

    /// The same, after the first `calls` calls that it would apply to.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// The same, and after `times` times all is well.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Whether it strikes now; counts the call.
    fn strikes(&mut self, operation: Operation, path: &RelPath) -> bool {
        let applies = self.operation == operation && self.path.as_ref().is_none_or(|p| p == path);
        if !applies || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// What goes wrong in a store: all faults that apply strike, the first failure ends the call.
#[derive(Debug, Clone, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more fault.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.0.push(fault);
        self
    }

    /// What happens to this call.
    pub(crate) fn strike(&mut self, operation: Operation, path: &RelPath) -> Strike {
        let mut strike = Strike::default();
        for fault in &mut self.0 {
            if fault.strikes(operation, path) {
                match fault.effect {
                    Effect::Change => strike.change = true,
                    Effect::Corrupt => strike.corrupt = true,
                    Effect::Delay(delay) => strike.delay += delay,
                    Effect::Fail(kind) => strike.fail = strike.fail.or(Some(kind)),
                }
            }
        }
        strike
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strike {
    pub(crate) change: bool,
    pub(crate) corrupt: bool,
    pub(crate) delay: Duration,
    fail: Option<ErrorKind>,
}

impl Strike {
    pub(crate) fn into_result(self, operation: Operation, path: &RelPath) -> Result<Self> {
        match self.fail {
            Some(kind) => Err(Error::new(kind, operation.verb())
                .at(path)
                .because("a fault that was asked for")),
            None => Ok(self),
        }
    }
}

impl Operation {
    fn verb(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Check => "check",
            Self::Delete => "delete",
            Self::Finish => "finish",
            Self::List => "list",
            Self::OpenRead | Self::OpenWrite => "open",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::ReadBack => "read back",
            Self::Stage => "stage",
            Self::Stat => "look at",
            Self::Sync => "sync",
            Self::Write => "write",
        }
    }
}
