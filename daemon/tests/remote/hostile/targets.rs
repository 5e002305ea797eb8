//! Clients that pull, and break one rule of the target. In their directory is one file, `keep`.

use blit_wire::Verb::{Copy, Move};

use super::sources::Script;

/// A need for the file that is there.
const NEED: &str = "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE size: 4 } kind: NEED_KIND_CONTENT } }\n";

/// What a target says at its end.
const END: &str = "\nsession: needs_done { }\nsession: summary { }";

#[rustfmt::skip]
pub(super) const SCRIPTS: &[Script] = &[
    // S-14: greeting.
    ("accepts without a greeting", Copy, "", "bare\nhear: Open\nsession: accept { version: 1 }", "Invalid: a accept message came when none may"),
    ("greets twice", Copy, "", "session: hello { oldest: 1 newest: 1 }", "Invalid: a hello message came when none may"),
    ("speaks only versions that come later", Copy, "", "bare\nsession: hello { oldest: 2 newest: 99 }", "Invalid: the peer speaks versions 2 to 99"),
    ("accepts a version that was not offered", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nhear: Open\nsession: accept { version: 2 }", "Invalid: the peer speaks versions 2 to 2"),
    ("accepts no version", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nhear: Open\nsession: accept { }", "Invalid: the peer speaks versions 0 to 0"),
    ("accepts twice", Copy, "", "session: accept { version: 1 }", "Invalid: a accept message came when none may"),
    ("hangs up without a word", Copy, "", "bare\nend session", "Unreachable: the peer hung up"),
    ("hangs up after its consent", Copy, "", "end session", "Unreachable: the peer hung up"),
    ("says what is no message", Copy, "", "session bytes: 02 00 00 00 ff ff", "Invalid: the bytes are no message"),
    ("says a message that is longer than any", Copy, "", "session bytes: 01 00 80 00", "Invalid: a message is larger"),
    // What only a source says.
    ("opens the session", Copy, "", "session: open { verb: VERB_COPY lanes: 1 }", "Invalid: a open message came when none may"),
    ("lists", Copy, "", "session: listing { last: true }", "Invalid: a listing message came from the wrong side"),
    ("seals", Copy, "", "session: seal { }", "Invalid: a seal message came from the wrong side"),
    ("ends the listing", Copy, "", "session: unsealed { }", "Invalid: a unsealed message came from the wrong side"),
    // S-17: needs.
    ("needs a name that leads up", Copy, "", "session: needs { needs { id: 1 path { names: '..' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a path that leads up", Copy, "", "session: needs { needs { id: 1 path { names: 'a' names: '..' names: '..' names: 'ro' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a path from the root", Copy, "", "session: needs { needs { id: 1 path { names: '/etc/passwd' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a name of nothing", Copy, "", "session: needs { needs { id: 1 path { names: '' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a name with NUL in it", Copy, "", "session: needs { needs { id: 1 path { names: 'a\\000' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a name of 256 bytes", Copy, "", "session: needs { needs { id: 1 path { names: '[[256|x]]' } entry { name: 'a' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a name in a message is none"),
    ("needs a path deeper than any", Copy, "", "session: needs { needs { id: 1 path { [[16385|names: 'd' ]] } entry { name: 'd' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: a path is larger"),
    ("needs something under a wrong name", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'other' FILE } kind: NEED_KIND_CONTENT } }", "Invalid: the target sent a need for what was not listed"),
    ("needs no entry", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } kind: NEED_KIND_CONTENT } }", "Invalid: an entry is missing"),
    ("needs nothing of it", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE } } }", "Invalid: the kind of a need has a value"),
    ("needs of it what nobody knows", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE } kind: 99 } }", "Invalid: the kind of a need has a value"),
    ("needs a size that cannot be", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE size: 18446744073709551615 } kind: NEED_KIND_CONTENT } }", "Invalid: a file is larger"),
    ("needs it for the 256th time", Copy, "", "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE } kind: NEED_KIND_CONTENT attempt: 256 } }", "Invalid: an attempt is larger"),
    ("needs more at a time than it may", Copy, "", "session: needs { [[1025|needs { id: @ }]] }", "Invalid: a list in a message is larger"),
    ("needs two things under one number", Copy, NEED, NEED, "Invalid: the target sent a need under a number that was used"),
    ("needs two things under one number at once", Copy, "", "session: needs { [[2|needs { id: 7 path { names: 'keep' } entry { name: 'keep' FILE size: 4 } kind: NEED_KIND_DIGEST }]] }", "Invalid: the target sent a need under a number that was used"),
    ("needs something after its last need", Copy, "session: needs_done { }\n", NEED, "Invalid: a needs message came when none may"),
    ("needs the end twice", Copy, "", "session: needs_done { }\nsession: needs_done { }", "Invalid: a end of needs message came when none may"),
    ("sums up before its last need", Copy, "", "session: summary { }", "Invalid: a summary message came when none may"),
    ("needs what is not there", Copy, "session: needs { needs { id: 1 path { names: 'none' } entry { name: 'none' FILE size: 4 } kind: NEED_KIND_CONTENT } }", END, "done, []"),
    ("needs what is not there, and says that it changed", Copy, "session: needs { needs { id: 1 path { names: 'none' } entry { name: 'none' FILE size: 4 } kind: NEED_KIND_CONTENT attempt: 1 } }", END, "done, []"),
    ("needs a file as a directory", Copy, "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' DIR } kind: NEED_KIND_CONTENT attempt: 1 } }", END, "done, []"),
    ("needs a file as large as any", Copy, "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE size: 9223372036854775807 } kind: NEED_KIND_CONTENT } }", END, "done, []"),
    ("needs a file as large as any once more", Copy, "session: needs { needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE size: 9223372036854775807 } kind: NEED_KIND_CONTENT attempt: 255 } }", END, "done, []"),
    ("needs the digest of the directory", Copy, "session: needs { needs { id: 1 path { } entry { name: 'keep' DIR } kind: NEED_KIND_DIGEST attempt: 1 } }", END, "done, []"),
    // S-19: what is settled.
    ("settles entries of a copy", Copy, "", "session: settled { }", "Invalid: a settled message came when none may"),
    ("settles a name that leads up", Move, "", "session: settled { settled { path { names: '..' } entry { name: 'a' FILE } } }", "Invalid: a name in a message is none"),
    ("settles something under a wrong name", Move, "", "session: settled { settled { path { names: 'keep' } entry { name: 'other' FILE } } }", "Invalid: the target sent that something is settled which was not listed"),
    ("settles no entry", Move, "", "session: settled { settled { path { names: 'keep' } } }", "Invalid: an entry is missing"),
    ("settles more at a time than it may", Move, "", "session: settled { [[4097|settled { }]] }", "Invalid: a list in a message is larger"),
    ("settles what is something else by now", Move, "session: settled { settled { path { names: 'keep' } entry { name: 'keep' FILE size: 4 } } }", END, "done, [\"Changed"),
    // S-29, S-30: ledgers.
    ("has a ledger of blocks of no size", Copy, "", "session: ledger { need: 1 digests: '[[32|x]]' }", "Invalid: a ledger has a value"),
    ("has a ledger of small blocks", Copy, "", "session: ledger { need: 1 block_bytes: 16384 digests: '[[32|x]]' }", "Invalid: a ledger has a value"),
    ("has a ledger of large blocks", Copy, "", "session: ledger { need: 1 block_bytes: 33554432 digests: '[[32|x]]' }", "Invalid: a ledger has a value"),
    ("has a ledger of crooked blocks", Copy, "", "session: ledger { need: 1 block_bytes: 40000 digests: '[[32|x]]' }", "Invalid: a ledger has a value"),
    ("has a ledger of no digest", Copy, "", "session: ledger { need: 1 block_bytes: 32768 }", "Invalid: a ledger has a value"),
    ("has a ledger of half a digest", Copy, "", "session: ledger { need: 1 block_bytes: 32768 digests: '[[48|x]]' }", "Invalid: a ledger has a value"),
    ("has too many digests in a ledger", Copy, "", "session: ledger { need: 1 block_bytes: 32768 digests: '[[524320|x]]' }", "Invalid: a ledger is larger"),
    ("has nine ledgers", Copy, "", "[[9|session: ledger { need: @ block_bytes: 32768 digests: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }\n]]", "Invalid: the target sent more ledgers than it may"),
    ("has a ledger of two sizes", Copy, "", "session: ledger { need: 1 block_bytes: 32768 digests: '[[32|x]]' }\nsession: ledger { need: 1 block_bytes: 65536 digests: '[[32|x]]' }", "Invalid: the target sent a ledger that cannot be"),
    ("has a ledger after its last need", Copy, "", "session: needs_done { }\nsession: ledger { need: 1 block_bytes: 32768 digests: '[[32|x]]' }", "Invalid: a ledger message came when none may"),
];
