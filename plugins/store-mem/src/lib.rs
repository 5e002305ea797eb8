//! Trees in memory: the reference store.
//!
//! [`MemStore`] keeps the whole contract of a store in the simplest way, so that others can be
//! compared with it, and fails, waits or lies where a test asks it to ([`Faults`]).
//! [`SyntheticStore`] makes up a source of millions of entries without holding them.
//!
//! Where to look: `store` answers the contract; `tree` holds the entries and `content` their bytes;
//! `list`, `reader` and `writer` are the ways in and out; `change` makes, replaces and deletes;
//! `fixture` fills a tree by hand.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod change;
mod config;
mod content;
mod faults;
mod fixture;
mod list;
mod reader;
mod space;
mod store;
mod synthetic;
mod tree;
mod writer;

pub use faults::{Call, Fault, Faults, Operation};
pub use store::MemStore;
pub use synthetic::SyntheticStore;

blit_registry::register!(Store, &store::DESCRIPTOR, |config| {
    Ok(std::sync::Arc::new(config::open(config)?))
});

#[cfg(test)]
mod tests;
