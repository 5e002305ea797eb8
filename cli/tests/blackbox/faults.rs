//! System calls that fail: success still means an exact copy, and a failure changes no name by half.

use blit_conform::tree::{Random, random_tree};
use blit_conform::{
    Difference, Inject, Options, Ran, Snapshot, What, assert_same, compare, count_syscalls,
    counted, is_unfinished, need_tool, scaled,
};

use crate::bench::{Pair, write};

/// Which calls fail how.
struct Fault {
    call: &'static str,
    errors: &'static [&'static str],
}

const fn fault(call: &'static str, errors: &'static [&'static str]) -> Fault {
    Fault { call, errors }
}

/// Not `write`: data goes through `pwrite64`, and what is written otherwise are wake-ups between
/// threads, which never fail.
const FAULTS: &[Fault] = &[
    fault("pwrite64", &["EIO", "ENOSPC", "EDQUOT"]),
    fault(
        "copy_file_range",
        &["EIO", "ENOSPC", "EDQUOT", "EXDEV", "ENOSYS"],
    ),
    fault("ftruncate", &["EIO", "ENOSPC"]),
    fault("read", &["EIO"]),
    fault("pread64", &["EIO"]),
    fault("getdents64", &["EIO", "EACCES"]),
    fault("statx", &["EIO", "EACCES", "ENOENT"]),
    fault("newfstatat", &["EIO", "ENOENT"]),
    fault("openat", &["EACCES", "EMFILE", "EIO"]),
    fault("openat2", &["EACCES", "EMFILE", "ENOENT", "ENOSYS", "EIO"]),
    fault("linkat", &["EIO", "ENOSPC", "EACCES", "EROFS", "EMLINK"]),
    fault("renameat2", &["EIO", "ENOSPC", "EACCES", "EROFS"]),
    fault("mkdirat", &["EIO", "ENOSPC", "EACCES", "EROFS"]),
    fault("symlinkat", &["EIO", "ENOSPC", "EACCES"]),
    fault("unlinkat", &["EIO", "EACCES", "EROFS"]),
    fault("utimensat", &["EIO", "EACCES", "EROFS"]),
    fault("fchmod", &["EIO", "EPERM"]),
    fault("fsetxattr", &["EIO", "ENOSPC"]),
    fault("syncfs", &["EIO", "ENOSPC"]),
    fault("fsync", &["EIO", "ENOSPC"]),
    fault("close", &["EIO"]),
    fault("fadvise64", &["EIO"]),
    fault("fcntl", &["EMFILE"]),
    fault("fgetxattr", &["EIO"]),
    fault("flistxattr", &["EIO"]),
    fault("flock", &["ENOLCK"]),
    fault("ioctl", &["EIO", "EOPNOTSUPP"]),
    fault("lseek", &["EIO"]),
    fault("openat2", &["ESTALE"]),
    fault("pread64", &["ESTALE"]),
    fault("pwrite64", &["ESTALE"]),
    fault("readlinkat", &["EIO", "EACCES"]),
];

fn plant() -> Pair {
    let pair = Pair::with(&[
        ("a", "new a"),
        ("d/b", "new b"),
        ("d/e/c", "new c"),
        ("empty/", ""),
    ])
    .and_target(&[
        ("a", "old a"),
        ("d/b", "the old b"),
        ("extra", "old"),
        ("d/extra", "old"),
        ("d/e/extra", "old"),
    ]);
    std::fs::write(pair.source.join("large"), Random::new(1).bytes(300_000)).unwrap();
    std::os::unix::fs::symlink("a", pair.source.join("symlink")).unwrap();
    std::fs::hard_link(pair.source.join("a"), pair.source.join("d/link of a")).unwrap();
    rustix::fs::setxattr(
        pair.source.join("d/b"),
        "user.kept",
        b"value",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    pair
}

const MIRROR: [&str; 3] = ["-y", "--max-delete", "100%"];

#[test]
fn under_strace_any_failing_call_leaves_old_or_new_and_success_is_exact() {
    if !need_tool("strace") {
        return;
    }
    let before = plant();
    let old = Snapshot::of(&before.target);
    let counts = count_syscalls(&before.blit("mirror").args(MIRROR).command());
    let new = Snapshot::of(&before.target);
    let (mut cases, mut failed, mut broken) = (0, 0, Vec::new());
    for Fault { call, errors } in FAULTS {
        let made = counts.get(*call).map_or(0, |it| it.made as usize);
        for error in *errors {
            for when in occurrences(made) {
                let context = format!("{error} from {call}, occurrence {when}");
                let inject = Inject::fail(call, error, &when);
                cases += 1;
                match one(&old, &new, &inject) {
                    Ok(has_failed) => failed += usize::from(has_failed),
                    Err(promise) => broken.push(format!("{context}: {promise}")),
                }
            }
        }
    }
    counted(&format!(
        "failing calls (T5b), mirror under strace: {cases} cases, {failed} runs failed as they should, \
         seed none: counted through"
    ));
    assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
    assert!(failed > 20, "only {failed} faults were met");
}

/// First, middle, last and all; every single one in the long run.
fn occurrences(made: usize) -> Vec<String> {
    let step = made.div_ceil(scaled(3, 60)).max(1);
    let mut when: Vec<String> = (1..=made).step_by(step).map(|it| it.to_string()).collect();
    when.extend((made > 0).then(|| "1+".to_owned()));
    when
}

/// Whether the run failed; an error says which promise it broke.
fn one(old: &Snapshot, new: &Snapshot, inject: &Inject) -> Result<bool, String> {
    let pair = plant();
    let source = Snapshot::of(&pair.source);
    let ran = pair.blit("mirror").args(MIRROR).inject(inject).try_run()?;
    if was_not_loaded(&ran) {
        return Ok(false);
    }
    let touched = source.differences(&Snapshot::of(&pair.source), Options::untouched());
    nothing_found(&touched).map_err(|it| format!("the source was touched: {it}"))?;
    let now = Snapshot::of(&pair.target);
    match ran.code {
        Some(0) => {
            let found = new.differences(&now, kept(&ran).without(What::Time));
            nothing_found(&found).map_err(|it| format!("success, but {it}\n{ran}"))?;
            nothing_found(&compare(&pair.source, &pair.target, kept(&ran)))?;
            Ok(false)
        }
        Some(1..=12) => content_is_old_or_new(old, new, &now).map(|()| true),
        _ => Err(ran.to_string()),
    }
}

/// Everything but what the run said that the target cannot keep.
fn kept(ran: &Ran) -> Options {
    const SAID: [(&str, What); 2] = [
        ("permission bits", What::Mode),
        ("hard links", What::HardLinkSplit),
    ];
    let said = ran.stderr.split_once(" cannot keep ");
    let said = said.and_then(|(_, rest)| rest.split_once("; everything else was kept"));
    let (lost, _) = said.unwrap_or_default();
    SAID.into_iter()
        .filter(|(words, _)| lost.contains(words))
        .fold(Options::exact(), |options, (_, what)| options.without(what))
}

fn nothing_found(found: &[Difference]) -> Result<(), String> {
    if found.is_empty() {
        Ok(())
    } else {
        Err(format!("{found:?}"))
    }
}

/// Whether the program itself could not be loaded, so that nothing of ours has run.
fn was_not_loaded(ran: &Ran) -> bool {
    ran.stderr.contains("error while loading shared libraries")
}

/// Here metadata may be what failed; the content is one of the two all the same.
fn content_is_old_or_new(old: &Snapshot, new: &Snapshot, now: &Snapshot) -> Result<(), String> {
    for path in now.paths().iter().filter(|path| !is_unfinished(path)) {
        let is = now.content_of(path);
        if is != old.content_of(path) && is != new.content_of(path) {
            return Err(format!("{} holds {is:?}", path.escape_ascii()));
        }
    }
    let kept = old.paths();
    match kept
        .iter()
        .find(|path| new.content_of(path).is_some() && now.content_of(path).is_none())
    {
        Some(path) => Err(format!("{} is gone", path.escape_ascii())),
        None => Ok(()),
    }
}

#[test]
fn under_strace_a_failing_scan_of_the_source_deletes_nothing() {
    if !need_tool("strace") {
        return;
    }
    let counts = count_syscalls(&plant().blit("mirror").args(MIRROR).command());
    let made = counts.get("getdents64").map_or(0, |it| it.made as usize);
    for when in (1..=made).map(|it| it.to_string()) {
        let pair = plant();
        let ran = pair
            .blit("mirror")
            .args(MIRROR)
            .inject(&Inject::fail("getdents64", "EIO", &when))
            .run();
        if ran.code == Some(0) {
            continue;
        }
        for extra in ["extra", "d/extra", "d/e/extra"] {
            assert!(
                pair.target.join(extra).exists(),
                "{extra} was deleted: {ran}"
            );
        }
    }
}

#[test]
fn under_strace_a_failing_sync_is_never_a_success() {
    if !need_tool("strace") {
        return;
    }
    for call in ["syncfs", "fsync"] {
        for error in ["EIO", "ENOSPC"] {
            let pair = plant();
            let counts = count_syscalls(&plant().blit("mirror").args(MIRROR).command());
            if !counts.contains_key(call) {
                continue;
            }
            let ran = pair
                .blit("mirror")
                .args(MIRROR)
                .inject(&Inject::fail(call, error, "1"))
                .run();
            assert_ne!(ran.code, Some(0), "{call}: {error}: {ran}");
            assert!(
                pair.target.join("extra").exists(),
                "deleted after an error: {ran}"
            );
        }
    }
}

#[test]
fn under_strace_interrupted_calls_change_no_result() {
    if !need_tool("strace") {
        return;
    }
    // Those of which POSIX says that a signal may interrupt them.
    for call in [
        "copy_file_range",
        "fsync",
        "ftruncate",
        "openat",
        "openat2",
        "pread64",
        "pwrite64",
        "read",
    ] {
        for when in ["1", "2+2"] {
            let pair = Pair::new();
            random_tree(&pair.source, 79, 30);
            write(&pair.target, &[("old", "goes")]);
            let ran = pair
                .blit("mirror")
                .args(MIRROR)
                .inject(&Inject::fail(call, "EINTR", when))
                .run();
            if was_not_loaded(&ran) {
                continue;
            }
            assert_eq!(ran.code, Some(0), "EINTR from {call} at {when}: {ran}");
            assert_same(&pair.source, &pair.target);
        }
    }
}
