//! Checks of what blit uses: this machine, a directory, and the way to another machine. Each tries the
//! real thing once, and changes nothing that stays.

#![deny(missing_docs, unsafe_code)]

mod host;
mod machine;
mod rate;
#[cfg(target_os = "linux")]
mod sys;

pub use host::{Host, check_host, check_login};
pub use machine::{check_directory, check_machine};
pub use rate::{Crossing, check_rate};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Good,
    /// It is not there, and blit does without it.
    Lacking,
    /// Blit cannot work.
    Bad,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// With real values, for people.
    pub detail: String,
}

impl Check {
    /// What came of looking at `name`.
    #[must_use]
    pub fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            detail: detail.into(),
        }
    }
}
