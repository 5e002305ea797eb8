//! What is chosen, by whichever side has the tree.

use std::{ffi::OsString, path::Path, sync::Arc};

use blit_conform::{Options, Ran, Snapshot, assert_same};
use blit_contract::{Chunk, Cx, ListOptions, Name, Peer, RelPath, Store};
use blit_control::{Client, Identity, Peers};
use blit_engine::RemoteStore;
use blit_wire::{
    FrameBuffer, PathList, Place, Reply, Request, Role, Rules, SessionRequest, Top, Verb,
};
use futures_util::StreamExt;

use crate::bench::{HOST, Two, there};

/// A tree of which every filter here leaves out something and takes something.
fn grow(root: &Path) {
    for (path, size) in [
        ("a.txt", 10),
        ("a.tmp", 10),
        ("big.bin", 50_000),
        ("build/out.o", 2_000),
        ("deep/build/y.txt", 30),
        ("docs/readme.txt", 5_000),
        ("docs/more/x.tmp", 5_000),
        ("skip me/s.txt", 1),
    ] {
        let file = root.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, vec![7; size]).unwrap();
    }
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for path in ["docs/readme.txt", "a.tmp"] {
        let file = std::fs::File::options().append(true).open(root.join(path));
        file.unwrap().set_modified(old).unwrap();
    }
}

const CASES: &[&[&str]] = &[
    &["--exclude=*.tmp"],
    &["--exclude=/build", "--exclude=skip me/"],
    &["--exclude=*.txt", "--exclude=!readme.txt"],
    &["--include=*.txt"],
    &["--include=docs/", "--exclude=x.*"],
    &["--exclude-from=skip"],
    &["--files-from=list"],
    &["--min-size=1000"],
    &["--max-size=1000"],
    &["--newer-than=2010-01-01"],
    &["--older-than=2010-01-01"],
    &[
        "--exclude=build",
        "--include=*.o",
        "--include=*.txt",
        "--max-size=40",
    ],
];

fn words(verb: &str, flags: &[&str], from: &str, to: &str) -> Vec<OsString> {
    let paths = [from, to].map(str::to_owned);
    let words = std::iter::once(verb).chain(flags.iter().copied());
    words
        .map(str::to_owned)
        .chain(paths)
        .map(OsString::from)
        .collect()
}

/// A machine with a tree to read, here as `ro/tree` and there as `ro/tree`, too.
fn two() -> Two {
    let two = Two::new();
    let tree = two.scratch.directory("ro").join("tree");
    grow(&tree);
    std::fs::write(two.scratch.path("skip"), "# not these\n*.tmp\n/docs/more\n").unwrap();
    std::fs::write(
        two.scratch.path("list"),
        "a.txt\ndocs/more\n./build/out.o\n",
    )
    .unwrap();
    two
}

#[test]
fn every_filter_chooses_the_same_here_and_there() {
    let two = two();
    let tree = two.scratch.path("ro/tree");
    for (at, flags) in CASES.iter().enumerate() {
        for (form, slash) in [("contents", "/"), ("named", "")] {
            let name = format!("{at}-{form}");
            let here = two.scratch.path(format!("here-{name}"));
            let back = two.scratch.path(format!("back-{name}"));
            // Of 72 runs none need survive a power cut.
            let flags = [&["--durability=none"], *flags].concat();
            let copy = |from: &str, to: &str| two.blit(&words("copy", &flags, from, to)).succeeds();
            let source = format!("ro/tree{slash}");
            copy(&source, &format!("here-{name}/"));
            copy(&source, &there(&format!("m/{name}/")));
            copy(&there(&source), &format!("back-{name}/"));
            // What a directory that holds a named one was made at is nobody's wish.
            let inside = if slash.is_empty() { "tree" } else { "." };
            let chosen = here.join(inside);
            assert_same(&chosen, &two.module().join(&name).join(inside));
            assert_same(&chosen, &back.join(inside));
            let left_out =
                Snapshot::of(&tree).differences(&Snapshot::of(&chosen), Options::exact());
            assert!(!left_out.is_empty(), "{flags:?} left out nothing");
            assert!(
                chosen.read_dir().unwrap().next().is_some(),
                "{flags:?} took nothing"
            );
        }
    }
}

#[test]
fn a_mirror_does_not_delete_what_it_excludes_either_way() {
    let two = two();
    let flags = &["-y", "--exclude=*.keep", "--exclude=/mine/"][..];
    let fill = |root: &Path| {
        std::fs::create_dir_all(root.join("mine")).unwrap();
        std::fs::create_dir_all(root.join("gone/deep")).unwrap();
        for name in [
            "a.keep",
            "mine/x",
            "gone/extra",
            "gone/deep/b.keep",
            "extra",
        ] {
            std::fs::write(root.join(name), name).unwrap();
        }
    };
    let (here, far, back) = (
        two.scratch.directory("here"),
        two.module().join("far"),
        two.scratch.directory("back"),
    );
    for root in [&here, &far, &back] {
        fill(root);
    }
    for (from, to) in [
        ("ro/tree/", "here/"),
        ("ro/tree/", &*there("m/far/")),
        (&*there("ro/tree/"), "back/"),
    ] {
        two.blit(&words("mirror", flags, from, to)).succeeds();
        two.blit(&words("check", &flags[1..], from, to)).succeeds();
        let _ = two.blit(&words("check", &[], from, to)).exits(4);
    }
    for root in [&here, &far, &back] {
        for kept in ["a.keep", "mine/x", "gone/deep/b.keep"] {
            assert!(root.join(kept).is_file(), "{kept} was deleted in {root:?}");
        }
        for gone in ["gone/extra", "extra"] {
            assert!(!root.join(gone).exists(), "{gone} is still in {root:?}");
        }
    }
}

#[test]
fn a_move_leaves_what_it_excludes_at_the_source_either_way() {
    let two = Two::new();
    grow(&two.scratch.path("first"));
    let flags = &["--exclude=*.tmp"];
    two.blit(&words("move", flags, "first/", &there("m/second/")))
        .succeeds();
    let second = two.module().join("second");
    assert!(two.scratch.path("first/a.tmp").is_file());
    assert!(!two.scratch.path("first/a.txt").exists());
    assert!(second.join("a.txt").is_file() && !second.join("a.tmp").exists());
    two.blit(&words(
        "move",
        &["--exclude=*.o"],
        &there("m/second/"),
        "third/",
    ))
    .succeeds();
    assert!(second.join("build/out.o").is_file());
    assert!(!second.join("a.txt").exists());
    assert!(two.scratch.path("third/a.txt").is_file());
}

/// The rows, sorted, as if the tree were here.
fn rows(ran: Ran) -> Vec<String> {
    let text = ran.exits(0).stdout.replace(&format!("{HOST}:/"), "");
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

#[test]
fn listings_choose_the_same_here_and_there() {
    let two = two();
    for flags in CASES.iter().filter(|it| !it[0].starts_with("--files-from")) {
        let find = |place: &str| {
            let words = [&["find"], *flags, &[place]].concat();
            rows(two.blit(&words))
        };
        let here = find("ro/tree");
        assert!(!here.is_empty(), "{flags:?}");
        assert_eq!(here, find(&there("ro/tree")), "{flags:?}");
    }
    for flag in ["--exclude=*.tmp", "--include=*.txt", "--exclude-from=skip"] {
        let sums = |place: &str| rows(two.blit(&["du", "-r", flag, place]));
        assert_eq!(sums("ro/tree"), sums(&there("ro/tree")), "{flag}");
        assert_ne!(
            sums("ro/tree"),
            rows(two.blit(&["du", "-r", "ro/tree"])),
            "{flag}"
        );
    }
}

#[test]
fn a_listed_path_that_is_not_there_is_said_before_anything_changes() {
    let two = two();
    std::fs::write(two.scratch.path("list"), "a.txt\nnone/x\n").unwrap();
    for (from, to) in [
        ("ro/tree/", &*there("m/x/")),
        (&*there("ro/tree/"), "back/"),
    ] {
        let _ = two
            .blit(&words("copy", &["--files-from=list"], from, to))
            .exits(5)
            .says("the source has no none/x, which --files-from lists");
    }
    assert!(!two.module().join("x").exists() && !two.scratch.path("back").exists());
}

#[test]
fn a_bad_line_is_named_by_file_and_number() {
    let two = two();
    std::fs::write(two.scratch.path("skip"), "*.tmp\na[b\n").unwrap();
    let _ = two
        .blit(&words(
            "copy",
            &["--exclude-from=skip"],
            "ro/tree/",
            &there("m/x/"),
        ))
        .exits(2)
        .says("--exclude-from skip, line 2 is not a pattern")
        .says("nothing was changed");
    assert!(!two.module().join("x").exists());
}

/// A client that says what the command line never would.
async fn odd_client(two: &Two) -> Arc<Client> {
    let state = two.scratch.path("client-state");
    let identity = Identity::load_or_create(&state).unwrap();
    let peers = Peers::load(&state).unwrap();
    let peer = peers.named(HOST).unwrap();
    let lanes = Arc::<blit_bundled::Lanes>::default();
    let client = Client::connect(&identity, peer.id, &peer.addresses, lanes).await;
    Arc::new(client.unwrap())
}

async fn ask(client: &Client, request: &Request) -> Reply {
    let mut stream = client.request(&Cx::default()).await.unwrap();
    let mut pieces = [Chunk::Bytes(request.to_frame())].into();
    let sender = stream.send.as_mut().unwrap();
    while !std::collections::VecDeque::is_empty(&pieces) {
        sender.send(&mut pieces).await.unwrap();
    }
    let mut buffer = FrameBuffer::default();
    loop {
        if let Some(frame) = buffer.next_message().unwrap() {
            return Reply::from_frame(frame).unwrap();
        }
        match stream.recv.as_mut().unwrap().recv(1 << 20).await.unwrap() {
            Some(Chunk::Bytes(piece)) => buffer.push(piece),
            other => panic!("{other:?} instead of a reply"),
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn hostile() -> Vec<(&'static str, Rules)> {
    let excluding = |exclude: Vec<String>| Rules {
        exclude,
        ..Rules::default()
    };
    let deep = format!(
        "{}{}",
        "{a,".repeat(1_300),
        "}".repeat(1_300).split_off(1_200)
    );
    let nested = format!("{}{}", "{a,".repeat(900), "}".repeat(900));
    let path = RelPath::from_iter((0..20_000).map(|_| name("d")));
    vec![
        ("too many", excluding(vec!["x".to_owned(); 20_000])),
        ("too long", excluding(vec!["x".repeat(5_000)])),
        ("too much", excluding(vec!["x".repeat(4_000); 300])),
        ("no pattern", excluding(vec!["a[b".to_owned()])),
        ("no end", excluding(vec![deep])),
        ("a deep class", excluding(vec![nested])),
        (
            "too deep a path",
            Rules {
                list: Some(PathList::from_iter([path])),
                ..Rules::default()
            },
        ),
    ]
}

#[test]
fn hostile_rules_are_refused_and_nothing_else_is() {
    let two = Two::new();
    std::fs::write(two.module().join("there"), "").unwrap();
    let place = |path| Place {
        module: "m".to_owned(),
        path,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = odd_client(&two).await;
        for (what, rules) in hostile() {
            let session = Request::Session(Box::new(SessionRequest {
                place: place(RelPath::from_iter([name("new")])),
                role: Role::Target,
                terms: blit_engine::Options::new(Verb::Copy).terms(),
                top: Top::Contents,
                is_relayed: false,
                token: None,
                backup: None,
                rules: rules.clone(),
                lanes: blit_wire::LaneWishes::default(),
            }));
            let list = Request::List {
                place: place(RelPath::ROOT),
                recursive: true,
                one_file_system: true,
                rules,
            };
            for request in [session, list] {
                let reply = ask(&client, &request).await;
                assert!(matches!(reply, Reply::Refused(_)), "{what}: {reply:?}");
            }
            assert!(!two.module().join("new").exists(), "{what}: it was begun");
        }
        // The same connection serves on.
        let client: Arc<dyn Peer> = client;
        let store = RemoteStore::new(client, place(RelPath::ROOT));
        let (cx, root) = (Cx::default(), RelPath::ROOT);
        let mut batches = store.list(&cx, &root, ListOptions::recursive());
        let batch = batches.next().await.unwrap().unwrap();
        assert_eq!(batch.entries.len(), 1);
    });
}
