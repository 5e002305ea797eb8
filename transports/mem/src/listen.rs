//! Where connections arrive: a table of names that the whole process shares.

use std::{
    collections::HashMap,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use blit_contract::{Connection, Cx, Endpoint, Error, ErrorKind, Listener, Result};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::transport::SCHEME;

/// How many connections may wait to be accepted.
const BACKLOG_CONNECTIONS_MAX: usize = 16;

type Arrivals = mpsc::Sender<Box<dyn Connection>>;

static LISTENERS: LazyLock<Mutex<HashMap<String, Arrivals>>> = LazyLock::new(Mutex::default);
static NEXT_NAME: AtomicU64 = AtomicU64::new(1);

/// Begins to listen at `name`; the empty name means: any free one.
pub(crate) fn open(name: &str) -> Result<MemListener> {
    let (sender, arrivals) = mpsc::channel(BACKLOG_CONNECTIONS_MAX);
    let mut listeners = LISTENERS.lock();
    let name = if name.is_empty() {
        free_name(&listeners)
    } else {
        name.to_owned()
    };
    if listeners.contains_key(&name) {
        return Err(Error::new(ErrorKind::Busy, "listen")
            .because(format!("somebody listens at mem://{name} already")));
    }
    listeners.insert(name.clone(), sender);
    Ok(MemListener { name, arrivals })
}

/// The way to the listener at `name`, if there is one.
pub(crate) fn find(name: &str) -> Option<Arrivals> {
    LISTENERS.lock().get(name).cloned()
}

fn free_name(listeners: &HashMap<String, Arrivals>) -> String {
    loop {
        let name = format!("any-{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed));
        if !listeners.contains_key(&name) {
            return name;
        }
    }
}

/// Listens at one name until it is dropped.
#[derive(Debug)]
pub(crate) struct MemListener {
    name: String,
    arrivals: mpsc::Receiver<Box<dyn Connection>>,
}

#[async_trait]
impl Listener for MemListener {
    fn local(&self) -> Endpoint {
        Endpoint::new(SCHEME, &*self.name)
    }

    async fn accept(&mut self, cx: &Cx) -> Result<Option<Box<dyn Connection>>> {
        cx.check()?;
        Ok(self.arrivals.recv().await)
    }
}

impl Drop for MemListener {
    fn drop(&mut self) {
        LISTENERS.lock().remove(&self.name);
    }
}
