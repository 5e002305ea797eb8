//! What a client asks of a daemon, and what the daemon answers: one request on one two-way stream.

use std::net::SocketAddr;

use blit_contract::{
    DeletionPlan, Durability, Entry, EntryBatch, Error, Event, Name, Phase, Preserve, RelPath,
    Result, SessionGrant, Time, Usage,
};

use crate::{Report, Role, Rules, Verb};

/// Which entries of the source directory are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Top {
    /// All of them: the user wrote `photos/`.
    Contents,
    /// These, each under a name at the target: the user wrote `photos`, or `a.jpg b.jpg`.
    Names(Vec<TopName>),
}

impl Top {
    /// Where the entry at `path` of the session is in the source.
    #[must_use]
    pub fn source_path(&self, path: &RelPath) -> RelPath {
        let Self::Names(names) = self else {
            return path.clone();
        };
        if names.iter().all(|name| name.source == name.target) {
            return path.clone();
        }
        let components = path.components();
        let renamed = components
            .first()
            .and_then(|first| names.iter().find(|name| name.target == **first));
        match renamed {
            Some(name) => std::iter::once(name.source.clone())
                .chain(components.into_iter().skip(1).cloned())
                .collect(),
            None => path.clone(),
        }
    }
}

/// One named entry of the source directory, and its name at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopName {
    /// Its name in the source directory.
    pub source: Name,
    /// Its name in the target directory.
    pub target: Name,
}

impl TopName {
    /// An entry that keeps its name.
    #[must_use]
    pub fn same(name: Name) -> Self {
        Self {
            source: name.clone(),
            target: name,
        }
    }
}

/// When an entry of the target counts as up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compare {
    /// By the digest of its content.
    Checksum,
    /// By type, size and modification time to the nanosecond.
    #[default]
    Quick,
}

/// How much a mirror may delete without being told so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MaxDelete {
    /// Refuses more than half of the target's entries if they are 100 or more, and any deletion
    /// when the source is empty.
    #[default]
    Default,
    /// Refuses more than so many entries.
    Entries(u64),
    /// Refuses more than so many percent of the target's entries. 100 refuses nothing.
    Percent(u8),
}

/// What the user said about a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nobody was there to answer.
    Nobody,
    /// Do not.
    No,
    /// Go on.
    Yes,
}

/// What both sides of a session have to know of the user's wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// What to do with the target.
    pub verb: Verb,
    /// When an entry counts as up to date.
    pub compare: Compare,
    /// Plan and tell, change nothing.
    pub dry_run: bool,
    /// Tell about every entry that changes.
    pub items: bool,
    /// Leave alone what is newer at the target.
    pub update: bool,
    /// Leave alone whatever is there at the target.
    pub ignore_existing: bool,
    /// Stay on the source's file system.
    pub one_file_system: bool,
    /// Make FIFOs and devices too.
    pub specials: bool,
    /// Read everything back from the target's storage before it gets its name.
    pub verify: bool,
    /// How much a mirror may delete.
    pub max_delete: MaxDelete,
    /// When data counts as safe.
    pub durability: Durability,
    /// Which metadata is kept.
    pub preserve: Preserve,
}

/// A directory or entry of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The module.
    pub module: String,
    /// The entry in it.
    pub path: RelPath,
}

/// A request to play one role of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRequest {
    /// The directory that is read or written.
    pub place: Place,
    /// The role that the daemon shall play.
    pub role: Role,
    /// The user's wishes.
    pub terms: Terms,
    /// For a source, and for a target of a relayed session: which entries of the source's directory.
    pub top: Top,
    /// For a target: the source is on a third machine, and may list nothing else than `top` and `rules` say.
    pub is_relayed: bool,
    /// Which entries take part, whichever role it plays.
    pub rules: Rules,
    /// How the client would have its lanes.
    pub lanes: LaneWishes,
    /// For a source: on whose behalf the client fetches, where that is another machine.
    pub token: Option<String>,
    /// For a target: the directory in which what it replaces or deletes is kept, if it is kept.
    pub backup: Option<Place>,
}

impl SessionRequest {
    /// Whether the session removes anything at its source.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.terms.verb == Verb::Move && !self.terms.dry_run
    }
}

/// A request for leave to have a third machine fetch something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// As that machine will ask for it: the daemon plays the source.
    pub session: SessionRequest,
    /// That machine, by its key.
    pub bearer: [u8; 32],
}

/// A request to fetch something from another machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The daemon's own part: it plays the target, and the session's `top` and `rules` are what it asks for.
    pub session: SessionRequest,
    /// The machine of the source, by its key.
    pub source: [u8; 32],
    /// Where the client reached that machine.
    pub address: Option<SocketAddr>,
    /// The directory there.
    pub from: Place,
    /// The source's leave.
    pub token: String,
    /// How many bytes may cross in a second.
    pub bytes_per_sec: Option<u64>,
}

/// How a client would have its lanes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneWishes {
    /// Whether they may cross in clear where the daemon's module allows it, too.
    pub clear: bool,
    /// What only a process on the client's machine can say about this connection.
    pub machine: Option<[u8; 32]>,
}

/// What a client asks. After `Session` it may say `Answered`, once for each question.
#[derive(Debug)]
#[non_exhaustive]
pub enum Request {
    /// The user's answer to a question.
    Answered(Answer),
    /// Delete entries of one module, in this order.
    Delete {
        /// Their directory.
        place: Place,
        /// The entries, as they were listed.
        entries: Vec<(RelPath, Entry)>,
    },
    /// List a directory.
    List {
        /// The directory.
        place: Place,
        /// With everything beneath it.
        recursive: bool,
        /// Without what else is mounted in it.
        one_file_system: bool,
        /// Which entries are wanted.
        rules: Rules,
    },
    /// Fetch something from another machine.
    Pull(Box<PullRequest>),
    /// Play a role.
    Session(Box<SessionRequest>),
    /// Look at one entry.
    Stat(Place),
    /// Say who you are and what this peer may see.
    Status,
    /// Make durable what was deleted.
    Sync(Place),
    /// Give leave to a third machine.
    Token(Box<TokenRequest>),
    /// Say how much room there is.
    Usage(Place),
}

/// What a daemon answers: to a listing many batches and `Done`, to a session its events and at the end
/// a report, to everything else one reply.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Session: may this be deleted?
    Ask {
        /// How much would go.
        plan: DeletionPlan,
        /// Some of it, to show.
        sample: Vec<(RelPath, Entry)>,
    },
    /// List: entries of one directory.
    Batch(EntryBatch),
    /// Delete: how each ended.
    Deleted(Vec<Result<()>>),
    /// List: that was all. Sync: it is done.
    Done,
    /// Session: something happened.
    Event(Event),
    /// Session: how far the daemon's side is.
    Figures(Figures),
    /// Stat: what is there.
    Found(Option<Entry>),
    /// It will not, or could not.
    Refused(Error),
    /// Session: how the daemon's side ended. The last reply.
    Report(Box<Report>),
    /// Session: it begins; lanes and session stream name it by its number. Pull: it begins, and the client has
    /// no part in it.
    Session(SessionGrant),
    /// Status: who it is.
    Status(Status),
    /// Token: the leave.
    Token(String),
    /// Usage: how much room there is.
    Usage(Usage),
}

/// What tells one session of a daemon from every other. Random: it cannot be guessed.
pub type SessionId = [u8; 16];

/// How far one side is. Each figure only grows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The counts, in the order of the engine's progress.
    pub counts: Vec<u64>,
    /// Whether the source is listed to its end.
    pub scan_is_over: bool,
    /// What it is doing.
    pub phase: Option<Phase>,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The modules that the asking peer may see.
    pub modules: Vec<Module>,
    /// For how many seconds it has been up.
    pub uptime_secs: u64,
    /// How many sessions run.
    pub sessions: u32,
    /// The protocol versions that it speaks, oldest and newest.
    pub versions: (u32, u32),
    /// What its clock shows.
    pub now: Time,
    /// Whether a target there can keep what it replaces or deletes.
    pub keeps: bool,
}

/// A module, as a peer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What the peer may do.
    pub access: Access,
    /// What its owner says of it.
    pub comment: String,
}

/// What a peer may do in a module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// List and read.
    #[default]
    ReadOnly,
    /// Also make what is not there; change and delete nothing.
    AddOnly,
    /// Everything.
    ReadWrite,
}
