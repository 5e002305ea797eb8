//! The comparer proves itself: each of these copies is wrong in one way, and is caught by name.

#![expect(clippy::unwrap_used, reason = "a set-up that fails is a failed test")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use blit_conform::tree::set_times;
use blit_conform::{Options, Scratch, Snapshot, What, compare, need_root};

/// Makes a tree and a faithful copy of it, spoils the copy, and looks for exactly what was spoilt.
fn caught(spoil: impl Fn(&Path), what: What, at: &str) {
    let scratch = Scratch::new();
    let (source, copy) = (scratch.path("source"), scratch.path("copy"));
    plant(&source);
    let cp = Command::new("cp")
        .args(["-a", "--sparse=auto"])
        .arg(&source)
        .arg(&copy)
        .status();
    assert!(cp.unwrap().success());
    assert_eq!(
        compare(&source, &copy, Options::exact()),
        [],
        "cp -a copies faithfully"
    );

    let times = |path: &Path| {
        (
            path.to_owned(),
            path.symlink_metadata().unwrap().modified().unwrap(),
        )
    };
    let before: Vec<_> = [copy.clone(), copy.join("d"), copy.join("d/e")]
        .iter()
        .map(|it| times(it))
        .collect();
    spoil(&copy);
    // Spoiling a file changes the time of its directory, which is not what is looked for.
    if what != What::Time {
        for (path, time) in before {
            let _ = File::open(&path).and_then(|it| it.set_modified(time));
        }
    }
    let found = compare(&source, &copy, Options::exact());
    let kinds: Vec<_> = found
        .iter()
        .map(|it| (it.what, String::from_utf8_lossy(&it.path).into_owned()))
        .collect();
    assert!(
        kinds.contains(&(what, at.to_owned())),
        "{what:?} at {at:?} is not in {kinds:?}"
    );
    assert!(
        kinds.iter().all(|(kind, _)| *kind == what),
        "more than {what:?} in {kinds:?}"
    );
}

fn plant(root: &Path) {
    fs::create_dir_all(root.join("d/e")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("one"), b"same length 1").unwrap();
    fs::write(root.join("two"), b"same length 2").unwrap();
    fs::write(root.join("large"), vec![7; 3 << 20]).unwrap();
    fs::hard_link(root.join("one"), root.join("d/link of one")).unwrap();
    fs::write(root.join("d/twin a"), b"twin").unwrap();
    fs::write(root.join("d/twin b"), b"twin").unwrap();
    symlink("two", root.join("symlink")).unwrap();
    symlink("d", root.join("to directory")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.set_len(4 << 20).unwrap();
    sparse.write_all_at(b"data", 2 << 20).unwrap();
    let list = ["-m", "u:4711:r--"];
    assert!(
        Command::new("setfacl")
            .args(list)
            .arg(root.join("two"))
            .status()
            .unwrap()
            .success()
    );
    let default = ["-d", "-m", "u:4711:r--"];
    assert!(
        Command::new("setfacl")
            .args(default)
            .arg(root.join("d"))
            .status()
            .unwrap()
            .success()
    );
    rustix::fs::setxattr(
        root.join("two"),
        "user.kept",
        b"value",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    rustix::fs::setxattr(
        root.join("d/e"),
        "user.kept",
        b"value",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    for name in [
        "one",
        "two",
        "d/twin a",
        "d/twin b",
        "symlink",
        "to directory",
        "d/e",
        "d",
        "empty",
    ] {
        set_times(&root.join(name), (1_234_567_890, 123_456_789));
    }
}

/// Rewrites the file and gives it the times that it had.
fn rewrite(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let time = path.symlink_metadata().unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    // In place, so that neither links nor attributes change.
    let file = File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    file.set_modified(time).unwrap();
}

fn keeping_time(path: &Path, change: impl Fn()) {
    let time = path.symlink_metadata().unwrap().modified().unwrap();
    change();
    File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn one_flipped_byte() {
    caught(
        |root| rewrite(&root.join("large"), |bytes| bytes[2_000_000] ^= 1),
        What::Content,
        "large",
    );
}

#[test]
fn a_last_byte_that_became_zero() {
    caught(
        |root| rewrite(&root.join("two"), |bytes| bytes[12] = 0),
        What::Content,
        "two",
    );
}

#[test]
fn data_of_a_sparse_file_that_moved() {
    let moved = |root: &Path| {
        rewrite(&root.join("sparse"), |bytes| bytes.rotate_right(1 << 20));
        dig(&root.join("sparse"), 3 << 20);
    };
    caught(moved, What::Content, "sparse");
}

/// Makes holes of all that is not the block at `keep`.
fn dig(path: &Path, keep: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    let end = file.metadata().unwrap().len();
    rustix::fs::fallocate(&file, flags, 0, keep).unwrap();
    rustix::fs::fallocate(&file, flags, keep + 4096, end - keep - 4096).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn a_truncated_file() {
    caught(
        |root| rewrite(&root.join("large"), |bytes| bytes.truncate(1 << 20)),
        What::Size,
        "large",
    );
}

#[test]
fn a_file_with_a_byte_too_many() {
    caught(
        |root| rewrite(&root.join("two"), |bytes| bytes.push(0)),
        What::Size,
        "two",
    );
}

#[test]
fn swapped_files() {
    let swap = |root: &Path| {
        rewrite(&root.join("d/twin a"), |bytes| *bytes = b"win!".to_vec());
        rewrite(&root.join("d/twin b"), |bytes| *bytes = b"!niw".to_vec());
    };
    caught(swap, What::Content, "d/twin a");
    caught(swap, What::Content, "d/twin b");
}

#[test]
fn a_filled_hole() {
    let fill = |root: &Path| rewrite(&root.join("sparse"), |_| {});
    caught(fill, What::Holes, "sparse");
}

#[test]
fn a_lost_attribute() {
    let lose = |name: &'static str| {
        move |root: &Path| rustix::fs::removexattr(root.join(name), "user.kept").unwrap()
    };
    caught(lose("two"), What::Xattr, "two");
    caught(lose("d/e"), What::Xattr, "d/e");
}

#[test]
fn an_attribute_with_another_value_or_too_many() {
    let set = |name: &'static str| {
        move |root: &Path| {
            rustix::fs::setxattr(
                root.join("two"),
                name,
                b"other",
                rustix::fs::XattrFlags::empty(),
            )
            .unwrap();
        }
    };
    caught(set("user.kept"), What::Xattr, "two");
    caught(set("user.new"), What::Xattr, "two");
}

#[test]
fn a_lost_access_list() {
    // The mode stays what the mask said.
    let lose = |root: &Path| {
        let mode = fs::metadata(root.join("two")).unwrap().permissions();
        rustix::fs::removexattr(root.join("two"), "system.posix_acl_access").unwrap();
        fs::set_permissions(root.join("two"), mode).unwrap();
    };
    caught(lose, What::Acl, "two");
}

#[test]
fn a_lost_default_access_list() {
    caught(
        |root| rustix::fs::removexattr(root.join("d"), "system.posix_acl_default").unwrap(),
        What::Acl,
        "d",
    );
}

#[test]
fn a_split_hard_link() {
    let split = |root: &Path| {
        let (one, link) = (root.join("one"), root.join("d/link of one"));
        fs::remove_file(&link).unwrap();
        assert!(
            Command::new("cp")
                .arg("-a")
                .arg(&one)
                .arg(&link)
                .status()
                .unwrap()
                .success()
        );
    };
    caught(split, What::HardLinkSplit, "d/link of one");
}

#[test]
fn a_joined_hard_link() {
    let join = |root: &Path| {
        fs::remove_file(root.join("d/twin b")).unwrap();
        fs::hard_link(root.join("d/twin a"), root.join("d/twin b")).unwrap();
    };
    caught(join, What::HardLinkJoined, "d/twin a");
}

#[test]
fn times_without_microseconds_or_nanoseconds() {
    caught(
        |root| set_times(&root.join("two"), (1_234_567_890, 0)),
        What::Time,
        "two",
    );
    caught(
        |root| set_times(&root.join("two"), (1_234_567_890, 123_456_000)),
        What::Time,
        "two",
    );
    caught(
        |root| set_times(&root.join("symlink"), (1_234_567_890, 123_456_788)),
        What::Time,
        "symlink",
    );
}

#[test]
fn a_changed_directory_time() {
    caught(
        |root| set_times(&root.join("d/e"), (1_234_567_891, 123_456_789)),
        What::Time,
        "d/e",
    );
    caught(|root| set_times(root, (1_234_567_891, 0)), What::Time, "");
}

#[test]
fn a_missing_empty_directory() {
    caught(
        |root| fs::remove_dir(root.join("empty")).unwrap(),
        What::Missing,
        "empty",
    );
}

#[test]
fn a_missing_file() {
    caught(
        |root| fs::remove_file(root.join("d/twin a")).unwrap(),
        What::Missing,
        "d/twin a",
    );
}

#[test]
fn an_extra_entry() {
    caught(
        |root| fs::create_dir(root.join("d/extra")).unwrap(),
        What::Extra,
        "d/extra",
    );
    caught(
        |root| fs::write(root.join(".blit~aaaaaaaaaaaaaaaaaaaaaa"), b"").unwrap(),
        What::Extra,
        ".blit~aaaaaaaaaaaaaaaaaaaaaa",
    );
}

#[test]
fn a_wrong_mode() {
    let mode = |name: &'static str, mode| {
        move |root: &Path| {
            fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap()
        }
    };
    caught(mode("large", 0o600), What::Mode, "large");
    caught(mode("large", 0o4644), What::Mode, "large");
    caught(mode("d/e", 0o700), What::Mode, "d/e");
}

#[test]
fn a_wrong_owner_or_group() {
    if !need_root("an owner is changed") {
        return;
    }
    let own = |name: &'static str, user, group| {
        move |root: &Path| std::os::unix::fs::lchown(root.join(name), user, group).unwrap()
    };
    caught(own("large", Some(5), None), What::Owner, "large");
    caught(own("large", None, Some(5)), What::Owner, "large");
    caught(own("symlink", Some(5), None), What::Owner, "symlink");
}

#[test]
fn a_followed_symlink() {
    let follow = |root: &Path| {
        fs::remove_file(root.join("symlink")).unwrap();
        fs::copy(root.join("two"), root.join("symlink")).unwrap();
    };
    caught(follow, What::Type, "symlink");
}

#[test]
fn a_symlink_that_points_elsewhere() {
    let point = |root: &Path| {
        fs::remove_file(root.join("symlink")).unwrap();
        symlink("one", root.join("symlink")).unwrap();
        set_times(&root.join("symlink"), (1_234_567_890, 123_456_789));
    };
    caught(point, What::LinkTarget, "symlink");
}

#[test]
fn a_touch_that_was_undone() {
    let scratch = Scratch::new();
    let tree = scratch.path("tree");
    plant(&tree);
    let before = Snapshot::of(&tree);
    assert_eq!(
        before.differences(&Snapshot::of(&tree), Options::untouched()),
        []
    );
    keeping_time(&tree.join("two"), || {
        fs::set_permissions(tree.join("two"), Permissions::from_mode(0o600)).unwrap()
    });
    fs::set_permissions(tree.join("two"), Permissions::from_mode(0o644)).unwrap();
    let found = before.differences(&Snapshot::of(&tree), Options::untouched());
    assert!(
        found
            .iter()
            .any(|it| it.what == What::Identity && it.path == b"two"),
        "{found:?}"
    );
}

#[test]
fn a_difference_that_is_to_be_ignored_is_not_shown() {
    let scratch = Scratch::new();
    plant(&scratch.path("a"));
    let cp = Command::new("cp")
        .arg("-a")
        .arg(scratch.path("a"))
        .arg(scratch.path("b"))
        .status();
    assert!(cp.unwrap().success());
    set_times(&scratch.path("b/two"), (1, 1));
    let options = Options::exact().without(What::Time);
    assert_eq!(compare(&scratch.path("a"), &scratch.path("b"), options), []);
}

#[test]
fn a_tree_that_is_not_there_differs_from_every_tree() {
    let scratch = Scratch::new();
    let found = compare(scratch.root(), &scratch.path("absent"), Options::exact());
    assert_eq!(found[0].what, What::Unreadable);
}
