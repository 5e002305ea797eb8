//! What of `docs/` is written by a program: the manual pages, the schema of `--json`, the
//! promises and what was run for them, and what may stand in `daemon.toml`.
//! `cargo xtask docs` writes it anew; the tests of this crate fail when what lies there is out of date.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod man;
mod page;
mod proof;

pub use page::{Page, pages, stale, write};
