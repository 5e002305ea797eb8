//! Clients that ask what may not be asked.

/// Who asks what, and how it ends.
type Script = (&'static str, &'static str, &'static str);

/// The most of a session's request that is right.
macro_rules! session {
    ($rest:literal) => {
        concat!(
            "ask: session { place { module: 'm' } role: ROLE_TARGET contents: true ",
            "terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } ",
            $rest,
            " }"
        )
    };
}

/// The same of a copy into `m/p0` that is to keep the old state.
macro_rules! keeping {
    ($backup:literal) => {
        keeping!("VERB_COPY", "m", $backup)
    };
    ($verb:literal, $module:literal, $backup:literal) => {
        concat!(
            "ask: session { place { module: '",
            $module,
            "' path { names: 'p0' } } role: ROLE_KEEPING_TARGET contents: true terms { verb: ",
            $verb,
            " durability: 1 max_delete_form: 1 } ",
            $backup,
            " }"
        )
    };
}

#[rustfmt::skip]
pub(super) const SCRIPTS: &[Script] = &[
    ("asks nothing", "ask bytes: 00 00 00 00", "refused, Invalid: the body is missing"),
    ("asks what nobody knows", "ask bytes: 03 00 00 00 9a 06 00", "refused, Invalid: the body is missing"),
    ("asks in bytes that are no request", "ask bytes: 02 00 00 00 ff ff", "refused, Invalid: the bytes are no message"),
    ("asks more than fits", "ask bytes: 01 00 80 00", "refused, Invalid: a message is larger"),
    ("hangs up in its question", "ask bytes: 05 00 00 00 0a\nend ask", "refused, Unreachable: the connection ended in the middle"),
    ("hides something in a group", "ask bytes: 01 00 00 00 0b", "refused, Invalid: a group in a message"),
    ("lists nowhere", "ask: list { }", "refused, Invalid: the place is missing"),
    ("lists in no module", "ask: list { place { } }", "refused, NotFound"),
    ("lists in a module that is not there", "ask: list { place { module: 'none' } }", "refused, NotFound"),
    ("lists in a module whose name is a path", "ask: list { place { module: '../outside' } }", "refused, NotFound"),
    ("lists in a module whose name is long", "ask: list { place { module: '[[12289|m]]' } }", "refused, Invalid: the name of a module is larger"),
    ("lists a directory that leads up", "ask: list { place { module: 'm' path { names: '..' } } }", "refused, Invalid: a name in a message is none"),
    ("lists a directory with a slash", "ask: list { place { module: 'm' path { names: 'p0/..' } } }", "refused, Invalid: a name in a message is none"),
    ("lists a directory of no name", "ask: list { place { module: 'm' path { names: '' } } }", "refused, Invalid: a name in a message is none"),
    ("lists a directory with NUL", "ask: list { place { module: 'm' path { names: 'a\\000' } } }", "refused, Invalid: a name in a message is none"),
    ("lists a directory deeper than any", "ask: list { place { module: 'm' path { [[16385|names: 'd' ]] } } }", "refused, Invalid: a path is larger"),
    ("looks at what leads up", "ask: stat { place { module: 'm' path { names: 'p0' names: '..' } } }", "refused, Invalid: a name in a message is none"),
    ("looks nowhere", "ask: stat { }", "refused, Invalid: the place is missing"),
    ("asks for the room nowhere", "ask: usage { }", "refused, Invalid: the place is missing"),
    ("syncs nowhere", "ask: sync { }", "refused, Invalid: the place is missing"),
    ("syncs what it may not change", "ask: sync { place { module: 'ro' } }", "refused, ReadOnly"),
    ("deletes nowhere", "ask: delete { }", "refused, Invalid: the place is missing"),
    ("deletes what leads up", "ask: delete { place { module: 'm' } entries { path { names: '..' names: 'outside' names: 'canary' } entry { name: 'canary' FILE } } }", "refused, Invalid: a name in a message is none"),
    ("deletes from a place that leads up", "ask: delete { place { module: 'm' path { names: '..' } } entries { path { names: 'outside' } entry { name: 'outside' DIR } } }", "refused, Invalid: a name in a message is none"),
    ("deletes what it did not look at", "ask: delete { place { module: 'm' path { names: 'p0' } } entries { path { names: 'keep' } } }", "refused, Invalid: an entry is missing"),
    ("deletes what is something else", "ask: delete { place { module: 'm' path { names: 'p0' } } entries { path { names: 'keep' } entry { name: 'keep' FILE size: 4 } } }", "answered, Deleted([Err("),
    ("deletes the module itself", "ask: delete { place { module: 'm' } entries { path { } entry { name: 'm' DIR } } }", "answered, Deleted([Err("),
    ("deletes what it may not change", "ask: delete { place { module: 'ro' } entries { path { names: 'there' } entry { name: 'there' FILE } } }", "refused, ReadOnly"),
    ("deletes more at a time than it may", "ask: delete { place { module: 'm' } [[4097|entries { }]] }", "refused, Invalid: a list in a message is larger"),
    ("answers what nobody asked", "ask: answered { answer: 3 }", "refused, Unsupported"),
    ("answers with nothing", "ask: answered { }", "refused, Invalid: an answer has a value"),
    ("answers with what nobody knows", "ask: answered { answer: 9 }", "refused, Invalid: an answer has a value"),
    ("wants a session of no kind", "ask: session { place { module: 'm' } role: ROLE_TARGET contents: true }", "refused, Invalid: the terms is missing"),
    ("wants a session in no role", "ask: session { place { module: 'm' } contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: the role has a value"),
    ("wants a session in a role that nobody knows", "ask: session { place { module: 'm' } role: 99 contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: the role has a value"),
    ("wants a session nowhere", "ask: session { role: ROLE_TARGET contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: the place is missing"),
    ("wants a session without a verb", "ask: session { place { module: 'm' } role: ROLE_TARGET contents: true terms { durability: 1 max_delete_form: 1 } }", "refused, Invalid: the verb has a value"),
    ("wants a session of no durability", "ask: session { place { module: 'm' } role: ROLE_TARGET contents: true terms { verb: VERB_COPY max_delete_form: 1 } }", "refused, Invalid: the durability has a value"),
    ("wants a session that deletes beyond all numbers", "ask: session { place { module: 'm' } role: ROLE_TARGET contents: true terms { verb: VERB_MIRROR durability: 1 max_delete_form: 99 } }", "refused, Invalid: "),
    ("wants to write where it may not", "ask: session { place { module: 'ro' } role: ROLE_TARGET contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, ReadOnly"),
    ("wants to take away where it may not", "ask: session { place { module: 'ro' } role: ROLE_SOURCE contents: true terms { verb: VERB_MOVE durability: 1 max_delete_form: 1 } }", "refused, ReadOnly"),
    ("wants a session in what leads up", "ask: session { place { module: 'm' path { names: '..' } } role: ROLE_TARGET contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: a name in a message is none"),
    ("wants a session below a file", "ask: session { place { module: 'm' path { names: 'p0' names: 'keep' names: 'x' } } role: ROLE_TARGET contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, "),
    ("names what leads up", "ask: session { place { module: 'm' } role: ROLE_SOURCE names { source: '..' target: 'a' } terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: a name in a message is none"),
    ("names a target that leads up", "ask: session { place { module: 'm' } role: ROLE_SOURCE names { source: 'a' target: '../a' } terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: a name in a message is none"),
    ("names more than it may", "ask: session { place { module: 'm' } role: ROLE_SOURCE [[65537|names { }]] terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } }", "refused, Invalid: a list in a message is larger"),
    ("has a pattern that is too long", session!("rules { anchor: 1 exclude: '[[4097|x]]\\000' }"), "refused, Invalid: "),
    ("has more patterns than it may", session!("rules { anchor: 1 exclude: '[[16385|x\\000]]' }"), "refused, Invalid: "),
    ("has a pattern without an end", session!("rules { anchor: 1 exclude: 'x' }"), "refused, Invalid: "),
    ("has a pattern that is no text", session!("rules { anchor: 1 exclude: '\\xff\\xfe\\000' }"), "refused, Invalid: "),
    ("has a pattern that cannot be read", session!("rules { anchor: 1 exclude: '[z-a]\\000' }"), "refused, Invalid: "),
    ("anchors its rules nowhere", session!("rules { anchor: 99 exclude: 'x\\000' }"), "refused, Invalid: "),
    ("lists a path that leads up in its rules", session!("rules { anchor: 1 list: '..\\000\\000' }"), "refused, Invalid: "),
    ("lists a path with a slash in its rules", session!("rules { anchor: 1 list: 'a/b\\000\\000' }"), "refused, Invalid: "),
    ("lists a path without an end in its rules", session!("rules { anchor: 1 list: 'a' }"), "refused, Invalid: "),
    ("has a time that cannot be in its rules", session!("rules { anchor: 1 modified_min { nanos: 1000000000 } }"), "refused, Invalid: a time is larger"),
    ("keeps the old state nowhere", keeping!(""), "refused, Invalid: the place is missing"),
    ("says where and does not keep it", session!("backup { module: 'm' path { names: 'old' } }"), "refused, Invalid: a role with a backup directory has a value"),
    ("keeps it in what leads up", keeping!("backup { module: 'm' path { names: '..' names: 'outside' } }"), "refused, Invalid: a name in a message is none"),
    ("keeps it by a name with a slash", keeping!("backup { module: 'm' path { names: 'old/../..' } }"), "refused, Invalid: a name in a message is none"),
    ("keeps it by no name", keeping!("backup { module: 'm' path { names: '' } }"), "refused, Invalid: a name in a message is none"),
    ("keeps it by a name that is too long", keeping!("backup { module: 'm' path { names: '[[256|x]]' } }"), "refused, Invalid: a name in a message is none"),
    ("keeps it deeper than any", keeping!("backup { module: 'm' path { [[16385|names: 'd' ]] } }"), "refused, Invalid: a list in a message is larger"),
    ("keeps it in the destination itself", keeping!("backup { module: 'm' path { names: 'p0' } }"), "refused, Conflict: the backup directory is the destination, inside"),
    ("keeps it inside the destination", keeping!("backup { module: 'm' path { names: 'p0' names: 'old' } }"), "refused, Conflict: the backup directory is the destination, inside"),
    ("keeps it above the destination", keeping!("backup { module: 'm' path { } }"), "refused, Conflict: the backup directory is the destination, inside"),
    ("keeps it in a module that is not there", keeping!("backup { module: 'none' path { names: 'old' } }"), "refused, Conflict: the backup directory is in another module"),
    ("keeps it in a module that it may not change", keeping!("backup { module: 'ro' path { names: 'old' } }"), "refused, Conflict: the backup directory is in another module"),
    ("keeps it in a module whose name is a path", keeping!("backup { module: '../outside' path { names: 'old' } }"), "refused, Conflict: the backup directory is in another module"),
    ("keeps what it may not change", keeping!("VERB_COPY", "ro", "backup { module: 'ro' path { names: 'old' } }"), "refused, ReadOnly"),
    ("keeps it where nobody sees it", keeping!("backup { module: 'm' path { names: '.blit~aaaaaaaaaaaaaaaa5obmrn' } }"), "refused, Conflict: the path of the backup directory has a name"),
    ("keeps it below what nobody sees", keeping!("backup { module: 'm' path { names: '.blit~aaaaaaaaaaaaaaaa5obmrn' names: 'old' } }"), "refused, Conflict: the path of the backup directory has a name"),
    ("keeps what a move replaces", keeping!("VERB_MOVE", "m", "backup { module: 'm' path { names: 'old' } }"), "refused, Conflict: only a copy and a mirror"),
    ("keeps what a check finds", keeping!("VERB_CHECK", "m", "backup { module: 'm' path { names: 'old' } }"), "refused, Conflict: only a copy and a mirror"),
    ("keeps it in a file", keeping!("backup { module: 'm' path { names: 'p0' names: 'keep' } }"), "refused, Conflict: the backup directory is the destination, inside"),
    ("reads and keeps", "ask: session { place { module: 'm' } role: ROLE_SOURCE contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } backup { module: 'm' path { names: 'old' } } }", "refused, Invalid: a role with a backup directory has a value"),
    ("wants leave to keep", "ask: token { session { place { module: 'm' path { names: 'p0' } } role: ROLE_KEEPING_TARGET contents: true terms { verb: VERB_COPY durability: 1 max_delete_form: 1 } backup { module: 'm' path { names: 'old' } } } bearer: '[[32|b]]' }", "refused, Invalid: this is for another role"),
    ("says half a word of its machine", session!("lanes { machine: '[[31|x]]' }"), "refused, Invalid: "),
];
