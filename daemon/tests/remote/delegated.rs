//! From one machine to another at the wish of a third, without passing it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use blit_conform::{Blit, Scratch, assert_same, tree::nasty_tree};
use blit_contract::{Chunk, Cx, ErrorKind, Peer, RecvStream, RelPath, SendStream};
use blit_control::{Client, Identity, NodeId};
use blit_wire::{
    FrameBuffer, LaneWishes, Place, Reply, Request, Role, Rules, SessionRequest, TokenRequest, Top,
    Verb,
};

use crate::{
    bench::{HOST, client},
    matrix::terms,
    node::Node,
};

/// What the target's machine is called.
const OTHER: &str = "127.0.0.1";
/// What the two daemons call each other.
const SOURCE: &str = "source";
const TARGET: &str = "target";

/// What is said when it does not work out.
const RELAYED: &str = "all data passes this machine";

fn delegation(keys: &str) -> String {
    format!("[delegation]\n{keys}\n")
}

/// Two machines that know each other, and one that knows both and that both know.
struct Trio {
    source: Node,
    target: Node,
    scratch: Scratch,
}

impl Trio {
    fn new() -> Self {
        Self::with("allow = true", "allow = true\nsources = [\"source\"]")
    }

    fn with(source: &str, target: &str) -> Self {
        let trio = Self {
            source: Node::start(&delegation(source)),
            target: Node::start(&delegation(target)),
            scratch: Scratch::new(),
        };
        for (host, node) in [(HOST, &trio.source), (OTHER, &trio.target)] {
            let host = format!("{host}:{}", node.daemon.port());
            let pair = ["pair", &host, &node.daemon.invitation];
            trio.blit(&pair).run().succeeds();
        }
        let address = trio.source.daemon.address.clone();
        trio.target.knows(SOURCE, &trio.source, &[&address]);
        trio.source.knows(TARGET, &trio.target, &[]);
        trio
    }

    fn blit(&self, words: &[&str]) -> Blit {
        client(&self.scratch).args(words)
    }

    /// Runs a verb that is to go straight from one to the other.
    fn goes_straight(&self, words: &[&str]) -> blit_conform::Ran {
        let ran = self.blit(words).run();
        assert!(!ran.stderr.contains(RELAYED), "{ran}");
        ran
    }

    fn identity(&self) -> Identity {
        Identity::load_or_create(&self.scratch.path("client-state")).unwrap()
    }
}

fn from(path: &str) -> String {
    format!("{HOST}:/{path}")
}

fn to(path: &str) -> String {
    format!("{OTHER}:/{path}")
}

#[test]
fn a_nasty_tree_goes_straight_from_machine_to_machine() {
    let trio = Trio::new();
    let (source, target) = (trio.source.module(), trio.target.module().join("x"));
    nasty_tree(&source);
    let copy = ["copy", &from("m/"), &to("m/x")];
    let _ = trio
        .goes_straight(&copy)
        .exits(0)
        .says("Copied")
        .says("on this machine");
    assert_same(&source, &target);
    let _ = trio.goes_straight(&copy).exits(0).says("Nothing to do");
    fs::write(target.join("more"), "").unwrap();
    let check = ["check", &from("m/"), &to("m/x")];
    let _ = trio.goes_straight(&check).exits(4);
    let mirror = ["mirror", "-y", &from("m/"), &to("m/x")];
    trio.goes_straight(&mirror).succeeds();
    assert_same(&source, &target);
    trio.goes_straight(&check).succeeds();
}

#[test]
fn a_move_removes_at_the_source_exactly_what_arrived() {
    let trio = Trio::new();
    let source = trio.source.module().join("t");
    fs::create_dir(&source).unwrap();
    nasty_tree(&source);
    let twin = trio.source.scratch.path("twin");
    let words = ["copy".as_ref(), source.as_os_str(), twin.as_os_str()];
    client(&trio.source.scratch).args(words).run().succeeds();
    let target = trio.target.module();
    fs::write(trio.source.module().join("stays"), "").unwrap();
    trio.goes_straight(&["move", &from("m/t"), &to("m/")])
        .succeeds();
    assert!(!source.exists(), "the source is still there");
    assert_same(&twin.join("t"), &target.join("t"));
    assert!(trio.source.module().join("stays").exists());
    // What cannot arrive stays.
    let source = trio.source.module().join("u");
    fs::create_dir(&source).unwrap();
    for name in ["goes", "stuck"] {
        fs::write(source.join(name), "content").unwrap();
    }
    fs::create_dir_all(target.join("u/stuck/inside")).unwrap();
    let ran = trio.goes_straight(&["move", &from("m/u"), &to("m/")]);
    assert!(ran.code != Some(0), "{ran}");
    assert!(target.join("u/goes").exists() && !source.join("goes").exists());
    assert!(source.join("stuck").exists(), "{ran}");
    let noted = trio
        .source
        .noted(&["session.move-from", "\"actor\":\"target\""]);
    assert_eq!(noted.len(), 2);
}

#[test]
fn what_a_machine_replaces_while_it_fetches_is_kept_there() {
    let trio = Trio::new();
    let target = trio.target.module();
    for (at, name, content) in [
        (trio.source.module().join("t"), "f", "new"),
        (target.join("t"), "f", "older"),
        (target.join("t"), "gone", "goes"),
    ] {
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join(name), content).unwrap();
    }
    let run = |backup: &str| {
        let mirror = ["mirror", "-y", "--max-delete=100%", "--backup-dir", backup];
        let places = [from("m/t/"), to("m/t/")];
        trio.blit(&mirror).args(places).run()
    };
    // On the machine that is read, and on none that was named.
    for elsewhere in [&*from("m/old"), "old"] {
        let _ = run(elsewhere).exits(2).says(&to("m/old"));
    }
    let ran = run(&to("m/old"));
    assert!(!ran.stderr.contains(RELAYED), "{ran}");
    ran.succeeds();
    assert_same(&trio.source.module().join("t"), &target.join("t"));
    for (name, content) in [("f", "older"), ("gone", "goes")] {
        let kept = fs::read_to_string(target.join("old").join(name));
        assert_eq!(kept.unwrap(), content, "{name}");
    }
    assert_eq!(trio.target.noted(&["is kept in m/old"]).len(), 1);
}

#[test]
fn names_rules_and_lists_mean_the_same_without_passing_a_third_machine() {
    let trio = Trio::new();
    let at = |path: &str| trio.target.module().join(path);
    fs::create_dir(trio.source.module().join("d")).unwrap();
    for name in ["d/one", "d/two.tmp"] {
        fs::write(trio.source.module().join(name), "1").unwrap();
    }
    for (source, target, there_now) in [
        ("m/d/one", "m/two", "two"),
        ("m/d/one", "m/new/", "new/one"),
        ("m/d", "m/dirs/", "dirs/d/one"),
        ("m/d/", "m/inside", "inside/one"),
    ] {
        let copy = ["copy", "--exclude=*.tmp", &from(source), &to(target)];
        trio.goes_straight(&copy).succeeds();
        assert_eq!(fs::read_to_string(at(there_now)).unwrap(), "1");
    }
    assert!(!at("inside/two.tmp").exists());
    let list = trio.scratch.path("list");
    fs::write(&list, "two.tmp\n").unwrap();
    let list = format!("--files-from={}", list.display());
    let copy = ["copy", &list, &from("m/d/"), &to("m/inside")];
    trio.goes_straight(&copy).succeeds();
    assert!(at("inside/two.tmp").exists());
}

#[test]
fn questions_brakes_and_exit_codes_are_those_of_any_session() {
    let trio = Trio::new();
    for number in 0..120 {
        fs::write(trio.target.module().join(format!("f{number}")), "").unwrap();
    }
    fs::write(trio.source.module().join("kept"), "").unwrap();
    let mirror = ["mirror", &from("m/"), &to("m/")];
    let _ = trio
        .goes_straight(&mirror)
        .exits(7)
        .says("refusing to delete");
    let all = ["mirror", "--max-delete=100%", &from("m/"), &to("m/")];
    let ran = trio.goes_straight(&all).exits(7);
    let _ = ran.says("nobody is here to confirm");
    assert!(trio.target.module().join("f7").exists());
    let yes = ["mirror", "-y", "--max-delete=100%", &from("m/"), &to("m/")];
    trio.goes_straight(&yes).succeeds();
    assert_same(&trio.source.module(), &trio.target.module());
    let json = trio.goes_straight(&["check", "--json", &from("m/"), &to("m/")]);
    assert!(json.stdout.contains("\"lanes\""), "{json}");
    let dry = ["copy", "-n", &from("m/kept"), &to("m/other")];
    trio.goes_straight(&dry).succeeds();
    assert!(!trio.target.module().join("other").exists());
}

#[test]
fn without_both_daemons_consent_data_passes_the_third_machine_which_says_so() {
    const ON: &str = "allow = true";
    for (source, target, why) in [
        (
            "",
            "allow = true\nsources = [\"source\"]",
            "the source is off",
        ),
        (ON, "sources = [\"source\"]", "the target is off"),
        (ON, ON, "it may fetch from nowhere"),
        (ON, "allow = true\nsources = [\"somebody\"]", "from others"),
        (
            ON,
            "allow = true\nsources = [\"10.0.0.0/8\"]",
            "from elsewhere",
        ),
    ] {
        let trio = Trio::with(source, target);
        fs::write(trio.source.module().join("f"), "content").unwrap();
        let copy = ["copy", &from("m/f"), &to("m/")];
        let _ = trio.blit(&copy).run().exits(0).says(RELAYED);
        assert!(trio.target.module().join("f").exists(), "{why}");
        let fetched = trio.source.noted(&["session.read", "\"actor\":\"target\""]);
        assert!(fetched.is_empty(), "{why}: {fetched:?}");
    }
}

#[test]
fn nobody_is_dialled_where_the_client_says_unless_it_is_an_ordinary_address() {
    // The target knows the source's key and not where it is; the client has met it on loopback.
    let trio = Trio::with(
        "allow = true",
        "allow = true\nsources = [\"any\", \"source\"]",
    );
    let id = trio.source.identity().id().to_string();
    for words in [
        &["remote", "--daemon", "remove", SOURCE][..],
        &["remote", "--daemon", "add", SOURCE, &id],
    ] {
        client(&trio.target.scratch).args(words).run().succeeds();
    }
    fs::write(trio.source.module().join("f"), "content").unwrap();
    let copy = ["copy", &from("m/f"), &to("m/")];
    let _ = trio.blit(&copy).run().exits(0).says(RELAYED);
    let denied = trio.target.noted(&["\"action\":\"pull\"", "deny"]);
    assert_eq!(denied.len(), 1, "{denied:?}");
}

#[test]
fn a_machine_fetches_nothing_for_others_that_it_may_not_read_itself() {
    let mut trio = Trio::new();
    let config = trio.source.scratch.path("daemon.toml");
    // From now on a module for the client alone.
    let name = blit_control::Peers::load(&trio.source.state()).unwrap();
    let own = trio.identity().id();
    let name = name.with_id(&own).unwrap().name.clone();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"nobody\"", &format!("{name:?}"))).unwrap();
    let reload = ["-HUP", &trio.source.daemon.id().to_string()];
    let signalled = std::process::Command::new("kill").args(reload).status();
    assert!(signalled.unwrap().success());
    fs::write(trio.source.scratch.path("own/f"), "content").unwrap();
    let copy = ["copy", &from("own/f"), &to("m/")];
    while trio.blit(&["ls", &from("own/")]).run().code != Some(0) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = trio.blit(&copy).run().exits(0).says(RELAYED);
    let denied = trio
        .source
        .noted(&["token.issue", "deny", "may not read it"]);
    assert_eq!(denied.len(), 1, "{denied:?}");
    trio.target.daemon.kill();
}

#[test]
fn what_may_not_be_read_or_written_is_refused_as_ever() {
    let trio = Trio::new();
    fs::write(trio.source.module().join("f"), "content").unwrap();
    let _ = trio
        .blit(&["copy", &from("m/f"), &to("ro/")])
        .run()
        .exits(6)
        .says("is read-only");
    let _ = trio
        .blit(&["copy", &from("m/none"), &to("m/")])
        .run()
        .exits(5)
        .says("source not found");
    let _ = trio.blit(&["move", &from("ro/"), &to("m/")]).run().exits(6);
}

/// The names of sessions in these lines.
fn sessions(lines: &[String]) -> Vec<String> {
    let named = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once("\"session\":\"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    named.collect()
}

#[test]
fn both_logs_tell_of_the_same_session_and_never_of_the_token() {
    let trio = Trio::new();
    fs::write(trio.source.module().join("f"), "content").unwrap();
    trio.goes_straight(&["copy", &from("m/f"), &to("m/")])
        .succeeds();
    let issued = sessions(&trio.source.noted(&["token.issue", "allow"]));
    assert_eq!(issued.len(), 1);
    for (node, action, actor) in [
        (&trio.source, "session.read", TARGET),
        (&trio.source, "session.end", TARGET),
        (&trio.target, "session.write", ""),
        (&trio.target, "session.end", ""),
    ] {
        let actor = format!("\"actor\":\"{actor}");
        let noted = sessions(&node.noted(&[action, &actor]));
        assert_eq!(noted, issued, "{action}");
    }
    // What every token begins with.
    let header = "eyJhbGciOi";
    for node in [&trio.source, &trio.target] {
        assert!(node.noted(&[header]).is_empty());
        blit_control::verify_audit(&node.state().join("audit")).unwrap();
    }
}

/// A client of the source's daemon that says what it likes.
struct Asking(Client);

impl Asking {
    async fn of(identity: &Identity, source: &Node) -> Self {
        let lanes = Arc::<blit_bundled::Lanes>::default();
        let addresses = [source.daemon.address.clone()];
        let id: NodeId = source.identity().id();
        let client = Client::connect(identity, id, &addresses, lanes).await;
        Self(client.unwrap())
    }

    /// The first reply.
    async fn ask(&self, request: Request) -> Reply {
        let mut stream = self.0.request(&Cx::default()).await.unwrap();
        let mut send: Box<dyn SendStream> = stream.send.take().unwrap();
        let mut chunks = [Chunk::Bytes(request.to_frame())].into();
        send.send(&mut chunks).await.unwrap();
        let mut recv: Box<dyn RecvStream> = stream.recv.take().unwrap();
        let mut frames = FrameBuffer::default();
        loop {
            if let Some(frame) = frames.next_message().unwrap() {
                return Reply::from_frame(frame).unwrap();
            }
            match recv.recv(1 << 16).await.unwrap() {
                Some(Chunk::Bytes(bytes)) => frames.push(bytes),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A token for that session, which `bearer` may show.
    async fn token(&self, session: SessionRequest, bearer: NodeId) -> String {
        let bearer = *bearer.as_bytes();
        let wish = TokenRequest { session, bearer };
        match self.ask(Request::Token(Box::new(wish))).await {
            Reply::Token(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Shows a token for that session: nothing if it begins, or why not.
    async fn show(&self, token: &str, mut session: SessionRequest) -> Option<(ErrorKind, String)> {
        session.token = Some(token.to_owned());
        match self.ask(Request::Session(Box::new(session))).await {
            Reply::Session(_) => None,
            Reply::Refused(error) => {
                let why = error.detail().unwrap_or_default().to_owned();
                Some((error.kind(), why))
            }
            other => panic!("{other:?}"),
        }
    }
}

fn session(verb: Verb, path: &Path) -> SessionRequest {
    let names = path.iter().map(|name| name.to_str().unwrap());
    let names = names.map(|name| blit_contract::Name::new(name.as_bytes()).unwrap());
    SessionRequest {
        place: Place {
            module: "m".to_owned(),
            path: names.collect::<RelPath>(),
        },
        role: Role::Source,
        terms: terms(verb),
        top: Top::Contents,
        is_relayed: false,
        rules: Rules::default(),
        lanes: LaneWishes::default(),
        token: None,
        backup: None,
    }
}

fn copy_of(path: &str) -> SessionRequest {
    session(Verb::Copy, Path::new(path))
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_refused_with_the_reason_and_written_down() {
    let mut trio = Trio::new();
    for name in ["a", "b"] {
        fs::create_dir(trio.source.module().join(name)).unwrap();
    }
    let bearer = trio.target.identity();
    let asks = Asking::of(&trio.identity(), &trio.source).await;
    let fetches = Asking::of(&bearer, &trio.source).await;
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(asks.token(copy_of("a"), bearer.id()).await);
    }
    let mut only_one = copy_of("a");
    only_one.rules.bounds.size_max = Some(1);
    // Replayed, in other hands, for another path, another action, other entries, and broken.
    assert_eq!(fetches.show(&tokens[0], copy_of("a")).await, None);
    let broken = tokens[5].replacen('.', ".x", 1);
    for (who, token, session, reason) in [
        (&fetches, &tokens[0], copy_of("a"), "used before"),
        (&asks, &tokens[1], copy_of("a"), "another machine"),
        (&fetches, &tokens[2], copy_of("b"), "another path"),
        (
            &fetches,
            &tokens[3],
            session(Verb::Move, Path::new("a")),
            "another action",
        ),
        (&fetches, &tokens[4], only_one, "another session"),
        (&fetches, &broken, copy_of("a"), "no token"),
    ] {
        let (kind, why) = who.show(token, session).await.expect(reason);
        assert_eq!(kind, ErrorKind::Denied, "{reason}");
        assert!(why.contains(reason), "{why}");
        let noted = trio.source.noted(&["token.redeem", "deny", reason]);
        assert_eq!(noted.len(), 1, "{reason}: {noted:?}");
    }
    // One of an earlier run of the daemon.
    trio.source.restart(&delegation("allow = true"));
    let fetches = Asking::of(&bearer, &trio.source).await;
    let (_, why) = fetches.show(&tokens[5], copy_of("a")).await.unwrap();
    assert!(why.contains("not of this run"), "{why}");
    // Whoever asked for it is not known any more, or nothing is done for others any more.
    let asks = Asking::of(&trio.identity(), &trio.source).await;
    let token = asks.token(copy_of("a"), bearer.id()).await;
    let name = blit_control::Peers::load(&trio.source.state()).unwrap();
    let name = name.with_id(&trio.identity().id()).unwrap().name.clone();
    let remove = ["remote", "--daemon", "remove", &name];
    client(&trio.source.scratch).args(remove).run().succeeds();
    let (_, why) = fetches.show(&token, copy_of("a")).await.unwrap();
    assert!(why.contains("not read it any more"), "{why}");
}

/// Copies slowly what takes a while, and waits until it is on its way.
fn begin(trio: &Trio) -> std::process::Child {
    for number in 0..8_u8 {
        let path = trio.source.module().join(format!("f{number}"));
        fs::write(path, vec![number; 1 << 20]).unwrap();
    }
    let copy = [
        "copy",
        "--bwlimit=1M",
        "--durability=file",
        &from("m/"),
        &to("m/"),
    ];
    let child = trio.blit(&copy).command().spawn().unwrap();
    while !trio.target.module().join("f0").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn when_the_client_goes_both_machines_stop() {
    let trio = Trio::new();
    let mut child = begin(&trio);
    child.kill().unwrap();
    child.wait().unwrap();
    for node in [&trio.source, &trio.target] {
        while node.noted(&["session.end"]).is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(!trio.target.module().join("f7").exists());
}

#[test]
fn a_cut_between_the_two_is_made_good_with_another_token() {
    for source_goes in [true, false] {
        let mut trio = Trio::new();
        let mut child = begin(&trio);
        match source_goes {
            true => trio.source.restart(&delegation("allow = true")),
            false => trio
                .target
                .restart(&delegation("allow = true\nsources = [\"source\"]")),
        }
        assert!(child.wait().unwrap().success());
        assert_same(&trio.source.module(), &trio.target.module());
        let issued = sessions(&trio.source.noted(&["token.issue", "allow"]));
        assert!(issued.len() >= 2, "{issued:?}");
    }
}
