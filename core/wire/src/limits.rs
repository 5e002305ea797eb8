//! How much one message may hold. A receiver checks before it uses anything.

/// The protocol versions that this build speaks, oldest and newest. The highest common one wins.
pub const VERSIONS: (u32, u32) = (1, 1);

/// The most entries in one listing batch.
pub const LISTING_ENTRIES_MAX: usize = 4_096;

/// The most needs in one message.
pub const NEEDS_MAX: usize = 1_024;

/// The most digests in one part of a ledger: half a MiB.
pub const LEDGER_DIGESTS_MAX: usize = 16_384;

/// The most blocks in one ledger: 8 MiB of digests. In 32 KiB blocks that is a file of 8 GiB.
pub const LEDGER_BLOCKS_MAX: usize = 262_144;

/// The most ledgers whose file the source has not begun to send.
pub const LEDGERS_MAX: usize = 8;

/// How large the blocks of a ledger are: powers of two between these.
pub const BLOCK_BYTES: std::ops::RangeInclusive<u64> = (32 << 10)..=(16 << 20);

/// The most settled entries in one message.
pub const SETTLED_MAX: usize = 4_096;

/// The most bytes in one message or frame, without its length.
pub(crate) const FRAME_BYTES_MAX: usize = 8 << 20;

/// The most bytes of a file behind one frame.
pub const DATA_BYTES_MAX: u64 = 1 << 20;

/// The most names in one path. Trees of 2,000 levels work; no file system in use goes much deeper.
pub const PATH_NAMES_MAX: usize = 16_384;

/// The most bytes in the target of a link: `PATH_MAX` of Linux.
pub(crate) const LINK_BYTES_MAX: usize = 4_096;

/// The most extended attributes of one entry: a list of names has at most 64 KiB.
pub(crate) const XATTRS_MAX: usize = 4_096;

/// The most bytes in a text for people.
pub(crate) const TEXT_BYTES_MAX: usize = 4_096;

/// The most lanes of a session.
pub const LANES_MAX: u32 = 16;

/// The most names that one session may be asked for.
pub(crate) const NAMES_MAX: usize = 65_536;

/// The most ways to open lanes that a daemon offers.
pub(crate) const OFFERS_MAX: usize = 16;
/// The most patterns of one kind in the rules of a session or listing.
pub(crate) const PATTERNS_MAX: usize = 16_384;

/// The most bytes in one of them. A glob is compiled by recursion over what is nested in it.
pub(crate) const PATTERN_BYTES_MAX: usize = 4_096;

/// The most bytes in all of them, each with its end.
pub(crate) const PATTERNS_BYTES_MAX: usize = 1 << 20;

/// The most paths in a list.
pub(crate) const LISTED_MAX: usize = 262_144;

/// The most bytes in such a list. With all patterns it fits in a message.
pub(crate) const LIST_BYTES_MAX: usize = 4 << 20;

/// The most bytes in what a place begins at: the name of a module, or over ssh a path, each byte of which
/// may take three.
pub(crate) const PLACE_BYTES_MAX: usize = 3 * 4_096;

/// The most bytes in a token.
pub(crate) const TOKEN_BYTES_MAX: usize = 1_024;

/// The most modules of a daemon.
pub(crate) const MODULES_MAX: usize = 4_096;

/// The most figures of progress.
pub(crate) const FIGURES_MAX: usize = 64;
