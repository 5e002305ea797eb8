//! How a plugin that is linked into the program enters itself.

use std::{fmt, sync::Arc};

use blit_contract::{Descriptor, Planner, Result, Store, Transport};

use crate::{PluginConfig, StoreConfig};

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PluginKind {
    /// It decides how to move what.
    Planner,
    /// It is a place where trees live.
    Store,
    /// It is a way for bytes to cross.
    Transport,
}

impl fmt::Display for PluginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planner => "planner",
            Self::Store => "store",
            Self::Transport => "transport",
        })
    }
}

/// How a plugin is made.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Factory {
    /// Makes a planner.
    Planner(fn(&PluginConfig) -> Result<Arc<dyn Planner>>),
    /// Opens a store.
    Store(fn(&StoreConfig) -> Result<Arc<dyn Store>>),
    /// Makes a transport.
    Transport(fn(&PluginConfig) -> Result<Arc<dyn Transport>>),
}

impl Factory {
    /// The kind of what it makes.
    #[must_use]
    pub fn kind(&self) -> PluginKind {
        match self {
            Self::Planner(_) => PluginKind::Planner,
            Self::Store(_) => PluginKind::Store,
            Self::Transport(_) => PluginKind::Transport,
        }
    }
}

/// A plugin that is linked into this program.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// Who it is.
    pub descriptor: &'static Descriptor,
    /// Which of several that fit goes first: the higher. 0 unless there is a reason.
    pub priority: i32,
    /// How it is made.
    pub factory: Factory,
    /// The crate and file that entered it.
    pub origin: &'static str,
}

inventory::collect!(Builtin);

/// Enters a plugin: its kind, its descriptor, how it is made, and a priority if it needs one.
///
/// ```
/// # use std::sync::Arc;
/// # use blit_contract::{Descriptor, Error, ErrorKind};
/// static DESCRIPTOR: Descriptor = Descriptor::new("store-shy", "1.0.0", &["shy"]);
///
/// blit_registry::register!(Store, &DESCRIPTOR, |config| {
///     Err(Error::new(ErrorKind::Unreachable, "open").because(config.location.to_string_lossy()))
/// });
/// # fn main() {
/// # let registry = blit_registry::Registry::builtin().unwrap();
/// # assert_eq!(registry.ids(blit_registry::PluginKind::Store), ["store-shy"]);
/// # }
/// ```
///
/// A crate that nobody names is not linked, and its plugin is lost: a program says
/// `use blit_store_shy as _;` once.
#[macro_export]
macro_rules! register {
    ($kind:ident, $descriptor:expr, $make:expr $(,)?) => {
        $crate::register!($kind, $descriptor, $make, priority = 0);
    };
    ($kind:ident, $descriptor:expr, $make:expr, priority = $priority:expr $(,)?) => {
        $crate::inventory::submit! {
            $crate::Builtin {
                descriptor: $descriptor,
                priority: $priority,
                factory: $crate::Factory::$kind($make),
                origin: concat!(env!("CARGO_PKG_NAME"), " (", file!(), ")"),
            }
        }
    };
}
