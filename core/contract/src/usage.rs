//! Room.

/// How much room a store has. Stores without a limit say `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Entries in all; 0 if they are not counted.
    pub total_entries: u64,
    /// Entries that may still be made.
    pub free_entries: u64,
}

impl Usage {
    /// Room in bytes and entries, all and free.
    #[must_use]
    pub fn new(bytes: (u64, u64), entries: (u64, u64)) -> Self {
        Self {
            total_bytes: bytes.0,
            free_bytes: bytes.1,
            total_entries: entries.0,
            free_entries: entries.1,
        }
    }
}
