//! The directories that wait to be walked, kept small: a million siblings cost their names, not a
//! path each.

use blit_contract::{Name, RelPath};
use parking_lot::{Condvar, Mutex};

/// Sub-directories of one directory that wait to be walked.
#[derive(Debug)]
pub(super) struct Pending {
    parent: RelPath,
    /// Each name, followed by its length.
    names: Vec<u8>,
}

impl Pending {
    pub(super) fn new(parent: RelPath) -> Self {
        Self {
            parent,
            names: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, name: &[u8]) {
        self.names.extend_from_slice(name);
        // A name has at most 255 bytes.
        self.names.push(name.len() as u8);
    }

    fn pop(&mut self) -> Option<RelPath> {
        let length = usize::from(self.names.pop()?);
        let name = self.names.split_off(self.names.len() - length);
        Name::new(name).ok().map(|name| self.parent.join(name))
    }
}

/// The stack that several threads share. The deepest directories go first, so it stays short.
#[derive(Debug)]
pub(super) struct Stack {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    start: Option<RelPath>,
    pending: Vec<Pending>,
    working: usize,
    is_stopped: bool,
}

impl Stack {
    pub(super) fn new(start: RelPath) -> Self {
        Self {
            state: Mutex::new(State {
                start: Some(start),
                pending: Vec::new(),
                working: 0,
                is_stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// The next directory; waits while others may still find some. `None`: all are done.
    pub(super) fn pop(&self) -> Option<RelPath> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(path) = state.take() {
                state.working += 1;
                return Some(path);
            }
            if state.working == 0 {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    /// A directory is done, and has these sub-directories.
    pub(super) fn done(&self, children: Pending) {
        let mut state = self.state.lock();
        state.working -= 1;
        if !children.names.is_empty() {
            state.pending.push(children);
        }
        self.changed.notify_all();
    }

    /// Nothing more is wanted.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.working = state.working.saturating_sub(1);
        state.is_stopped = true;
        self.changed.notify_all();
    }
}

impl State {
    fn take(&mut self) -> Option<RelPath> {
        if let Some(start) = self.start.take() {
            return Some(start);
        }
        while let Some(last) = self.pending.last_mut() {
            match last.pop() {
                Some(path) => return Some(path),
                None => drop(self.pending.pop()),
            }
        }
        None
    }
}
