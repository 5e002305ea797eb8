//! The catalogue of slugs: stable names of everything that can go wrong.

use blit_config::Exit;

macro_rules! slugs {
    ($($(#[doc = $doc:literal])+ $slug:ident = $name:literal => $exit:ident,)*) => {
        /// The stable name of an error or note. Each has a section in `docs/help/errors.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Slug { $($(#[doc = $doc])+ $slug,)* }

        impl Slug {
            /// All of them, in alphabetical order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$slug,)*];

            /// The name: two words with a dot between.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$slug => $name,)* }
            }

            /// The exit code that goes with it, unless the run says otherwise.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$slug => Exit::$exit,)* }
            }
        }
    };
}

slugs! {
    /// The audit log is not as it was written.
    AuditBroken = "audit.broken" => Partial,
    /// An invitation is wrong, used, or too old.
    AuthInvitation = "auth.invitation" => Refused,
    /// A machine shows another key than the one that is known.
    AuthKeyChanged = "auth.key_changed" => Refused,
    /// There is no such machine, or it cannot be called so.
    AuthPeer = "auth.peer" => NotFound,
    /// The two machines are not paired.
    AuthUnpaired = "auth.unpaired" => Refused,
    /// An unknown key in a configuration file or variable.
    ConfigKey = "config.key" => Usage,
    /// A configuration file cannot be read.
    ConfigRead = "config.read" => Usage,
    /// A configuration file is not TOML.
    ConfigSyntax = "config.syntax" => Usage,
    /// A key in a configuration file has a value that it cannot have.
    ConfigValue = "config.value" => Usage,
    /// Files changed while they were read.
    DataChanged = "data.changed" => Partial,
    /// Data does not match its digest.
    DataMismatch = "data.mismatch" => Corrupt,
    /// Files vanished at the source meanwhile; no failure.
    DataVanished = "data.vanished" => Ok,
    /// The deletion brake.
    DeleteBrake = "delete.brake" => SafetyStop,
    /// The user said no.
    DeleteDeclined = "delete.declined" => SafetyStop,
    /// A directory needs `-r`.
    DeleteDirectory = "delete.directory" => Usage,
    /// The root of a tree is never deleted.
    DeleteRoot = "delete.root" => SafetyStop,
    /// Deletions need a yes and nobody is there to say it.
    DeleteUnconfirmed = "delete.unconfirmed" => SafetyStop,
    /// Deletions were left out because something had failed.
    DeleteWithheld = "delete.withheld" => Partial,
    /// Somebody else holds an entry.
    EntryBusy = "entry.busy" => Partial,
    /// Something of another type is at the name.
    EntryConflict = "entry.conflict" => Partial,
    /// An entry failed in a way that no other slug says.
    EntryFailed = "entry.failed" => Partial,
    /// Entries that are neither file, directory nor link were left out.
    EntrySkipped = "entry.skipped" => Ok,
    /// The store cannot do what the entry needs.
    EntryUnsupported = "entry.unsupported" => Partial,
    /// A filter is not valid.
    FilterSyntax = "filter.syntax" => Usage,
    /// A defect of blit.
    InternalBug = "internal.bug" => Failed,
    /// The source has entries and none of them came to an end.
    InternalNothing = "internal.nothing" => Failed,
    /// The source's device fails.
    IoSource = "io.source" => Partial,
    /// The target's device fails.
    IoTarget = "io.target" => Partial,
    /// The daemon ended before the job did.
    JobInterrupted = "job.interrupted" => Unreachable,
    /// As many jobs run as may.
    JobLimit = "job.limit" => Refused,
    /// There is no such job.
    JobUnknown = "job.unknown" => NotFound,
    /// What the target cannot keep.
    MetaUnsupported = "meta.unsupported" => Ok,
    /// Two names cannot both exist at the target.
    NameConflict = "name.conflict" => Partial,
    /// A name or file is too large for the target.
    NameTooLarge = "name.too_large" => Partial,
    /// Data could not go the best way to another machine, and went another; no failure.
    NetFallback = "net.fallback" => Ok,
    /// Data between two other machines passes this one; no failure.
    NetRelayed = "net.relayed" => Ok,
    /// What this version cannot reach, or not in this way.
    NetUnavailable = "net.unavailable" => Unreachable,
    /// A machine does not answer, or the connection to it was lost.
    NetUnreachable = "net.unreachable" => Unreachable,
    /// Standard output cannot be written.
    OutputFailed = "output.failed" => Failed,
    /// The entries of the source are already at the destination: a slash may be missing.
    PathHint = "path.hint" => SafetyStop,
    /// A directory is needed and something else is there.
    PathNotDirectory = "path.not_directory" => Usage,
    /// The source does not exist.
    PathNotFound = "path.not_found" => NotFound,
    /// Source and destination overlap.
    PathOverlap = "path.overlap" => Usage,
    /// Two sources would have the same name at the destination.
    PathTwice = "path.twice" => Usage,
    /// The destination may not be written.
    PermDest = "perm.dest" => Refused,
    /// An immutable or append-only flag forbids it.
    PermImmutable = "perm.immutable" => Partial,
    /// The destination is read-only.
    PermReadonly = "perm.readonly" => Refused,
    /// Entries of the source may not be read.
    PermSource = "perm.source" => Partial,
    /// No plugin does what is needed, or one failed.
    PluginFailed = "plugin.failed" => Plugin,
    /// It failed in a way that no other slug says.
    RunFailed = "run.failed" => Failed,
    /// Nothing has moved for a while.
    RunStalled = "run.stalled" => Ok,
    /// The user stopped it.
    RunStopped = "run.stopped" => Interrupted,
    /// No room is left.
    SpaceFull = "space.full" => NoRoom,
    /// The daemon on a machine that ssh reaches is missing, or does not answer.
    SshDaemon = "ssh.daemon" => Unreachable,
    /// There is no ssh on this machine.
    SshMissing = "ssh.missing" => Unreachable,
    /// ssh does not let this user in, or does not trust the machine.
    SshRefused = "ssh.refused" => Refused,
    /// The daemon on a machine that ssh reaches speaks another version.
    SshVersion = "ssh.version" => Incompatible,
    /// What was typed is not an endpoint.
    SyntaxEndpoint = "syntax.endpoint" => Usage,
    /// A flag is unknown, misplaced, or has a bad value.
    UsageFlag = "usage.flag" => Usage,
    /// A flag of another tool.
    UsageHabit = "usage.habit" => Usage,
    /// There is no such help page.
    UsageTopic = "usage.topic" => Usage,
    /// A flag whose work is not done yet.
    UsageUnavailable = "usage.unavailable" => Usage,
    /// A verb is unknown or missing.
    UsageVerb = "usage.verb" => Usage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_stand_in_alphabetical_order_and_once() {
        let names: Vec<_> = Slug::ALL.iter().map(|slug| slug.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
