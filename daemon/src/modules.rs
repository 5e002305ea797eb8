//! The exported trees, opened.

use std::sync::{Arc, OnceLock};

use blit_confine::Domain;
use blit_contract::{
    Cx, Durability, Error, ErrorKind, MetaOp, Preserve, RelPath, Replace, Result, Store,
    WritePolicy,
};
use blit_registry::{RegistryError, StoreConfig};
use blit_wire::{Access, Module as Shown};

use crate::{
    config::ModuleConfig, confine::Confinement, disk::Disks, failure::Failure, plugins::Plugins,
    reserve::Reserved,
};

/// One exported tree.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) config: ModuleConfig,
    source: Opened,
    disks: Arc<Disks>,
    plugins: Arc<Plugins>,
    /// Where requests for it are answered, once there was one.
    domain: OnceLock<Arc<Domain>>,
}

/// How its stores are had.
#[derive(Debug)]
enum Opened {
    Held(Stores),
    /// Opened for each use: a disk that somebody holds open cannot be taken away.
    EachTime,
}

#[derive(Debug)]
struct Stores {
    /// Opened so that nothing can be changed through it.
    reading: Arc<dyn Store>,
    /// There only if something may be changed.
    writing: Option<Arc<dyn Store>>,
}

/// Opens all of them.
pub(crate) fn open(
    configs: &[ModuleConfig],
    disks: &Arc<Disks>,
    plugins: &Arc<Plugins>,
) -> std::result::Result<Vec<Arc<Module>>, Failure> {
    let modules = configs.iter().map(|config| {
        let source = match config.is_optional {
            true => Opened::EachTime,
            false => Opened::Held(stores(config, plugins).map_err(|error| {
                let (name, path) = (&config.name, config.path.display());
                let text = format!("module {name}: {path} cannot be exported");
                Failure::config("config.value", text).because(&error)
            })?),
        };
        Ok(Arc::new(Module {
            config: config.clone(),
            source,
            disks: Arc::clone(disks),
            plugins: Arc::clone(plugins),
            domain: OnceLock::new(),
        }))
    });
    modules.collect()
}

fn stores(config: &ModuleConfig, plugins: &Plugins) -> std::result::Result<Stores, RegistryError> {
    let open = |writable| {
        let store = StoreConfig::new(&config.path).with_writable(writable);
        plugins.directory(&store)
    };
    let reading = open(false)?;
    let writing: Option<Arc<dyn Store>> = match config.access {
        Access::ReadOnly => None,
        Access::AddOnly | Access::ReadWrite => Some(Arc::new(Reserved {
            whole: open(true)?,
            reserve: config.min_free,
        })),
    };
    Ok(Stores { reading, writing })
}

impl Stores {
    /// The same for one request or session: what an earlier one found may be elsewhere by now, and what
    /// another one has not made durable is its own matter.
    fn anew(&self) -> Self {
        let anew = |store: &Arc<dyn Store>| store.anew().unwrap_or_else(|| Arc::clone(store));
        Self {
            reading: anew(&self.reading),
            writing: self.writing.as_ref().map(anew),
        }
    }
}

impl Module {
    /// Why it cannot be used now; nothing if it can.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self.source {
            Opened::Held(_) => None,
            Opened::EachTime => self.disks.trouble(&self.config.name, &self.config.path),
        }
    }

    fn stores(&self) -> Result<Stores> {
        if let Opened::Held(stores) = &self.source {
            return Ok(stores.anew());
        }
        let offline = |why: String| {
            tracing::warn!(module = %self.config.name, why, "offline");
            // The peer is told no paths.
            let text = format!("the module {} is offline", self.config.name);
            Error::new(ErrorKind::NotFound, "open module").because(text)
        };
        match self.trouble() {
            Some(why) => Err(offline(why)),
            None => stores(&self.config, &self.plugins).map_err(|error| offline(error.to_string())),
        }
    }

    /// The threads that reach it, and nothing else; none where the kernel has no means.
    pub(crate) fn domain(&self, confinement: &Confinement) -> Result<Option<Arc<Domain>>> {
        if let Some(domain) = self.domain.get() {
            return Ok(Some(Arc::clone(domain)));
        }
        // From within, nothing could be remembered of a disk that is met for the first time.
        let _trouble = self.trouble();
        let made = confinement.domain(&self.config).map_err(|why| {
            tracing::error!(slug = "confine.failed", %why, "a request is refused");
            Error::new(ErrorKind::Busy, "open module").because("the daemon has no threads for it")
        })?;
        let Some(domain) = made.map(Arc::new) else {
            return Ok(None);
        };
        Ok(Some(match self.source {
            Opened::Held(_) => Arc::clone(self.domain.get_or_init(|| domain)),
            // The next time another directory may be in its place.
            Opened::EachTime => domain,
        }))
    }

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
    pub(crate) fn for_reading(&self) -> Result<Arc<dyn Store>> {
        Ok(self.stores()?.reading)
    }

    /// For making what is not there.
    pub(crate) fn for_adding(&self) -> Result<Arc<dyn Store>> {
        let writing = self.stores()?.writing;
        writing.ok_or_else(|| self.refusal("read-only"))
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
