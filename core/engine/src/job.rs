//! What a session is asked to do.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use blit_contract::{
    Cancel, Connection, DeletionPlan, Durability, Entry, Event, History, NoHistory, Planner,
    Preserve, RelPath, Result, Select, Store,
};
use blit_wire::{Answer, Compare, MaxDelete, Terms, Top, Verb};
use tokio::sync::mpsc;

use crate::Progress;

/// What the session reads: a directory of a store, and which of its entries.
#[derive(Debug, Clone)]
pub struct Source {
    /// The store, opened at the directory.
    pub store: Arc<dyn Store>,
    /// What of the directory.
    pub top: Top,
}

/// Where the session writes: the root of a store, which may not exist yet.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where the tree is to live.
    pub store: Arc<dyn Store>,
}

/// Asks the user whether to delete. Called once at most, before the first change.
#[async_trait]
pub trait Confirm: Send + Sync {
    /// Answers whether to go on. `doomed` lists what would go.
    async fn confirm(&self, plan: DeletionPlan, doomed: &dyn Doomed) -> Answer;
}

/// The entries that a mirror would delete.
pub trait Doomed: Send + Sync {
    /// Calls `each` for every entry, children before their parents.
    ///
    /// # Errors
    /// `Io` if the list, which may be on disk, cannot be read.
    fn for_each(&self, each: &mut dyn FnMut(&RelPath, &Entry)) -> Result<()>;
}

/// Confirms everything: the user said `--yes`.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysYes;

#[async_trait]
impl Confirm for AlwaysYes {
    async fn confirm(&self, _plan: DeletionPlan, _doomed: &dyn Doomed) -> Answer {
        Answer::Yes
    }
}

/// Confirms nothing: nobody is there, and nobody said `--yes`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyThere;

#[async_trait]
impl Confirm for NobodyThere {
    async fn confirm(&self, _plan: DeletionPlan, _doomed: &dyn Doomed) -> Answer {
        Answer::Nobody
    }
}

/// How the session is to behave. Built by [`Options::new`] and changed field by field.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// What to do with the target.
    pub verb: Verb,
    /// When an entry counts as up to date.
    pub compare: Compare,
    /// Plan and tell, change nothing.
    pub dry_run: bool,
    /// Tell about every entry that changes ([`Event::Item`]).
    pub items: bool,
    /// Leave alone what is newer at the target.
    pub update: bool,
    /// Leave alone whatever is there at the target.
    pub ignore_existing: bool,
    /// Stay on the source's file system.
    pub one_file_system: bool,
    /// Make FIFOs and devices too.
    pub specials: bool,
    /// Read everything back from the target's storage before it gets its name. `Move` always does.
    pub verify: bool,
    /// Keep what is replaced or deleted in the target store's backup tree.
    pub backup: bool,
    /// How much a mirror may delete.
    pub max_delete: MaxDelete,
    /// When data counts as safe.
    pub durability: Durability,
    /// Which metadata is kept.
    pub preserve: Preserve,
    /// Which entries take part, on both sides; all if there is none. What it skips is never deleted.
    pub select: Option<Arc<dyn Select>>,
}

impl Options {
    /// The defaults of a verb.
    #[must_use]
    pub fn new(verb: Verb) -> Self {
        Self {
            verb,
            compare: Compare::Quick,
            dry_run: false,
            items: false,
            update: false,
            ignore_existing: false,
            one_file_system: matches!(verb, Verb::Mirror | Verb::Move),
            specials: false,
            verify: false,
            backup: false,
            max_delete: MaxDelete::Default,
            durability: Durability::Batch,
            preserve: Preserve::AUTO,
            select: None,
        }
    }

    /// The options that these terms mean: no selection, and no backup tree.
    #[must_use]
    pub fn from_terms(terms: &Terms) -> Self {
        Self {
            compare: terms.compare,
            dry_run: terms.dry_run,
            items: terms.items,
            update: terms.update,
            ignore_existing: terms.ignore_existing,
            one_file_system: terms.one_file_system,
            specials: terms.specials,
            verify: terms.verify,
            max_delete: terms.max_delete,
            durability: terms.durability,
            preserve: terms.preserve,
            ..Self::new(terms.verb)
        }
    }

    /// What of the options the other side has to know.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            verb: self.verb,
            compare: self.compare,
            dry_run: self.dry_run,
            items: self.items,
            update: self.update,
            ignore_existing: self.ignore_existing,
            one_file_system: self.one_file_system,
            specials: self.specials,
            verify: self.verify,
            max_delete: self.max_delete,
            durability: self.durability,
            preserve: self.preserve,
        }
    }

    /// Whether the session may change anything.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.dry_run || self.verb == Verb::Check
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("verb", &self.verb)
            .field("compare", &self.compare)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}

/// One role of a session.
#[derive(Debug, Clone)]
pub enum HalfRole {
    /// It reads trees.
    Source(Source),
    /// It writes trees.
    Target(Target),
}

/// What one role of a session needs whose other role is in another process.
pub struct Half {
    /// The role.
    pub role: HalfRole,
    /// Who chooses how to move what; a target only tells it how things went.
    pub planner: Arc<dyn Planner>,
    /// This end of the connection to the other role.
    pub connection: Box<dyn Connection>,
    /// For a target: which entries the source was asked for, if it is not to be trusted to list just
    /// these, nor to keep to the selection. What else it lists ends the session.
    pub asked: Option<Top>,
    /// How to behave.
    pub options: Options,
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// What earlier runs measured.
    pub history: Arc<dyn History>,
    /// Where events go.
    pub events: mpsc::Sender<Event>,
    /// Figures that anybody may read at any time.
    pub progress: Arc<Progress>,
    /// Ends the session soon and cleanly.
    pub cancel: Cancel,
}

/// Everything that a session needs: source, plan, connection, target.
pub struct Job {
    /// What is read.
    pub source: Source,
    /// Who chooses how to move what.
    pub planner: Arc<dyn Planner>,
    /// The two ends of a connection between the roles, source end first. Both roles run in this process.
    pub connections: (Box<dyn Connection>, Box<dyn Connection>),
    /// Where it is written.
    pub target: Target,
    /// How to behave.
    pub options: Options,
    /// Who is asked before a mirror deletes.
    pub confirm: Arc<dyn Confirm>,
    /// What earlier runs measured.
    pub history: Arc<dyn History>,
    /// Where events go. A slow taker slows the session: nothing is dropped.
    pub events: mpsc::Sender<Event>,
    /// Figures that anybody may read at any time.
    pub progress: Arc<Progress>,
    /// Ends the session soon and cleanly.
    pub cancel: Cancel,
}

impl Job {
    /// A job with nobody to confirm, no history and events sent to `events`.
    #[must_use]
    pub fn new(
        source: Source,
        planner: Arc<dyn Planner>,
        connections: (Box<dyn Connection>, Box<dyn Connection>),
        target: Target,
        options: Options,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            source,
            planner,
            connections,
            target,
            options,
            confirm: Arc::new(NobodyThere),
            history: Arc::new(NoHistory),
            events,
            progress: Arc::new(Progress::default()),
            cancel: Cancel::default(),
        }
    }
}
