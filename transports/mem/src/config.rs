//! What can be chosen about the transport.

use blit_contract::Limits;

/// How a memory transport behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemConfig {
    /// How many chunks may wait in one direction of a stream before its sender waits.
    pub queue_chunks_max: u32,
}

impl Default for MemConfig {
    // Deep enough that neither side waits for a task switch, shallow enough that chunks of 1 MiB
    // stay in the caches of a large machine.
    fn default() -> Self {
        Self {
            queue_chunks_max: 16,
        }
    }
}

impl MemConfig {
    /// The same with queues of that length; at least one chunk fits.
    #[must_use]
    pub fn with_queue_chunks_max(mut self, chunks: u32) -> Self {
        self.queue_chunks_max = chunks.max(1);
        self
    }

    pub(crate) fn limits(self) -> Limits {
        Limits::new(0, 0, self.queue_chunks_max)
    }
}
