//! What goes along with every call: who the plugin is, and whether to stop.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{Error, ErrorKind, Result};

/// Says who a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// The stable id, `kind-name`: `store-fs`, `transport-tcp`, `planner-default`.
    pub id: &'static str,
    /// The plugin's own version.
    pub version: &'static str,
    /// The URL schemes that it serves; empty for planners.
    pub schemes: &'static [&'static str],
}

impl Descriptor {
    /// A descriptor with these words.
    #[must_use]
    pub const fn new(
        id: &'static str,
        version: &'static str,
        schemes: &'static [&'static str],
    ) -> Self {
        Self {
            id,
            version,
            schemes,
        }
    }
}

/// Asks everything that shares it to stop soon. Cheap to clone; setting it cannot be undone.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_set: AtomicBool,
    parent: Option<Cancel>,
}

impl Cancel {
    /// Asks to stop. Any thread may call it, also a signal watcher.
    pub fn cancel(&self) {
        self.0.is_set.store(true, Ordering::Release);
    }

    /// A request of its own that is also set when this one is: a session inside a run.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Flag {
            is_set: AtomicBool::new(false),
            parent: Some(self.clone()),
        }))
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_set.load(Ordering::Acquire)
            || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }
}

/// The context of a call.
///
/// Long calls look at [`Cx::check`] between two pieces of work: between files, or every few MiB.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Cx {
    /// Set when the run should end.
    pub cancel: Cancel,
}

impl Cx {
    /// A context that ends when `cancel` is set.
    #[must_use]
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel }
    }

    /// Answers whether to go on.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "stop"));
        }
        Ok(())
    }
}
