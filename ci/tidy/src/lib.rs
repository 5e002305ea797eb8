//! Structure as tests: the layers, sizes and names of the workspace, checked by `cargo test`.
//!
//! A rule is a function from a [`Workspace`] to sentences; an empty list means that it holds. Each
//! rule has a test that plants a violation in an imagined workspace, and `tests/workspace.rs` runs
//! all of them over the real one.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod layers;
mod manifests;
mod promises;
mod read;
mod sizes;
mod source;
mod unsafety;
mod words;
mod workspace;

#[cfg(test)]
mod imagined;

pub use layers::layers;
pub use manifests::{lints, versions};
pub use promises::{SENTENCES, Sentences, TableError, promises};
pub use read::{ReadError, read};
pub use sizes::sizes;
pub use source::{SourceError, SourceFile, Test};
pub use unsafety::{forbids, unsafety};
pub use words::{notes, words};
pub use workspace::{Dependency, DependencyKind, Folder, Workspace, folders, modules};

/// A rule: what is wrong with the workspace, one sentence each.
pub type Rule = fn(&Workspace) -> Vec<String>;

/// Every rule, by name.
pub const RULES: &[(&str, Rule)] = &[
    ("folders", folders),
    ("forbids", forbids),
    ("layers", layers),
    ("lints", lints),
    ("modules", modules),
    ("notes", notes),
    ("promises", promises),
    ("sizes", sizes),
    ("unsafety", unsafety),
    ("versions", versions),
    ("words", words),
];
