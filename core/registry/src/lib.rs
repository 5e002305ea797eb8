//! One lookup for the plugins of every kind.
//!
//! A plugin enters itself with one line, [`register!`]; whoever needs one asks the [`Registry`].
//! Among several that fit, an explicit choice wins, then the higher priority, then the higher
//! version. The same id and version twice is an error that names both places.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod builtin;
mod config;
mod registry;
mod version;

pub use builtin::{Builtin, Factory, PluginKind};
pub use config::{PluginConfig, StoreConfig};
pub use registry::{Registry, RegistryError};

#[doc(hidden)]
pub use inventory;
