//! From one machine to another, by way of a third.

use blit_conform::{
    Blit, Scratch, assert_same, seed,
    tree::{edit_tree, nasty_tree},
};

use crate::{
    bench::Way,
    bench::{Daemon, Two, there},
    refusals::golden,
    sshd::can_serve,
};

/// What the second daemon's machine is called.
const OTHER: &str = "127.0.0.1";

/// Two machines that export a module, and one that is paired with both.
struct Three {
    two: Two,
    other: Scratch,
    daemon: Daemon,
}

impl Three {
    fn new() -> Self {
        let (two, other) = (Two::new(), Scratch::new());
        let daemon = Two::start(&other, "127.0.0.1:0", &[]);
        let host = format!("{OTHER}:{}", daemon.port());
        two.blit(&["pair", &host, &daemon.invitation]).succeeds();
        Self { two, other, daemon }
    }

    fn blit(&self, words: &[&str]) -> Blit {
        self.two.command(words)
    }
}

/// A place on the other of the two.
fn other(path: &str) -> String {
    format!("{OTHER}:/{path}")
}

#[test]
fn a_nasty_tree_goes_from_machine_to_machine_and_the_second_run_does_nothing() {
    let three = Three::new();
    let (source, target) = (three.two.module(), three.other.path("m/x"));
    nasty_tree(&source);
    let copy = ["copy", &there("m/"), &other("m/x")];
    let _ = three.blit(&copy).run().exits(0).says("Copied");
    assert_same(&source, &target);
    let _ = three.blit(&copy).run().exits(0).says("Nothing to do");
    // Behind the back of a daemon that was there just now.
    edit_tree(&target, seed(), 40);
    let mirror = ["mirror", "-y", &there("m/"), &other("m/x")];
    three.blit(&mirror).run().succeeds();
    assert_same(&source, &target);
    three
        .blit(&["check", &there("m/"), &other("m/x")])
        .run()
        .succeeds();
    std::fs::write(target.join("more"), "").unwrap();
    let _ = three
        .blit(&["check", &there("m/"), &other("m/x")])
        .run()
        .exits(4);
}

#[test]
fn that_all_data_passes_this_machine_is_said() {
    let three = Three::new();
    std::fs::write(three.two.module().join("f"), "content").unwrap();
    let copy = ["copy", "--checksum", &there("m/f"), &other("m/")];
    let ran = three.blit(&copy).run().exits(0);
    std::fs::remove_file(three.other.path("m/f")).unwrap();
    let json = three.blit(&copy).arg("--json").run();
    golden("net.relayed", &ran, &json, &[]);
}

#[test]
fn a_move_between_machines_removes_exactly_what_arrived() {
    let three = Three::new();
    let source = three.two.module().join("t");
    std::fs::create_dir(&source).unwrap();
    nasty_tree(&source);
    let twin = three.two.scratch.path("twin");
    three.blit(&["copy", "m/t/", "twin"]).run().succeeds();
    three
        .blit(&["move", &there("m/t"), &other("m/")])
        .run()
        .succeeds();
    assert!(!source.exists(), "the source is still there");
    assert_same(&twin, &three.other.path("m/t"));
}

#[test]
fn what_is_replaced_between_machines_is_kept_where_it_was() {
    let three = Three::new();
    let (from, to) = (three.two.module(), three.other.path("m"));
    for (at, name, content) in [
        (&from, "f", "new"),
        (&to, "f", "older"),
        (&to, "gone", "goes"),
    ] {
        std::fs::create_dir_all(at.join("t")).unwrap();
        std::fs::write(at.join("t").join(name), content).unwrap();
    }
    let backup = format!("--backup-dir={}", other("m/old"));
    let mirror = [
        "mirror",
        "-y",
        "--max-delete=100%",
        &backup,
        &there("m/t/"),
        &other("m/t/"),
    ];
    three.blit(&mirror).run().succeeds();
    assert_same(&from.join("t"), &to.join("t"));
    for (name, content) in [("f", "older"), ("gone", "goes")] {
        let kept = std::fs::read_to_string(to.join("old").join(name));
        assert_eq!(kept.unwrap(), content, "{name}");
    }
    // From one place of a machine to another the source is no place for it, either.
    let inside = format!("--backup-dir={}", other("m/t/old"));
    let _ = three
        .blit(&["copy", &inside, &other("m/t/"), &other("m/u/")])
        .run()
        .exits(2)
        .says("the backup directory is inside a source");
}

#[test]
fn names_and_slashes_mean_the_same_between_two_other_machines() {
    let three = Three::new();
    let from = |path: &str| three.two.module().join(path);
    let to = |path: &str| three.other.path("m").join(path);
    std::fs::create_dir(from("d")).unwrap();
    std::fs::write(from("d/one"), "1").unwrap();
    for (source, target, there_now) in [
        ("m/d/one", "m/two", "two"),
        ("m/d/one", "m/new/", "new/one"),
        ("m/d", "m/dirs", "dirs/d/one"),
        ("m/d/", "m/inside", "inside/one"),
        ("m/d/one", "m/dirs", "dirs/one"),
    ] {
        three
            .blit(&["copy", &there(source), &other(target)])
            .run()
            .succeeds();
        assert_eq!(std::fs::read_to_string(to(there_now)).unwrap(), "1");
    }
    let _ = three
        .blit(&["copy", &there("m/none"), &other("m/")])
        .run()
        .exits(5)
        .says("source not found");
    let _ = three
        .blit(&["copy", &there("m/d"), &other("ro/")])
        .run()
        .exits(6)
        .says("is read-only");
}

#[test]
fn a_mirror_between_machines_asks_before_it_deletes() {
    let three = Three::new();
    std::fs::write(three.two.module().join("kept"), "").unwrap();
    std::fs::write(three.other.path("m/extra"), "").unwrap();
    let mirror = ["mirror", &there("m/"), &other("m/")];
    let _ = three
        .blit(&mirror)
        .run()
        .exits(7)
        .says("nobody is here to confirm");
    assert!(three.other.path("m/extra").exists());
    three.blit(&mirror).arg("-y").run().succeeds();
    assert_same(&three.two.module(), &three.other.path("m"));
}

#[test]
fn filters_and_lists_hold_between_machines() {
    let three = Three::new();
    for name in ["a.txt", "b.tmp", "c.txt"] {
        std::fs::write(three.two.module().join(name), name).unwrap();
    }
    let target = three.other.path("m");
    let copy = ["copy", &there("m/"), &other("m/")];
    three
        .blit(&copy)
        .args(["--exclude", "*.tmp"])
        .run()
        .succeeds();
    assert!(target.join("a.txt").exists() && !target.join("b.tmp").exists());
    std::fs::write(three.two.scratch.path("list"), "b.tmp\n").unwrap();
    three
        .blit(&copy)
        .args(["--files-from", "list"])
        .run()
        .succeeds();
    assert!(target.join("b.tmp").exists());
    std::fs::write(three.two.scratch.path("list"), "none\n").unwrap();
    let _ = three
        .blit(&copy)
        .args(["--files-from", "list"])
        .run()
        .exits(5);
}

#[test]
fn a_target_that_comes_back_is_met_again_by_the_same_command() {
    let mut three = Three::new();
    let source = three.two.module();
    for number in 0..40_u8 {
        std::fs::write(source.join(format!("f{number:02}")), vec![number; 2 << 20]).unwrap();
    }
    let copy = ["copy", "--durability=file", &there("m/"), &other("m/")];
    let mut child = three.blit(&copy).command().spawn().unwrap();
    let first = three.other.path("m/f00");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let listen = format!("127.0.0.1:{}", three.daemon.port());
    three.daemon.kill();
    three.daemon = Two::start(&three.other, &listen, &[]);
    assert!(child.wait().unwrap().success());
    assert_same(&source, &three.other.path("m"));
}

#[test]
fn from_a_login_to_another() {
    if !can_serve() {
        return;
    }
    let two = Two::over(Way::Ssh);
    let source = two.scratch.directory("source");
    nasty_tree(&source);
    let target = two.there("m/x");
    let from = two.there("source/");
    let _ = two
        .command(&["copy", &from, &target])
        .run()
        .exits(0)
        .says("over ssh");
    assert_same(&source, &two.module().join("x"));
}
