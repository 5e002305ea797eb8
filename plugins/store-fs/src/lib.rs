//! Trees on local disks.
//!
//! Everything below the root is reached through held directory descriptors and single names: no path
//! string is built, and no symlink followed. Files are staged without a name, get their metadata from
//! one applier, and their names only after a barrier.
//!
//! Where to look: `sys` is the only door to the operating system; `handles` keeps directories open;
//! `list` walks; `read` and `reader` read; `stage` and `writer` write; `publish` gives names; `change`
//! makes, links and sets metadata; `meta` is the one metadata applier; `delete` deletes.

mod ancestry;
mod barrier;
mod change;
mod config;
mod delete;
mod error;
mod handles;
mod keep;
mod lent;
mod list;
mod meta;
mod place;
mod publish;
mod read;
mod reader;
mod replace;
mod stage;
mod store;
mod sys;
mod writer;

pub use config::FsOptions;
pub use store::{DESCRIPTOR, FsStore};
pub use sys::prepare_process;

blit_registry::register!(Store, &DESCRIPTOR, |config| {
    Ok(std::sync::Arc::new(config::open(config)?))
});

#[cfg(test)]
mod tests;
