//! Whether what is asked for can fit, found out before it is written.

use blit_contract::{Cx, Diff, DiffKind, RelPath, Replace, Store, StoreCap};

use crate::Stop;

/// Adds up what the target will need more than it has now.
#[derive(Debug)]
pub(super) struct Room {
    free_bytes: u64,
    needed_bytes: u64,
    /// Files of this file system may come to share blocks, and then need no room.
    shares_blocks_with: Option<u64>,
}

impl Room {
    /// Looks how much room the store has. A store that cannot say has room for everything.
    pub(super) async fn look(cx: &Cx, store: &dyn Store) -> Self {
        let usage = store.usage(cx).await;
        // The root itself may be yet to be made: then what it will be in says where it will be.
        let chain = store.ancestry(cx, &RelPath::ROOT).await.unwrap_or_default();
        Self {
            free_bytes: usage.map_or(u64::MAX, |usage| usage.free_bytes),
            needed_bytes: 0,
            shares_blocks_with: chain
                .first()
                .filter(|_| store.caps().has(StoreCap::Reflink))
                .map(|nearest| nearest.device),
        }
    }

    /// Adds what `diff` needs. Answers why to stop once it cannot fit any more.
    ///
    /// What is replaced counts as free: its room comes back when its batch is committed. What an earlier
    /// session left of the file has its room already. So this never stops what might fit; what does not fit
    /// after all is found when it is written.
    pub(super) fn add(&mut self, diff: &Diff, kept_bytes: u64) -> Option<Stop> {
        let is_shared = self.shares_blocks_with == Some(diff.entry.identity.device);
        if diff.kind != DiffKind::Content || is_shared {
            return None;
        }
        let replaced = match &diff.replace {
            Replace::Entry(old) if old.identity.links < 2 => old.allocated,
            _ => 0,
        };
        let size = diff.entry.allocated.min(diff.entry.size);
        self.needed_bytes = self
            .needed_bytes
            .saturating_add(size.saturating_sub(replaced.saturating_add(kept_bytes)));
        (self.needed_bytes > self.free_bytes).then_some(Stop::NoRoom {
            needed_bytes: self.needed_bytes,
            free_bytes: self.free_bytes,
        })
    }
}
