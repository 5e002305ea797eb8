//! How much room there is, and who holds how much of it.

use std::sync::Arc;

use blit_contract::{Error, ErrorKind, Result};
use parking_lot::Mutex;

/// The room of one store.
#[derive(Debug)]
pub(crate) struct Space(Mutex<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    capacity_bytes: u64,
    used_bytes: u64,
}

impl Default for Space {
    fn default() -> Self {
        Self(Mutex::new(State {
            capacity_bytes: u64::MAX,
            used_bytes: 0,
        }))
    }
}

impl Space {
    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity_bytes = bytes;
    }

    /// Bytes in all, and bytes that are free.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let state = *self.0.lock();
        let free = state.capacity_bytes.saturating_sub(state.used_bytes);
        (state.capacity_bytes, free)
    }
}

/// The room that one file takes. Dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Room {
    space: Arc<Space>,
    bytes: u64,
}

impl Room {
    pub(crate) fn new(space: &Arc<Space>) -> Self {
        Self {
            space: space.clone(),
            bytes: 0,
        }
    }

    /// Takes `bytes` more.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<()> {
        self.resize(self.bytes.saturating_add(bytes))
    }

    /// Takes or gives back as much as makes it `bytes`.
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<()> {
        let mut state = self.space.0.lock();
        let others = state.used_bytes - self.bytes;
        let fits = others.checked_add(bytes);
        match fits.filter(|used| *used <= state.capacity_bytes || bytes <= self.bytes) {
            Some(used) => state.used_bytes = used,
            None => {
                let free = state.capacity_bytes.saturating_sub(state.used_bytes);
                return Err(Error::new(ErrorKind::NoSpace, "write")
                    .because(format!("{free} bytes are free")));
            }
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.space.0.lock().used_bytes -= self.bytes;
    }
}
