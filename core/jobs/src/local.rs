//! What a session needs of this process: stores, and a connection between its two roles.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use blit_contract::{Connection, Cx, Endpoint, Hints, Side, Store};
use blit_events::{Slug, UserError, from_contract};
use blit_registry::{PluginConfig, Registry, RegistryError, StoreConfig};

use crate::shown::shown;

/// Opens the directory at `path` as a store.
///
/// # Errors
/// It is none, or may not be opened.
pub fn open(
    registry: &Registry,
    side: Side,
    path: &Path,
    configure: impl FnOnce(StoreConfig) -> StoreConfig,
) -> Result<Arc<dyn Store>, UserError> {
    let config = configure(StoreConfig::new(path));
    let opened = registry.store("file", &config);
    opened.map_err(|error| from_registry(side, &shown(path.as_os_str()), error).unchanged())
}

/// No plugin for what was asked, or one that failed, about the place that the user calls `shown`.
#[must_use]
pub fn from_registry(side: Side, shown: &str, error: RegistryError) -> UserError {
    match error {
        RegistryError::Plugin(error) => from_contract(side, shown, &error),
        other => UserError::new(Slug::PluginFailed, other.to_string()),
    }
}

/// How many connections there were: each meets under a name of its own.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The two ends of a connection inside this process, the source's first.
///
/// # Errors
/// There is no such transport, or it does not want to.
pub async fn connect(
    registry: &Registry,
    cx: &Cx,
) -> Result<(Box<dyn Connection>, Box<dyn Connection>), UserError> {
    const SCHEME: &str = "mem";
    let fail = |error: blit_contract::Error| from_contract(Side::Target, "the session", &error);
    let refused = |what| UserError::new(Slug::PluginFailed, what);
    let transport = registry
        .transport(SCHEME, &PluginConfig::new())
        .map_err(|error| from_registry(Side::Target, "the session", error))?;
    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let name = format!("session-{}-{number}", std::process::id());
    let endpoint = Endpoint::new(SCHEME, name);
    let offers = transport
        .offers(cx, &endpoint, &Hints::default())
        .await
        .map_err(fail)?;
    let offer = offers
        .first()
        .ok_or_else(|| refused("the transport inside this process offers nothing"))?;
    let mut listener = transport.listen(cx, offer).await.map_err(fail)?;
    let (ours, theirs) = tokio::join!(transport.connect(cx, offer), listener.accept(cx));
    let theirs = theirs
        .map_err(fail)?
        .ok_or_else(|| refused("the transport inside this process closed at once"))?;
    Ok((ours.map_err(fail)?, theirs))
}
