//! What a plugin can do, what it asks of the host, how far it goes, and what it costs at first guess.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How well something can be done. The order is the order of preference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// Not at all.
    #[default]
    None,
    /// Yes, but by other means and at a price.
    Emulated,
    /// By the thing itself.
    Native,
}

macro_rules! capabilities {
    ($(#[$set_doc:meta])* $set:ident, $(#[$cap_doc:meta])* $cap:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$cap_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $cap { $($(#[$doc])* $variant,)* }

        impl $cap {
            /// All of them, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }

        $(#[$set_doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $set { native: u64, emulated: u64 }

        impl $set {
            /// Nothing at all.
            #[must_use]
            pub const fn new() -> Self {
                Self { native: 0, emulated: 0 }
            }

            /// The same with `cap` at that level.
            #[must_use]
            pub const fn with(mut self, cap: $cap, support: Support) -> Self {
                let bit = 1_u64 << cap as u8;
                self.native &= !bit;
                self.emulated &= !bit;
                match support {
                    Support::Native => self.native |= bit,
                    Support::Emulated => self.emulated |= bit,
                    Support::None => {}
                }
                self
            }

            /// The same with all of `caps` native.
            #[must_use]
            pub const fn with_native(mut self, caps: &[$cap]) -> Self {
                let mut at = 0;
                while at < caps.len() {
                    self = self.with(caps[at], Support::Native);
                    at += 1;
                }
                self
            }

            /// How well `cap` can be done.
            #[must_use]
            pub const fn of(&self, cap: $cap) -> Support {
                let bit = 1_u64 << cap as u8;
                if self.native & bit != 0 {
                    Support::Native
                } else if self.emulated & bit != 0 {
                    Support::Emulated
                } else {
                    Support::None
                }
            }

            /// Whether `cap` can be done at all.
            #[must_use]
            pub const fn has(&self, cap: $cap) -> bool {
                (self.native | self.emulated) & (1_u64 << cap as u8) != 0
            }

            /// What both can do: native only where both are.
            #[must_use]
            pub const fn meet(&self, other: &Self) -> Self {
                let any = (self.native | self.emulated) & (other.native | other.emulated);
                let native = self.native & other.native;
                Self { native, emulated: any & !native }
            }

            /// Whether everything in `required` can be done at all.
            #[must_use]
            pub const fn covers(&self, required: &Self) -> bool {
                let wanted = required.native | required.emulated;
                wanted & !(self.native | self.emulated) == 0
            }
        }
    };
}

capabilities!(
    /// What a transport can do.
    TransportCaps,
    /// One thing that a transport may be able to do.
    TransportCap {
        /// It binds the two ends to one secret that both can name.
        ChannelBinding,
        /// Nobody on the way can read it.
        Encrypted,
        /// It receives into a kernel descriptor without a copy through the process.
        FdRecv,
        /// It sends from a kernel descriptor without a copy through the process.
        FdSend,
        /// One direction can end while the other goes on.
        HalfClose,
        /// A connection carries several streams.
        MultiStream,
        /// Both ends are in one process: a chunk may be an object, handed over without encoding.
        Objects,
        /// The peer proves who it is.
        PeerAuth,
        /// A stream can be broken off with a code.
        Reset,
        /// It reads from the peer's memory.
        RmaGet,
        /// It writes into the peer's memory.
        RmaPut,
    }
);

capabilities!(
    /// What a store can do.
    StoreCaps,
    /// One thing that a store may be able to do.
    StoreCap {
        /// POSIX access lists are kept.
        Acls,
        /// A file becomes visible at once and whole.
        AtomicCommit,
        /// A name differs from another in the case of its letters only, and both can be there.
        CaseSensitive,
        /// Entries can be deleted.
        Delete,
        /// Directories exist of themselves, also empty.
        Directories,
        /// A reader or writer has a kernel descriptor.
        FileDescriptors,
        /// Several names can share one file.
        HardLinks,
        /// Permission bits are kept.
        Mode,
        /// Modification times are kept.
        ModifiedTimes,
        /// Owners are kept.
        Owners,
        /// A part of a file can be read.
        RangeRead,
        /// A part of a file can be written.
        RangeWrite,
        /// Two files can share their blocks.
        Reflink,
        /// Holes stay holes.
        Sparse,
        /// FIFOs and devices can be made.
        Specials,
        /// Symbolic links are kept.
        Symlinks,
        /// User extended attributes are kept.
        Xattrs,
    }
);

/// What the host must do to use a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demands {
    /// Buffers must start at a multiple of this many bytes; 0: anywhere.
    pub buffer_align_bytes: u32,
    /// Buffers must be registered before use.
    pub registered_memory: bool,
    /// Somebody must poll for progress.
    pub poll_progress: bool,
    /// At most so many staged files may be held at a time: each holds a descriptor. 0: any number.
    pub staged_files_max: u32,
}

/// How far a connection goes. 0 means: no limit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest chunk, in bytes.
    pub chunk_bytes_max: u64,
    /// The most streams at a time.
    pub streams_max: u32,
    /// The most chunks on their way.
    pub queue_chunks_max: u32,
}

impl Limits {
    /// Limits for `streams_max` streams with `queue_chunks_max` chunks of `chunk_bytes_max` bytes each.
    #[must_use]
    pub const fn new(chunk_bytes_max: u64, streams_max: u32, queue_chunks_max: u32) -> Self {
        Self {
            chunk_bytes_max,
            streams_max,
            queue_chunks_max,
        }
    }
}

/// What something costs: a first guess, replaced by measured history as soon as there is any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Once, before the first byte.
    pub setup: Duration,
    /// For each operation (a file, a message).
    pub per_op: Duration,
    /// Bytes per second once it runs; 0: unknown.
    pub bytes_per_sec: f64,
}

impl Cost {
    /// How long `ops` operations with `bytes` bytes would take.
    #[must_use]
    pub fn estimate(&self, ops: u64, bytes: u64) -> Duration {
        let ops = u32::try_from(ops).unwrap_or(u32::MAX);
        let moving = if self.bytes_per_sec > 0.0 {
            Duration::try_from_secs_f64(bytes as f64 / self.bytes_per_sec).unwrap_or(Duration::MAX)
        } else {
            Duration::ZERO
        };
        self.setup
            .saturating_add(self.per_op.saturating_mul(ops))
            .saturating_add(moving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_sides_can_do_is_native_only_where_both_are() {
        let a = StoreCaps::new().with_native(&[StoreCap::Mode, StoreCap::Sparse]);
        let b = StoreCaps::new()
            .with(StoreCap::Mode, Support::Native)
            .with(StoreCap::Sparse, Support::Emulated);
        let both = a.meet(&b);
        assert_eq!(both.of(StoreCap::Mode), Support::Native);
        assert_eq!(both.of(StoreCap::Sparse), Support::Emulated);
        assert_eq!(both.of(StoreCap::Acls), Support::None);
        assert!(a.covers(&both) && !both.covers(&a.with(StoreCap::Acls, Support::Native)));
    }
}
