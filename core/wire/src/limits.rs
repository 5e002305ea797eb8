//! How much one message may hold. A receiver checks before it uses anything.

/// The protocol versions that this build speaks, oldest and newest. The highest common one wins.
pub const VERSIONS: (u32, u32) = (1, 1);

/// The most entries in one listing batch.
pub const LISTING_ENTRIES_MAX: usize = 4_096;

/// The most needs in one message.
pub const NEEDS_MAX: usize = 1_024;

/// The most settled entries in one message.
pub const SETTLED_MAX: usize = 4_096;
