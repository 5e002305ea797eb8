//! Runs without privileges: what may not be read, written or kept is named, and the rest is done.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use blit_conform::{Ran, need_root};

use crate::bench::{Pair, read, untouched};
use crate::json::error_codes;

/// Runs a verb as a user without privileges, on a target that is theirs.
fn unprivileged(pair: &Pair, verb: &str) -> Ran {
    crate::mirror::own_by_nobody(pair);
    pair.blit(verb).as_nobody().run()
}

#[test]
fn an_unreadable_file_is_named_and_the_rest_is_copied() {
    if !need_root("to run as somebody who may not read") {
        return;
    }
    let pair = Pair::with(&[("a", "content"), ("secret", "hidden"), ("z", "content")])
        .and_target(&[("secret", "old")]);
    fs::set_permissions(pair.source.join("secret"), Permissions::from_mode(0o600)).unwrap();
    let _ = unprivileged(&pair, "copy")
        .exits(3)
        .says("permission denied")
        .says("secret");
    assert_eq!(read(pair.target.join("a")), "content");
    assert_eq!(read(pair.target.join("z")), "content");
    assert_eq!(read(pair.target.join("secret")), "old");
    let json = pair.blit("copy").arg("--json").as_nobody().run().exits(3);
    assert!(error_codes(&json).contains(&"perm.source".into()), "{json}");
}

#[test]
fn a_target_that_may_not_be_written_is_refused() {
    if !need_root("to run as somebody who may not write") {
        return;
    }
    let pair = Pair::with(&[("file", "content")]).and_target(&[]);
    untouched(&pair.target, || {
        let ran = pair.blit("copy").as_nobody().run();
        assert!(matches!(ran.code, Some(3 | 6)), "{ran}");
        let json = pair.blit("copy").arg("--json").as_nobody().run();
        assert!(error_codes(&json).contains(&"perm.dest".into()), "{json}");
    });
}

#[test]
fn a_directory_of_ours_that_may_not_be_written_is_opened_for_the_copy_and_closed_again() {
    if !need_root("to run as somebody who is bound by modes") {
        return;
    }
    let pair = Pair::with(&[("closed/file", "content")]).and_target(&[("closed/", "")]);
    for root in [&pair.source, &pair.target] {
        fs::set_permissions(root.join("closed"), Permissions::from_mode(0o555)).unwrap();
    }
    let _ = unprivileged(&pair, "copy").exits(0);
    assert_eq!(read(pair.target.join("closed/file")), "content");
    assert_eq!(
        fs::metadata(pair.target.join("closed"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o555
    );
}

#[test]
fn an_owner_that_cannot_be_kept_is_said_once_and_is_no_failure() {
    if !need_root("to own by another") {
        return;
    }
    let pair = Pair::with(&[("a", "content"), ("b", "content")]).and_target(&[]);
    for name in ["a", "b"] {
        chown(pair.source.join(name), Some(4_711), Some(4_711)).unwrap();
    }
    let ran = unprivileged(&pair, "copy").exits(0).says("owner");
    assert_eq!(ran.stderr.matches("owner").count(), 1, "{ran}");
    assert_eq!(read(pair.target.join("b")), "content");
}

#[test]
fn an_immutable_file_is_named_and_its_flag_stays() {
    if !need_root("to set the flag") {
        return;
    }
    let pair = Pair::with(&[("file", "new"), ("other", "content")]).and_target(&[("file", "old")]);
    let file = File::open(pair.target.join("file")).unwrap();
    let flag = rustix::fs::IFlags::IMMUTABLE;
    if rustix::fs::ioctl_setflags(&file, flag).is_err() {
        return blit_conform::skip("this file system has no immutable flag");
    }
    let ran = pair.run("copy", &["--json"]);
    rustix::fs::ioctl_setflags(&file, rustix::fs::IFlags::empty()).unwrap();
    assert!(
        error_codes(&ran).contains(&"perm.immutable".into()),
        "{ran}"
    );
    let _ = ran.exits(3);
    assert_eq!(read(pair.target.join("file")), "old");
    assert_eq!(read(pair.target.join("other")), "content");
}
