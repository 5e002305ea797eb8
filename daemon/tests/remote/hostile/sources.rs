//! Clients that push, and break one rule of the source.

use blit_wire::Verb::{self, Copy, Mirror, Move};

/// What comes before an answer: one file of four bytes, which is asked for under number 1.
const FILE: &str = "
    session: listing { entries { name: 'f' FILE size: 4 } last: true }
    session: seal { entries: 1 }
    hear: Needs
";

/// Its beginning, for what comes in pieces.
const BEGUN: &str = "
    session: listing { entries { name: 'f' FILE size: 4 } last: true }
    session: seal { entries: 1 }
    hear: Needs
    lane: file_start { need: 1 entry { name: 'f' FILE size: 4 } }
";

/// Who breaks a rule, in which session, after what, by what, and how the daemon says that it ended.
pub(super) type Script = (&'static str, Verb, &'static str, &'static str, &'static str);

#[rustfmt::skip]
pub(super) const SCRIPTS: &[Script] = &[
    // S-1 to S-4: frames.
    ("says a message that is longer than any", Copy, "", "session bytes: 01 00 80 00", "Invalid: a message is larger"),
    ("says a length of four gigabytes", Copy, "", "session bytes: ff ff ff ff", "Invalid: a message is larger"),
    ("says bytes that are no message", Copy, "", "session bytes: 02 00 00 00 ff ff", "Invalid: the bytes are no message"),
    ("says a message of nothing", Copy, "", "session bytes: 00 00 00 00", "Invalid: the body is missing"),
    ("says a message of an unknown kind", Copy, "", "session bytes: 03 00 00 00 9a 06 00", "Invalid: the body is missing"),
    ("hides something in a group", Copy, "", "session bytes: 01 00 00 00 0b", "Invalid: a group in a message"),
    ("hangs up in a message", Copy, "", "session bytes: 05 00 00 00 0a\nend session", "Unreachable: the connection ended in the middle"),
    ("hangs up without a word", Copy, "", "bare\nend session", "Unreachable: the peer hung up"),
    ("hangs up in the listing", Copy, "", "end session", "Unreachable: the peer hung up"),
    // S-14: greeting.
    ("opens without a greeting", Copy, "", "bare\nsession: open { verb: VERB_COPY lanes: 1 }", "Invalid: a open message came when none may"),
    ("lists without a greeting", Copy, "", "bare\nsession: listing { last: true }", "Invalid: a listing message came when none may"),
    ("greets twice", Copy, "", "session: hello { oldest: 1 newest: 1 }", "Invalid: a hello message came when none may"),
    ("speaks only versions that come later", Copy, "", "bare\nsession: hello { oldest: 7 newest: 9 }", "Invalid: the peer speaks versions 7 to 9"),
    ("speaks versions backwards", Copy, "", "bare\nsession: hello { oldest: 5 newest: 1 }", "Invalid: the peer speaks versions 5 to 1"),
    ("speaks no version", Copy, "", "bare\nsession: hello { }", "Invalid: the peer speaks versions 0 to 0"),
    // S-12, S-15: opening.
    ("opens with another verb than it asked for", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_MIRROR lanes: 1 root { name: 'r' DIR } }", "Invalid: the source opened another session"),
    ("opens a dry run that it did not ask for", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY dry_run: true lanes: 1 root { name: 'r' DIR } }", "Invalid: the source opened another session"),
    ("opens with no verb", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { lanes: 1 root { name: 'r' DIR } }", "Invalid: the verb has a value"),
    ("opens with a verb that nobody knows", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: 99 lanes: 1 }", "Invalid: the verb has a value"),
    ("opens no lane", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY root { name: 'r' DIR } }", "Invalid: the source opened another session"),
    ("opens more lanes than there may be", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 17 root { name: 'r' DIR } }", "Invalid: the source opened another session"),
    ("opens four thousand million lanes", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 4294967295 root { name: 'r' DIR } }", "Invalid: the source opened another session"),
    ("opens a root without a name", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 root { kind: KIND_DIRECTORY } }", "Invalid: a name in a message is none"),
    ("opens a root that is a file", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 root { name: 'r' FILE } }", "Invalid: the source sent a root that is no directory"),
    ("opens a root that is a link", Copy, "", "bare\nsession: hello { oldest: 1 newest: 1 }\nsession: open { verb: VERB_COPY lanes: 1 root { name: 'r' LINK link_target: '/' } }", "Invalid: the source sent a root that is no directory"),
    ("opens twice", Copy, "", "session: open { verb: VERB_COPY lanes: 1 }", "Invalid: a open message came when none may"),
    // What only a target says.
    ("accepts its own session", Copy, "", "session: accept { version: 1 }", "Invalid: a accept message came when none may"),
    ("needs something", Copy, "", "session: needs { }", "Invalid: a needs message came from the wrong side"),
    ("has a ledger", Copy, "", "session: ledger { need: 1 block_bytes: 32768 digests: '[[32|x]]' }", "Invalid: a ledger message came from the wrong side"),
    ("says that nothing more is needed", Copy, "", "session: needs_done { }", "Invalid: a end of needs message came from the wrong side"),
    ("settles its own entries", Move, "", "session: settled { settled { path { names: 'keep' } entry { name: 'keep' FILE } } }", "Invalid: a settled message came from the wrong side"),
    // S-5, S-6: names.
    ("lists a name that leads up", Copy, "", "session: listing { entries { name: '..' FILE } }", "Invalid: a name in a message is none"),
    ("lists the directory itself", Copy, "", "session: listing { entries { name: '.' FILE } }", "Invalid: a name in a message is none"),
    ("lists a name of nothing", Copy, "", "session: listing { entries { name: '' FILE } }", "Invalid: a name in a message is none"),
    ("lists a name with a slash in it", Copy, "", "session: listing { entries { name: 'a/b' FILE } }", "Invalid: a name in a message is none"),
    ("lists a name with a slash at its end", Copy, "", "session: listing { entries { name: 'a/' DIR } }", "Invalid: a name in a message is none"),
    ("lists a path that leads up", Copy, "", "session: listing { entries { name: '../outside' FILE } }", "Invalid: a name in a message is none"),
    ("lists a path from the root", Copy, "", "session: listing { entries { name: '/etc/passwd' FILE } }", "Invalid: a name in a message is none"),
    ("lists a name with NUL in it", Copy, "", "session: listing { entries { name: 'a\\000b' FILE } }", "Invalid: a name in a message is none"),
    ("lists a name of 256 bytes", Copy, "", "session: listing { entries { name: '[[256|x]]' FILE } }", "Invalid: a name in a message is none"),
    ("lists a directory that leads up", Copy, "", "session: listing { directory { names: '..' } entries { name: 'outside' FILE } }", "Invalid: a name in a message is none"),
    ("lists a directory of no name", Copy, "", "session: listing { directory { names: '' } entries { name: 'a' FILE } }", "Invalid: a name in a message is none"),
    ("lists a directory that leads up further in", Copy, "", "session: listing { directory { names: 'a' names: '..' names: '..' } entries { name: 'outside' FILE } }", "Invalid: a name in a message is none"),
    ("lists a directory deeper than any", Copy, "", "session: listing { directory { [[16385|names: 'd' ]] } }", "Invalid: a list in a message is larger"),
    // S-7, S-8: what an entry is.
    ("lists a link to nothing", Copy, "", "session: listing { entries { name: 'a' LINK } }", "Invalid: a link has a value"),
    ("lists a link with NUL in it", Copy, "", "session: listing { entries { name: 'a' LINK link_target: 'a\\000b' } }", "Invalid: a link has a value"),
    ("lists a link that is too long", Copy, "", "session: listing { entries { name: 'a' LINK link_target: '[[4097|x]]' } }", "Invalid: a link is larger"),
    ("lists a file of a size that cannot be", Copy, "", "session: listing { entries { name: 'a' FILE size: 9223372036854775808 } }", "Invalid: a file is larger"),
    ("lists a file of the largest number", Copy, "", "session: listing { entries { name: 'a' FILE size: 18446744073709551615 } }", "Invalid: a file is larger"),
    ("lists sizes that are too much together", Copy, "", "session: listing { [[4|entries { name: 'a#' FILE size: 9223372036854775807 allocated: 9223372036854775807 }]] last: true }\nsession: seal { entries: 4 }", "NoRoom"),
    ("lists a mode with bits of a type", Copy, "", "session: listing { entries { name: 'a' FILE mode: 33188 } }", "Invalid: a mode has a value"),
    ("lists a mode of the largest number", Copy, "", "session: listing { entries { name: 'a' FILE mode: 4294967295 } }", "Invalid: a mode has a value"),
    ("lists a time with too many nanoseconds", Copy, "", "session: listing { entries { name: 'a' FILE modified { nanos: 1000000000 } } }", "Invalid: a time is larger"),
    ("lists a change at too many nanoseconds", Copy, "", "session: listing { entries { name: 'a' FILE identity { changed { nanos: 4294967295 } } } }", "Invalid: a time is larger"),
    ("lists an entry of no kind", Copy, "", "session: listing { entries { name: 'a' } }", "Invalid: the kind of an entry has a value"),
    ("lists an entry of a kind that nobody knows", Copy, "", "session: listing { entries { name: 'a' kind: 99 } }", "Invalid: the kind of an entry has a value"),
    // S-3, S-16: the listing.
    ("lists more at a time than it may", Copy, "", "session: listing { [[4097|entries { name: '#' FILE }]] }", "Invalid: a list in a message is larger"),
    ("lists an entry twice", Copy, "", "session: listing { entries { name: 'a' DIR } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent an entry twice"),
    ("lists an entry twice in two messages", Copy, "", "session: listing { entries { name: 'a' DIR } }\nsession: listing { entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent an entry twice"),
    ("lists a link, and a directory in its place", Copy, "", "session: listing { entries { name: 'a' LINK link_target: '/' } entries { name: 'a' DIR } last: true }\nsession: listing { directory { names: 'a' } entries { name: 'etc' DIR } last: true }\nsession: seal { entries: 3 }", "Invalid: the source sent an entry twice"),
    ("lists names backwards", Copy, "", "session: listing { entries { name: 'b' DIR } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries out of their order"),
    ("lists names backwards in two messages", Copy, "", "session: listing { entries { name: 'b' DIR } }\nsession: listing { entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries out of their order"),
    ("lists a directory that it did not name", Copy, "", "session: listing { directory { names: 'd' } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 1 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists a directory before it names it", Copy, "", "session: listing { directory { names: 'd' } entries { name: 'a' DIR } last: true }\nsession: listing { entries { name: 'd' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists what is in a file", Copy, "", "session: listing { entries { name: 'd' FILE } last: true }\nsession: listing { directory { names: 'd' } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists what is in a link", Copy, "", "session: listing { entries { name: 'd' LINK link_target: '../../outside' } last: true }\nsession: listing { directory { names: 'd' } entries { name: 'a' FILE size: 1 } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists a grandchild and not its parent", Copy, "", "session: listing { entries { name: 'd' DIR } last: true }\nsession: listing { directory { names: 'd' names: 'e' } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists a directory again after its end", Copy, "", "session: listing { entries { name: 'd' DIR } last: true }\nsession: listing { directory { names: 'd' } last: true }\nsession: listing { directory { names: 'd' } entries { name: 'a' DIR } last: true }\nsession: seal { entries: 2 }", "Invalid: the source sent entries of a directory that is not open"),
    ("lists the root again after its end", Copy, "", "session: listing { last: true }\nsession: listing { entries { name: 'a' DIR } }\nsession: seal { entries: 1 }", "Invalid: the source sent entries of a directory that is not open"),
    ("seals more than it listed", Mirror, "", "session: listing { last: true }\nsession: seal { entries: 1 }", "Invalid: the seal counts 1 entries, but 0 were listed"),
    ("seals less than it listed", Mirror, "", "session: listing { entries { name: 'a' DIR } last: true }\nsession: seal { }", "Invalid: the seal counts 0 entries, but 1 were listed"),
    ("ends an incomplete listing with a wrong count", Mirror, "", "session: listing { last: true }\nsession: unsealed { entries: 18446744073709551615 problems: 1 }", "Invalid: the seal counts 18446744073709551615 entries"),
    ("lists after the seal", Copy, "", "session: seal { }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: listing { last: true }", "Invalid: a listing message came when none may"),
    ("lists after an incomplete listing", Copy, "", "session: unsealed { problems: 1 }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: listing { last: true }", "Invalid: a listing message came when none may"),
    ("seals twice", Copy, "", "session: seal { }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: seal { }", "Invalid: a seal message came when none may"),
    ("seals what it said to be incomplete", Mirror, "", "session: unsealed { problems: 1 }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: seal { }", "Invalid: a seal message came when none may"),
    ("sums up before the listing has ended", Copy, "", "session: summary { }", "Invalid: a summary message came when none may"),
    // S-18: nothing is deleted unless the listing is sealed.
    ("does not seal, and hopes for deletions", Mirror, "", "session: listing { last: true }\nsession: unsealed { problems: 1 }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: summary { }", "stopped, Brake"),
    ("seals an empty listing, and hopes for deletions", Mirror, "", "session: listing { last: true }\nsession: seal { }\nhear: NeedsDone\nend lane\nhear: Summary\nsession: summary { }", "stopped, Brake"),
    // S-21, S-22: answers.
    ("answers what nobody asked", Copy, FILE, "lane: pack { answers { need: 99 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' } } }", "Invalid: the source sent an answer to what was not asked"),
    ("answers before anything was asked", Copy, "", "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' } } }", "Invalid: the source sent an answer to what was not asked"),
    ("answers twice at once", Copy, FILE, "lane: pack { [[2|answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' } }]] }", "Invalid: the source sent an answer to what was not asked"),
    ("starts a file that nobody asked for", Copy, FILE, "lane: file_start { need: 7 entry { name: 'f' FILE size: 4 } }", "Invalid: the source sent an answer to what was not asked"),
    ("gives attributes for content", Copy, FILE, "lane: attributes { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } } } }", "Invalid: the source sent an answer of another kind"),
    ("gives a digest for content", Copy, FILE, "lane: digests { answers { need: 1 digest: '<digest abcd>' } }", "Invalid: the source sent an answer of another kind"),
    ("answers with another name", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'g' FILE size: 4 } content: 'abcd' } } }", "Invalid: the source sent an answer about another entry"),
    ("answers with a name that leads up", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: '..' FILE size: 4 } content: 'abcd' } } }", "Invalid: a name in a message is none"),
    ("answers with a directory", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' DIR } content: '' } } }", "Invalid: the source sent an answer about another entry"),
    ("answers with a link", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' LINK link_target: '/etc/passwd' } content: '' } } }", "Invalid: the source sent an answer about another entry"),
    ("starts another file than it was asked for", Copy, FILE, "lane: file_start { need: 1 entry { name: 'g' FILE size: 4 } }", "Invalid: the source sent an answer about another entry"),
    ("gives more content than the size", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcde' } } }", "Invalid: the source sent a file with more or less content"),
    ("gives less content than the size", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abc' } } }", "Invalid: the source sent a file with more or less content"),
    ("gives no content", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } } } }", "Invalid: the source sent a file with more or less content"),
    ("gives neither an answer nor an error", Copy, FILE, "lane: pack { answers { need: 1 } }", "Invalid: an answer is missing"),
    ("gives an answer without an entry", Copy, FILE, "lane: pack { answers { need: 1 carried { content: 'abcd' } } }", "Invalid: an entry is missing"),
    ("gives more answers than there may be", Copy, FILE, "lane: pack { [[1025|answers { need: 1 }]] }", "Invalid: a list in a message is larger"),
    ("gives an error with too many words", Copy, FILE, "lane: pack { answers { need: 1 fault { kind: 1 detail: '[[4097|x]]' } } }", "Invalid: the text of an error is larger"),
    ("gives an error about a path that leads up", Copy, FILE, "lane: pack { answers { need: 1 fault { kind: 1 path { names: '..' } } } }", "Invalid: a name in a message is none"),
    // S-9: attributes.
    ("gives an attribute without a name", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' xattrs { value: 'x' } } } }", "Invalid: the name of an attribute has a value"),
    ("gives an attribute with NUL in its name", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' xattrs { name: 'user.\\000' } } } }", "Invalid: the name of an attribute has a value"),
    ("gives an attribute with a name of 256 bytes", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' xattrs { name: '[[256|x]]' } } } }", "Invalid: the name of an attribute is larger"),
    ("gives an attribute that is too long", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' xattrs { name: 'user.a' value: '[[65537|x]]' } } } }", "Invalid: the value of an attribute is larger"),
    ("gives more attributes than there may be", Copy, FILE, "lane: pack { answers { need: 1 carried { entry { name: 'f' FILE size: 4 } content: 'abcd' [[4097|xattrs { name: 'user.#' }]] } } }", "Invalid: the attributes of an entry is larger"),
    // S-23: a file in pieces.
    ("gives data of no file", Copy, FILE, "lane: data { content: 'abcd' }", "Invalid: the source sent data of no file"),
    ("ends a file that it did not begin", Copy, FILE, "lane: file_end { seal { digest: '<digest abcd>' } }", "Invalid: the source sent data of no file"),
    ("calls the same what it did not begin", Copy, FILE, "lane: same { bytes: 4 }", "Invalid: the source sent data of no file"),
    ("begins a file in a file", Copy, BEGUN, "lane: file_start { need: 1 entry { name: 'f' FILE size: 4 } }", "Invalid: the source sent a file without an end"),
    ("packs small files in a file", Copy, BEGUN, "lane: pack { }", "Invalid: the source sent a file without an end"),
    ("begins a file and says nothing of it", Copy, FILE, "lane: file_start { need: 1 }", "Invalid: the start of a file is missing"),
    ("ends a file and says nothing of it", Copy, BEGUN, "lane: file_end { }", "Invalid: the end of a file is missing"),
    ("hangs up in a file", Copy, BEGUN, "lane: data { content: 'ab' }\nend lane", "Invalid: the source sent a lane ended in the middle"),
    ("ends its lane before it has answered", Copy, FILE, "end lane", "Unreachable: a lane ended before all had come"),
    ("ends its lane before it lists", Copy, "", "end lane", "Unreachable: a lane ended before all had come"),
    ("gives a piece of nothing", Copy, BEGUN, "lane: data { }", "Invalid: a piece of data has a value"),
    ("gives a piece that is too long", Copy, BEGUN, "lane: data { content: '[[1048577|x]]' }", "Invalid: a piece of data is larger"),
    ("gives a piece beyond all numbers", Copy, BEGUN, "lane: data { offset: 18446744073709551615 content: 'a' }", "Invalid: a piece of data has a value"),
    ("gives a piece at a negative place", Copy, BEGUN, "lane: data { offset: 9223372036854775808 content: 'a' }", "Invalid: a piece of data has a value"),
    ("gives more than the size in pieces", Copy, BEGUN, "lane: data { content: 'abcde' }", "Invalid: the source sent data out of its place"),
    ("gives data behind the size", Copy, BEGUN, "lane: data { offset: 4 content: 'a' }", "Invalid: the source sent data out of its place"),
    ("gives the same data twice", Copy, BEGUN, "[[2|lane: data { content: 'ab' }\n]]", "Invalid: the source sent data out of its place"),
    ("gives data backwards", Copy, BEGUN, "lane: data { offset: 2 content: 'cd' }\nlane: data { content: 'ab' }", "Invalid: the source sent data out of its place"),
    ("gives data that overlaps", Copy, BEGUN, "lane: data { content: 'abc' }\nlane: data { offset: 2 content: 'cd' }", "Invalid: the source sent data out of its place"),
    ("calls the same what has no ledger", Copy, BEGUN, "lane: same { bytes: 4 }", "Invalid: the source sent what it has no ledger of"),
    ("calls the same a range of nothing", Copy, BEGUN, "lane: same { }", "Invalid: what is the same has a value"),
    ("calls the same a range beyond all numbers", Copy, BEGUN, "lane: same { offset: 18446744073709551615 bytes: 2 }", "Invalid: what is the same has a value"),
    // S-24: digests.
    ("seals a file with a digest that is none", Copy, BEGUN, "lane: data { content: 'abcd' }\nlane: file_end { seal { digest: 'short' } }", "Invalid: a digest has a value"),
    ("seals a file with the digest of another", Copy, WRONG_DIGEST, END, "done, [\"Corrupt: it is not what the source read"),
    ("seals a file of which a part is missing", Copy, MISSING_PART, END, "done, [\"Corrupt: it is not what the source read"),
    // Frames of lanes.
    ("says on a lane what is longer than anything", Copy, FILE, "lane bytes: 01 00 80 00", "Invalid: a message is larger"),
    ("says on a lane what is no frame", Copy, FILE, "lane bytes: 02 00 00 00 ff ff", "Invalid: the bytes are no message"),
    ("says on a lane what nobody knows", Copy, FILE, "lane bytes: 03 00 00 00 9a 06 00", "Invalid: the body is missing"),
    ("hangs up in a frame", Copy, FILE, "lane bytes: 05 00 00 00 0a\nend lane", "Unreachable: the connection ended in the middle"),
    // S-10, S-28: the stream of the request.
    ("asks for something else in the middle", Copy, "", "ask: status { }", "refused, Invalid: the peer gave an answer to another question"),
    ("answers a question that was not asked", Copy, "", "ask: answered { answer: 3 }", "refused, Invalid: the peer gave an answer to another question"),
    ("says what is no request in the middle", Copy, "", "ask bytes: 02 00 00 00 ff ff", "refused, Invalid: the bytes are no message"),
    ("hangs up on the daemon's words", Copy, "", "end ask", "refused, Unreachable: the peer hung up"),
];

/// A file of which the digest is that of another, each time that it is asked for.
const WRONG_DIGEST: &str = "
    session: listing { entries { name: 'f' FILE size: 4 } last: true }
    session: seal { entries: 1 }
    [[4|hear: Needs
    lane: file_start { need: @ entry { name: 'f' FILE size: 4 } }
    lane: data { content: 'abcd' }
    lane: file_end { seal { digest: '<digest abcX>' } }
    ]]
";

/// A file of which the end never comes, however often it is asked for.
const MISSING_PART: &str = "
    session: listing { entries { name: 'f' FILE size: 4 } last: true }
    session: seal { entries: 1 }
    [[4|hear: Needs
    lane: file_start { need: @ entry { name: 'f' FILE size: 4 } }
    lane: data { content: 'ab' }
    lane: file_end { seal { digest: '<digest abcd>' } }
    ]]
";

/// What a source says when nothing more is needed.
const END: &str = "
    hear: NeedsDone
    end lane
    hear: Summary
    session: summary { }
";
