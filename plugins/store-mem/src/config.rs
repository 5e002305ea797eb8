//! How a tree in memory is opened by name.

use std::{collections::HashMap, path::PathBuf, sync::LazyLock};

use blit_contract::{Error, ErrorKind, Result};
use blit_registry::StoreConfig;
use parking_lot::Mutex;

use crate::MemStore;

/// The trees that have a name. They live as long as the process.
static TREES: LazyLock<Mutex<HashMap<PathBuf, MemStore>>> = LazyLock::new(Mutex::default);

/// Opens the tree that this process knows by `config.location`.
pub(crate) fn open(config: &StoreConfig) -> Result<MemStore> {
    if config.backup.is_some() {
        return Err(Error::new(ErrorKind::Unsupported, "open")
            .because("a store in memory keeps no backup tree"));
    }
    let mut trees = TREES.lock();
    if let Some(tree) = trees.get(&config.location) {
        return Ok(tree.clone().with_writable(config.writable));
    }
    if !config.create_root {
        let name = config.location.display();
        return Err(Error::new(ErrorKind::NotFound, "open")
            .because(format!("this process has no tree mem://{name}")));
    }
    let tree = MemStore::new();
    trees.insert(config.location.clone(), tree.clone());
    Ok(tree.with_writable(config.writable))
}
