//! What people read when another machine says no, word for word, and what they never read: where on its
//! disks a daemon keeps its modules.

use std::{path::Path, process::Command};

use blit_conform::{FileSystem, Mounted, Ran, assert_same, need_root};

use crate::bench::{HOST, Two, there};

/// Standard error, with `PORT` for the daemon's port and `KEY` for every key.
#[track_caller]
fn said(two: &Two, ran: Ran, code: i32) -> String {
    let ran = ran.exits(code);
    assert_private(two, &ran);
    let text = ran.stderr.replace(two.daemon.port(), "PORT");
    let words = text.split_inclusive([' ', ':', ',', '\n']);
    let is_key = |word: &str| {
        let groups: Vec<&str> = word.split('-').collect();
        groups.len() > 1
            && groups.iter().all(|group| {
                group.len() == 4
                    && group
                        .bytes()
                        .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
            })
    };
    words
        .map(|word| {
            let end = word.len() - 1;
            match word.is_char_boundary(end) && is_key(&word[..end]) {
                true => format!("KEY{}", &word[end..]),
                false => word.to_owned(),
            }
        })
        .collect()
}

/// A peer has no use for a path of the daemon's machine.
#[track_caller]
fn assert_private(two: &Two, ran: &Ran) {
    for path in [
        two.module(),
        two.scratch.path("ro"),
        two.scratch.path("daemon-state"),
    ] {
        let path = path.to_str().unwrap();
        let told = ran.stderr.contains(path) || ran.stdout.contains(path);
        assert!(!told, "{path} is told in {ran}");
    }
}

fn restart(two: &mut Two) {
    let listen = format!("127.0.0.1:{}", two.daemon.port());
    two.daemon.kill();
    two.daemon = Two::start(&two.scratch, &listen, &[]);
}

#[test]
fn who_is_not_paired_reads_the_next_command() {
    let two = Two::strangers();
    let ran = two.blit(&["copy", ".", &there("m/")]);
    assert_eq!(
        said(&two, ran, 6),
        "error: no paired machine is called \"localhost\"
  cause: this machine is not paired with any other yet
  state: nothing was changed
  next: get an invitation on localhost with: blit pair   then here: blit pair localhost INVITATION
"
    );
}

#[test]
fn another_key_is_told_with_both() {
    let mut two = Two::new();
    std::fs::remove_dir_all(two.scratch.path("daemon-state")).unwrap();
    restart(&mut two);
    let ran = two.blit(&["copy", ".", &there("m/")]);
    assert_eq!(
        said(&two, ran, 6),
        "error: localhost shows a different key than the one that you paired with
  cause: expected KEY, got KEY: reinstalled, or someone is in between
  state: nothing was changed
  next: compare with what blit-daemon says when it starts on localhost, then: blit pair localhost INVITATION
"
    );
}

#[test]
fn who_is_unreachable_is_told_with_what_was_tried() {
    let mut two = Two::new();
    two.daemon.kill();
    let ran = two.blit(&["copy", ".", &there("m/")]);
    assert_eq!(
        said(&two, ran, 8),
        "error: localhost does not answer
  cause: localhost:PORT: Connection refused (os error 111)
  state: nothing was changed
  next: is blit-daemon running on localhost, and may it be reached?
"
    );
}

#[test]
fn an_unknown_module_is_told_with_those_that_this_peer_may_see() {
    let two = Two::new();
    let text = "error: not found: localhost:/none
  cause: no module is called \"none\"; there are: m, ro
  state: nothing was changed
";
    for words in [
        &["copy", ".", &*there("none")][..],
        &["copy", &there("none/"), "back/"],
        &["ls", &there("none")],
        &["df", &there("none")],
    ] {
        assert_eq!(said(&two, two.blit(words), 5), text, "{words:?}");
    }
}

#[test]
fn a_read_only_module_is_told_as_such() {
    let two = Two::new();
    std::fs::write(two.scratch.path("f"), "").unwrap();
    let ran = two.blit(&["copy", "f", &there("ro/")]);
    assert_eq!(
        said(&two, ran, 6),
        "error: localhost:/ro is read-only
  cause: the module ro is read-only
  state: nothing was changed
  next: ask its owner for access = \"read-write\"
"
    );
}

#[test]
fn a_loop_image_that_becomes_full_over_there_is_told_with_what_is_complete() {
    if !need_root("a mount") || !FileSystem::Ext4.is_here() {
        return;
    }
    // Unmounted after the daemon is gone, which holds its directories.
    let mounted;
    let mut two = Two::new();
    let source = two.scratch.directory("source");
    for at in 0..4_000 {
        // Each takes a block, which nobody can foresee from its size.
        std::fs::write(source.join(format!("f{at:04}")), "x").unwrap();
    }
    let image = two.scratch.path("image");
    std::fs::File::create(&image)
        .unwrap()
        .set_len(12 << 20)
        .unwrap();
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .arg(&image)
        .status();
    assert!(made.unwrap().success());
    let at = two.module().join("small");
    mounted = Mounted::image(FileSystem::Ext4, &image, &at).unwrap();
    let ran = two.blit(&["copy", "source/", &there("m/small/x/")]);
    let text = said(&two, ran, 9);
    assert!(
        text.contains("no room is left in localhost:/m/small/x/"),
        "{text}"
    );
    assert!(
        text.contains("nothing is half-written under its final name")
            || text.contains("nothing was changed"),
        "{text}"
    );
    assert_whole(&source, &at.join("x"));
    two.daemon.kill();
    mounted.unmount().unwrap();
}

/// Whatever is there is as it is at the source.
fn assert_whole(source: &Path, target: &Path) {
    let names: Vec<_> = std::fs::read_dir(target)
        .unwrap()
        .map(|it| it.unwrap().file_name())
        .collect();
    for name in names {
        assert_same(&source.join(&name), &target.join(&name));
    }
}

#[test]
fn no_error_tells_where_a_module_is() {
    let two = Two::new();
    let module = two.module();
    std::fs::write(module.join("file"), "").unwrap();
    std::os::unix::fs::symlink("/nowhere", module.join("link")).unwrap();
    std::fs::write(two.scratch.path("f"), "").unwrap();
    for words in [
        &["ls", &*there("m/none/deep")][..],
        &["ls", &there("m/file/deep")],
        &["find", &there("m/link/deep")],
        &["copy", "f", &there("m/file/deep/")],
        &["copy", "f", &there("m/link/deep/")],
        &["copy", &there("m/none"), "back/"],
        &["mirror", "-y", "f", &there("m/file/x")],
        &["rm", &there("m/file/deep")],
        &["rm", "-r", "-y", &there("ro/x")],
        &["du", &there("m/none")],
    ] {
        let ran = two.blit(words);
        assert_ne!(ran.code, Some(0), "{ran}");
        assert_private(&two, &ran);
    }
    std::fs::remove_dir_all(two.scratch.path("ro")).unwrap();
    for words in [
        &["ls", &*there("ro")][..],
        &["copy", &there("ro/"), "back/"],
    ] {
        let ran = two.blit(words);
        assert_private(&two, &ran);
    }
    let _ = two.blit(&["list", HOST]).exits(0);
}
