//! The nouns of blit and the traits that plugins implement.
//!
//! Read it left to right: a tree lives in a [`Store`]; a [`Planner`] decides how to move what; a
//! [`Transport`] gives a [`Connection`] whose streams carry bytes; another [`Store`] takes them.
//! This crate depends on nothing else of blit's, and is stable: a plugin needs only this.
//!
//! Three rules hold for every trait here:
//! - **dyn-safe and coarse**: a call moves a batch or a chunk, never a byte;
//! - **few required methods**: conveniences live in blanket `…Ext` traits that nobody overrides;
//! - **capabilities are said, not guessed**: tri-state, with demands, limits and a cost prior.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod caps;
mod change;
mod context;
mod digest;
mod entry;
mod error;
mod event;
mod name;
mod partial;
mod planner;
mod policy;
mod select;
mod store;
mod transport;
mod usage;

pub use caps::{Cost, Demands, Limits, StoreCap, StoreCaps, Support, TransportCap, TransportCaps};
pub use change::{Applied, MetaOp};
pub use context::{Cancel, Cx, Descriptor};
pub use digest::{ContentHasher, GROUP_BYTES, Group};
pub use entry::{Attributes, Entry, EntryBatch, Identity, Kind, Special, Time};
pub use error::{Error, ErrorKind, Result, Retry};
pub use event::{
    DeletionPlan, EndState, Event, Item, ItemOp, Loss, LossClass, Phase, Problem, Side, Totals,
};
pub use name::{BadName, Escaped, Name, RelPath};
pub use partial::PartialName;
pub use planner::{
    Diff, DiffKind, History, Method, NoHistory, Outcome, PlanCx, Planner, Sample, Work, WorkItem,
};
pub use policy::{Durability, Preserve, Replace, WritePolicy};
pub use select::{ListOptions, Select, Selection};
#[cfg(unix)]
pub use store::KernelFile;
pub use store::{
    Extent, Published, ReadItem, ReadOptions, Reader, SmallFile, Staged, Store, StoreExt,
    SyncScope, View, WriteOptions, Writer,
};
#[cfg(unix)]
pub use transport::FdLease;
pub use transport::{
    Carrier, Chunk, Connection, Endpoint, FdKind, Hints, Listener, MemoryRegion, Offer, Peer,
    PeerInfo, RecvStream, RegionHandle, Rma, SecurityClass, SendStream, SessionGrant, Stream,
    StreamKind, Transport, Witness,
};
pub use usage::Usage;
