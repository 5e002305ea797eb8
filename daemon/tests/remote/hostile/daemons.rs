//! Daemons that break one rule towards the command line of a client.

/// Who breaks a rule, against which command, by what, and how the client ends: its code, and its words.
pub(super) type Script = (
    &'static str,
    &'static [&'static str],
    &'static str,
    i32,
    &'static str,
);

const PULL: &[&str] = &["copy", "THERE", "HERE"];
const PULL_DRY: &[&str] = &["copy", "--dry-run", "THERE", "HERE"];
const PULL_ONE: &[&str] = &["copy", "THEREf", "HERE"];
const PULL_SOME: &[&str] = &["copy", "--exclude=secret", "THERE", "HERE"];
const PUSH: &[&str] = &["copy", "HERE", "THERE"];
const PUSH_ONE: &[&str] = &["copy", "HEREkeep", "THERE"];
const PUSH_SOME: &[&str] = &["copy", "--exclude=secret", "HERE", "THERE"];
const MOVE: &[&str] = &["move", "HERE", "THERE"];
const MOVE_ONE: &[&str] = &["move", "HEREkeep", "THERE"];
const MOVE_SOME: &[&str] = &["move", "--exclude=secret", "HERE", "THERE"];
const MOVE_DRY: &[&str] = &["move", "--dry-run", "HERE", "THERE"];

#[rustfmt::skip]
pub(super) const SCRIPTS: &[Script] = &[
    // What is listed.
    ("lists a name that leads up", PULL, "session: listing { entries { name: '..' FILE } }", 1, "a name in a message is none"),
    ("lists a name with a slash", PULL, "session: listing { entries { name: 'a/b' FILE } }", 1, "a name in a message is none"),
    ("lists a path from the root", PULL, "session: listing { entries { name: '/etc/cron.d/x' FILE } }", 1, "a name in a message is none"),
    ("lists an entry twice", PULL, "session: listing { entries { name: 'a' DIR } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", 1, "an entry twice"),
    ("lists a link, and what is behind it", PULL_DRY, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY dry_run: true lanes: 1 root { name: 'm' DIR } }\nsession: listing { entries { name: 'a' LINK link_target: '/' } last: true }\nsession: listing { directory { names: 'a' } entries { name: 'etc' DIR } last: true }\nsession: seal { entries: 2 }", 1, "a directory that is not open"),
    ("lists a directory that it did not name", PULL, "session: listing { directory { names: 'd' } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 1 }", 1, "a directory that is not open"),
    ("lists what was not asked for", PULL_ONE, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 }\nsession: listing { entries { name: '.bashrc' FILE size: 4 } last: true }\nsession: seal { entries: 1 }", 1, "listed what nobody asked for"),
    ("lists more than was asked for", PULL_ONE, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 }\nsession: listing { entries { name: '.bashrc' FILE } entries { name: 'f' FILE size: 4 } last: true }\nsession: seal { entries: 2 }", 1, "listed what nobody asked for"),
    ("opens everything where one was asked for", PULL_ONE, "", 1, "opened another tree"),
    ("lists what was left out", PULL_SOME, "session: listing { entries { name: 'secret' FILE size: 4 } last: true }\nsession: seal { entries: 1 }", 1, "listed what the rules leave out"),
    ("seals a wrong count", PULL, "session: listing { last: true }\nsession: seal { entries: 9 }", 1, "the seal counts 9 entries"),
    ("opens another verb", PULL, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_MIRROR lanes: 1 root { name: 'm' DIR } }", 1, "opened another session"),
    ("opens too many lanes", PULL, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 17 root { name: 'm' DIR } }", 1, "opened another session"),
    ("opens a root that is a link", PULL, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 root { name: 'm' LINK link_target: '/' } }", 1, "a root that is no directory"),
    ("speaks only versions that come later", PULL, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 7 newest: 9 }", 1, "the peer speaks versions 7 to 9"),
    // What is sent.
    ("gives what nobody asked", PULL, "lane: pack { answers { need: 9 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' } } }", 1, "an answer to what was not asked"),
    ("gives another file", PULL, "session: listing { entries { name: 'f' FILE size: 4 } last: true }\nsession: seal { entries: 1 }\nhear: Needs\nhear: Needs\nlane: pack { answers { need: 2 carried { entry { name: 'g' FILE size: 4 } content: 'abcd' } } }", 1, "an answer about another entry"),
    ("gives more than the size", PULL, "session: listing { entries { name: 'f' FILE size: 4 } last: true }\nsession: seal { entries: 1 }\nhear: Needs\nhear: Needs\nlane: pack { answers { need: 2 carried { entry { name: 'f' FILE size: 4 } content: 'abcde' } } }", 1, "more or less content"),
    ("gives data behind the size", PULL, "session: listing { entries { name: 'f' FILE size: 4 } last: true }\nsession: seal { entries: 1 }\nhear: Needs\nhear: Needs\nlane: file_start { need: 2 entry { name: 'f' FILE size: 4 } }\nlane: data { offset: 4 content: 'a' }", 1, "data out of its place"),
    ("hangs up in a file", PULL, "session: listing { entries { name: 'f' FILE size: 4 } last: true }\nsession: seal { entries: 1 }\nhear: Needs\nhear: Needs\nlane: file_start { need: 2 entry { name: 'f' FILE size: 4 } }\nend lane", 1, "in the middle of a file"),
    ("needs what only the client has", PULL, "session: needs { }", 1, "a needs message came from the wrong side"),
    ("sums up before the end", PULL, "session: summary { }", 1, "a summary message came when none may"),
    // What is asked of a source.
    ("needs a file beside the one that was named", PUSH_ONE, "session: needs { needs { id: 1 path { names: 'secret' } entry { name: 'secret' FILE size: 6 } kind: NEED_KIND_CONTENT attempt: 1 } }", 1, "a need for what was not listed"),
    ("needs the whole directory where one file was named", PUSH_ONE, "session: needs { needs { id: 1 path { } entry { name: 'm' DIR } kind: NEED_KIND_ATTRIBUTES attempt: 1 } }", 1, "a need for what was not listed"),
    ("needs a file that was left out", PUSH_SOME, "session: needs { needs { id: 1 path { names: 'secret' } entry { name: 'secret' FILE size: 6 } kind: NEED_KIND_CONTENT attempt: 1 } }", 1, "a need for what was not listed"),
    ("needs the digest of a file that was left out", PUSH_SOME, "session: needs { needs { id: 1 path { names: 'secret' } entry { name: 'secret' FILE size: 6 } kind: NEED_KIND_DIGEST attempt: 1 } }", 1, "a need for what was not listed"),
    ("needs what leads up", PUSH, "session: needs { needs { id: 1 path { names: '..' names: 'x' } entry { name: 'x' FILE } kind: NEED_KIND_CONTENT } }", 1, "a name in a message is none"),
    ("needs two things under one number", PUSH, "session: needs { [[2|needs { id: 1 path { names: 'keep' } entry { name: 'keep' FILE size: 4 } kind: NEED_KIND_CONTENT }]] }", 1, "a need under a number that was used"),
    ("needs after the end of needs", PUSH, "session: needs_done { }\nsession: needs { }", 1, "a needs message came when none may"),
    ("sums up before its last need", PUSH, "session: summary { }", 1, "a summary message came when none may"),
    ("lists towards the source", PUSH, "session: listing { last: true }", 1, "a listing message came from the wrong side"),
    ("accepts a version that was not offered", PUSH, "bare\nask: session { session: '[[16|s]]' }\nsession: hello { oldest: 1 newest: 1 }\nhear: Open\nsession: accept { version: 3 }", 1, "the peer speaks versions 3 to 3"),
    ("has more ledgers than it may", PUSH, "[[9|session: ledger { need: @ block_bytes: 32768 digests: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }\n]]", 1, "more ledgers than it may"),
    // What is removed at a source.
    ("settles in a copy", PUSH, "session: settled { }", 1, "a settled message came when none may"),
    ("settles a file beside the one that was named", MOVE_ONE, "session: settled { settled { path { names: 'secret' } entry { name: 'secret' FILE size: 6 } } }", 1, "settled which was not listed"),
    ("settles a file that was left out", MOVE_SOME, "session: settled { settled { path { names: 'secret' } entry { name: 'secret' FILE size: 6 } } }", 1, "settled which was not listed"),
    ("settles what leads up", MOVE, "session: settled { settled { path { names: '..' } entry { name: 'a' DIR } } }", 1, "a name in a message is none"),
    ("settles in a dry run", MOVE_DRY, "session: settled { settled { path { names: 'keep' } entry { name: 'keep' FILE size: 4 } } }", 1, "nothing was to be"),
    // What is told on the stream of the request.
    ("says nothing of a session", PULL, "bare\nend ask", 8, "hung up"),
    ("says something else than that a session begins", PULL, "bare\nask: done { }", 1, "an answer to another question"),
    ("begins a session under half a number", PULL, "bare\nask: session { session: '12345678' }", 1, "value that means nothing"),
    ("begins a session twice", PULL, "ask: session { session: '[[16|s]]' }", 1, "an answer to another question"),
    ("says what is no reply", PULL, "bare\nask bytes: 02 00 00 00 ff ff", 1, "the bytes are no message"),
    ("says a reply that is longer than any", PULL, "bare\nask bytes: 01 00 80 00", 1, "a message is larger"),
    ("says a reply that nobody knows", PULL, "bare\nask bytes: 03 00 00 00 9a 06 00", 1, "the body is missing"),
    ("lists on the stream of the request", PULL, "ask: batch { last: true }", 1, "an answer to another question"),
    ("tells of a path that leads up", PULL, "ask: event { item { op: 1 path { names: '..' } } }", 1, "a name in a message is none"),
    ("tells of an event that nobody knows", PULL, "ask: event { item { op: 99 } }", 1, "value that means nothing"),
    ("asks about paths that lead up", PUSH, "ask: ask { plan { entries: 1 } sample { path { names: '..' } entry { name: 'a' FILE } } }", 1, "a name in a message is none"),
    ("asks without a plan", PUSH, "ask: ask { }", 1, "the deletions is missing"),
    ("reports more ends than there are", PULL, "ask: report { [[99|ends: 1 ]] }", 1, "a report is larger"),
    ("reports no reason", PULL, "ask: report { stop { } }", 1, "the reason is missing"),
    ("reports numbers beyond all sums", PULL, "ask: figures { [[10|counts: 18446744073709551615 ]] }\nask: report { [[9|ends: 18446744073709551615 ]] copied_bytes: 18446744073709551615 problems_total: 18446744073709551615 wire_bytes: 18446744073709551615 matched_bytes: 18446744073709551615 uncarried: 18446744073709551615 differences: 18446744073709551615 }\nend session", 8, ""),
    ("has figures that shrink", PULL, "ask: figures { counts: 9 counts: 9 }\nask: figures { counts: 1 counts: 1 }\nend session\nend ask", 8, "hung up"),
    ("has too many figures", PULL, "ask: figures { [[65|counts: 1 ]] }", 1, "larger than the protocol allows"),
    ("refuses for a reason with control characters", PULL, "bare\nask: refused { kind: 13 op: 'x' detail: '\\x1b]52;c;AAAA\\x07\\x1b[2J' }", 5, ""),
    ("refuses in too many words", PULL, "bare\nask: refused { kind: 13 detail: '[[4097|x]]' }", 1, "the text of an error is larger"),
];

/// Who lets the client wait for as long as it does.
#[rustfmt::skip]
pub(super) const SLOW: &[Script] = &[
    ("reports before anything was done, and says nothing more", PULL, "ask: report { sealed: true }", 8, "ended before this side was through"),
];
