//! The exported trees, opened.

use std::sync::Arc;

use blit_contract::{
    Cx, Durability, Error, ErrorKind, MetaOp, Preserve, RelPath, Replace, Result, Store,
    WritePolicy,
};
use blit_registry::{Registry, StoreConfig};
use blit_wire::{Access, Module as Shown};

use crate::{config::ModuleConfig, failure::Failure};

/// One exported tree.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) config: ModuleConfig,
    /// Opened so that nothing can be changed through it.
    reading: Arc<dyn Store>,
    /// There only if something may be changed.
    writing: Option<Arc<dyn Store>>,
}

/// Opens all of them.
pub(crate) fn open(configs: &[ModuleConfig]) -> Result<Vec<Module>, Failure> {
    let registry = Registry::builtin().map_err(|error| Failure::bug(&error))?;
    configs
        .iter()
        .map(|config| one(&registry, config))
        .collect()
}

fn one(registry: &Registry, config: &ModuleConfig) -> Result<Module, Failure> {
    let (name, path) = (&config.name, config.path.display());
    let open = |writable| {
        let store = StoreConfig::new(&config.path).with_writable(writable);
        let opened = registry.store("file", &store);
        opened.map_err(|error| {
            let text = format!("module {name}: {path} cannot be exported");
            Failure::config("config.value", text).because(&error)
        })
    };
    let reading = open(false)?;
    let writing = match config.access {
        Access::ReadOnly => None,
        Access::AddOnly | Access::ReadWrite => Some(open(true)?),
    };
    Ok(Module {
        config: config.clone(),
        reading,
        writing,
    })
}

impl Module {
    /// Whether this peer may see it at all.
    pub(crate) fn is_for(&self, peer: &str) -> bool {
        let peers = &self.config.peers;
        peers.iter().any(|name| name == "*" || name == peer)
    }

    /// As a peer sees it.
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            name: self.config.name.clone(),
            access: self.config.access,
            comment: self.config.comment.clone(),
        }
    }

    /// For looking and reading.
    pub(crate) fn for_reading(&self) -> Arc<dyn Store> {
        Arc::clone(&self.reading)
    }

    /// For making what is not there.
    pub(crate) fn for_adding(&self) -> Result<Arc<dyn Store>> {
        self.writing
            .clone()
            .ok_or_else(|| self.refusal("read-only"))
    }

    /// For changing and deleting what is there.
    pub(crate) fn for_changing(&self) -> Result<Arc<dyn Store>> {
        if self.config.access == Access::AddOnly {
            return Err(self.refusal("add-only: what is there is not changed"));
        }
        self.for_adding()
    }

    fn refusal(&self, why: &str) -> Error {
        Error::new(ErrorKind::ReadOnly, "open module")
            .because(format!("the module {} is {why}", self.config.name))
    }
}

/// Makes the directory `path`, and those above it that are not there, as any program would.
pub(crate) async fn make_directories(cx: &Cx, store: &dyn Store, path: &RelPath) -> Result<()> {
    let mut missing = Vec::new();
    let mut at = Some(path);
    while let Some(directory) = at {
        if store.stat(cx, directory).await?.is_some() {
            break;
        }
        missing.push(directory.clone());
        at = directory.parent();
    }
    let policy = WritePolicy::new(Durability::Batch, Preserve::NONE);
    for path in missing.into_iter().rev() {
        let replace = Replace::Nothing;
        let make = MetaOp::MakeDirectory { path, replace };
        for made in store.apply(cx, policy, vec![make]).await? {
            made?;
        }
    }
    Ok(())
}
