//! Threads that reach only what they are for.

use std::{sync::mpsc, thread};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::{AbortHandle, JoinError},
};

use crate::{Reach, Unconfined, kernel::Rules};

/// Threads that reach only what they are for. Work that runs on them, and all that it starts there, is
/// confined; it is stopped when the domain is dropped.
#[derive(Debug)]
pub struct Domain {
    handle: Handle,
    runtime: Option<Runtime>,
}

/// The work did not end: it panicked, or was stopped.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the work was lost: {0}")]
pub struct Lost(String);

impl Domain {
    /// Makes the threads.
    ///
    /// # Errors
    /// [`Unconfined`] if they could not be confined. Then there are none.
    pub fn new(reach: &Reach) -> Result<Self, Unconfined> {
        let rules = Rules::new(reach)?;
        let (made, answer) = mpsc::sync_channel(1);
        // A thread of its own, which ends here: whoever calls must not be confined. All threads of the
        // runtime are children of that one, or of each other, and inherit what holds for it.
        let maker = move || {
            let runtime = rules.hold().and_then(|()| {
                let runtime = Builder::new_multi_thread()
                    .enable_all()
                    .thread_name("confined")
                    .build();
                runtime.map_err(|cause| Unconfined(cause.to_string()))
            });
            drop(made.send(runtime));
        };
        let gone = |why: String| Unconfined(format!("no thread: {why}"));
        let maker = thread::Builder::new()
            .spawn(maker)
            .map_err(|cause| gone(cause.to_string()))?;
        let runtime = answer.recv().map_err(|cause| gone(cause.to_string()))??;
        drop(maker.join());
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs `work` there. It ends early if nobody waits for it any more.
    ///
    /// # Errors
    /// [`Lost`]
    pub async fn run<F>(&self, work: F) -> Result<F::Output, Lost>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        // Not `spawn_blocking`: the thread that serves it could be one of the caller's children.
        let task = self.handle.spawn(work);
        let _ending = Ending(task.abort_handle());
        task.await
            .map_err(|error: JoinError| Lost(error.to_string()))
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // Perhaps from within: it must not wait for itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Ending(AbortHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}
