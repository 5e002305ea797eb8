//! How a run ends for the shell: one code, the gravest that applies.

/// An exit code. New ones may be added; whoever does not know one takes it for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done, or nothing to do.
    Ok,
    /// Anything that no other code says.
    Failed,
    /// A bad flag, a bad endpoint or a bad configuration file.
    Usage,
    /// It ran to the end; some entries failed, and are listed.
    Partial,
    /// `check` found differences.
    Different,
    /// The source does not exist.
    NotFound,
    /// No permission, read-only, not paired.
    Refused,
    /// The deletion brake, or a confirmation that nobody could give: nothing was changed.
    SafetyStop,
    /// The other side cannot be reached.
    Unreachable,
    /// Space, quota or inodes ran out.
    NoRoom,
    /// Data did not match its digest.
    Corrupt,
    /// Peer or plugin speaks another version.
    Incompatible,
    /// A plugin refused, crashed or broke its contract.
    Plugin,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// All of them, the gravest first: of several that apply, the first is given.
    pub const BY_GRAVITY: [Self; 15] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Corrupt,
        Self::NoRoom,
        Self::SafetyStop,
        Self::Unreachable,
        Self::Refused,
        Self::NotFound,
        Self::Usage,
        Self::Incompatible,
        Self::Plugin,
        Self::Partial,
        Self::Different,
        Self::Failed,
        Self::Ok,
    ];

    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Different => 4,
            Self::NotFound => 5,
            Self::Refused => 6,
            Self::SafetyStop => 7,
            Self::Unreachable => 8,
            Self::NoRoom => 9,
            Self::Corrupt => 10,
            Self::Incompatible => 11,
            Self::Plugin => 12,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The name in JSON and in the manual.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Partial => "partial",
            Self::Different => "different",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::SafetyStop => "safety_stop",
            Self::Unreachable => "unreachable",
            Self::NoRoom => "no_room",
            Self::Corrupt => "corrupt",
            Self::Incompatible => "incompatible",
            Self::Plugin => "plugin",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// The graver of the two.
    #[must_use]
    pub fn graver(self, other: Self) -> Self {
        let first = Self::BY_GRAVITY
            .into_iter()
            .find(|exit| *exit == self || *exit == other);
        first.unwrap_or(self)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_of_several_codes_wins() {
        assert_eq!(Exit::Partial.graver(Exit::Corrupt), Exit::Corrupt);
        assert_eq!(Exit::NoRoom.graver(Exit::Corrupt), Exit::Corrupt);
        assert_eq!(Exit::Failed.graver(Exit::Partial), Exit::Partial);
        assert_eq!(Exit::Ok.graver(Exit::Failed), Exit::Failed);
    }

    #[test]
    fn the_order_of_gravity_is_the_documented_one() {
        let codes: Vec<u8> = Exit::BY_GRAVITY.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [130, 143, 10, 9, 7, 8, 6, 5, 2, 11, 12, 3, 4, 1, 0]);
    }
}
