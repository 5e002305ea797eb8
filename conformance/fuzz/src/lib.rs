//! What every decoder must do with any bytes. It never panics, and what it takes it also gives: read,
//! written and read again, a value is the same.
//!
//! Each target is a function of bytes. `cargo xtask fuzz TARGET SECONDS` drives it with libFuzzer
//! (`libfuzzer/`, a project of its own, because it needs a nightly compiler); the tests here play every
//! file of `corpus/TARGET` back on the stable one. A new decoder gets a line in `decoders.toml`, a target
//! here and a corpus; the tests say which of them is missing.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken property is a crash: that is how a fuzzer learns of it"
)]

mod call;
mod control;
mod filter;
mod job;
mod lane;
mod machine;
mod neighbour;
mod place;
mod state;
mod text;
mod wire;

/// A decoder, and what must hold for any bytes that it is given.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called: the folder of its corpus, and the word after `cargo xtask fuzz`.
    pub name: &'static str,
    /// What the bytes are taken for.
    pub decodes: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, decodes: &'static str, run: fn(&[u8])) -> Target {
    Target { name, decodes, run }
}

/// Every target, in alphabetical order.
pub const TARGETS: &[Target] = &[
    target("audit", "the log of who did what", state::audit),
    target("call", "a message of the control connection", call::run),
    target(
        "certificate",
        "the certificate that a machine shows",
        call::certificate,
    ),
    target("config", "`config.toml`", control::config),
    target(
        "daemon-config",
        "`daemon.toml`, beneath its types",
        control::daemon_config,
    ),
    target("endpoint", "a source or destination", text::endpoint),
    target(
        "environment",
        "the variables of the environment",
        control::environment,
    ),
    target("filter", "patterns and lists of paths", filter::run),
    target("frame", "a frame of a lane", wire::frame),
    target("framing", "a byte stream of messages", wire::framing),
    target(
        "greeting",
        "what comes through ssh before a daemon speaks",
        call::greeting,
    ),
    target("hello", "the first bytes of a lane", lane::hello),
    target("history", "lines of `history.jsonl`", text::history),
    target("invitation", "a pasted invitation", text::invitation),
    target("invitations", "`invitations.toml`", control::invitations),
    target("job", "a job as the daemon keeps it", job::run),
    target(
        "login-path",
        "a path that a login reaches",
        place::login_path,
    ),
    target("machine", "the messages of a whole session", machine::run),
    target(
        "management",
        "what an administrator and a daemon say",
        call::management,
    ),
    target("message", "a message of a session", wire::message),
    target("name", "a name and a path", text::name),
    target(
        "neighbour",
        "what a neighbour announces on the local network",
        neighbour::run,
    ),
    target("node-id", "the id of a machine", text::node_id),
    target("peers", "`peers.toml`", control::peers),
    target("place", "a place on another machine", place::place),
    target("program", "a program on another machine", place::program),
    target("quantity", "a size, time or limit", text::quantity),
    target("reply", "a reply of a daemon", wire::reply),
    target("request", "a request to a daemon", wire::request),
    target(
        "sealed",
        "a lane in clear that somebody changes",
        lane::sealed,
    ),
    target(
        "snapshot",
        "what one machine knows, brought to another",
        state::snapshot,
    ),
    target("token", "leave to fetch for somebody else", text::token),
];

/// The target of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
