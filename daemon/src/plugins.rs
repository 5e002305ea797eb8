//! What is linked into this program, looked up once.

use std::sync::Arc;

use blit_contract::{Planner, Store};
use blit_registry::{PluginConfig, Registry, RegistryError, StoreConfig};

/// The plugins that a daemon uses.
#[derive(Debug)]
pub(crate) struct Plugins {
    pub(crate) registry: Registry,
    /// It remembers nothing of a session: all share it.
    pub(crate) planner: Arc<dyn Planner>,
}

impl Plugins {
    pub(crate) fn load() -> Result<Arc<Self>, RegistryError> {
        let registry = Registry::builtin()?;
        let planner = registry.planner(None, &PluginConfig::new())?;
        Ok(Arc::new(Self { registry, planner }))
    }

    /// A directory of this machine.
    pub(crate) fn directory(&self, store: &StoreConfig) -> Result<Arc<dyn Store>, RegistryError> {
        self.registry.store("file", store)
    }
}
