//! Sentences of docs/promises.md that no other topic shows: what the kernel is asked, in which order,
//! and what becomes of unfinished work.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use blit_conform::{
    Blit, Inject, Ran, Snapshot, assert_same, count_syscalls, need_tool, remove_tree, scaled,
};

use crate::bench::{Pair, read};
use blit_conform::is_unfinished;

/// The calls that can change a tree.
const CHANGING: &str = "open,openat,openat2,creat,write,writev,pwrite64,pwritev,pwritev2,\
    copy_file_range,sendfile,splice,fallocate,truncate,ftruncate,ioctl,link,linkat,symlink,symlinkat,\
    mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,\
    ?fchmodat2,chown,fchown,lchown,fchownat,utime,utimes,futimesat,utimensat,setxattr,lsetxattr,\
    fsetxattr,removexattr,lremovexattr,fremovexattr,syncfs,fsync,fdatasync";

/// One system call, with its place in the order of what happened.
#[derive(Debug)]
struct Call {
    name: String,
    /// Its arguments and result, descriptors with their paths.
    text: String,
    began: usize,
    ended: usize,
}

impl Call {
    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    fn succeeded(&self) -> bool {
        !self.text.contains(" = -1 ")
    }

    /// The place of the unnamed file that is its first argument, as the kernel shows it.
    fn unnamed(&self) -> Option<&str> {
        let path = self.text.split_once('<')?.1.split_once('>')?.0;
        path.contains("/#").then_some(path)
    }

    /// Whether it is one that changes a tree.
    fn changes(&self) -> bool {
        if self.is(&["open", "openat", "openat2"]) {
            let writing = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"];
            return writing.iter().any(|flag| self.text.contains(flag));
        }
        // Blocks and flags are asked for by `ioctl`, too.
        let asks = self.name == "ioctl" && !self.text.contains("FS_IOC_SET");
        !asks && !self.is(&["syncfs", "fsync", "fdatasync"])
    }
}

/// Runs a command under strace, and tells which calls it made.
fn traced(pair: &Pair, blit: Blit) -> (Ran, Vec<Call>) {
    let log = pair.scratch.path("calls");
    let trace = format!("trace={CHANGING}");
    let words = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-s",
        "4096",
        "--seccomp-bpf",
        "-e",
        &trace,
        "-o",
    ];
    let words = words
        .map(Into::into)
        .into_iter()
        .chain([log.clone().into_os_string()]);
    let ran = blit.under(words.collect::<Vec<_>>()).run();
    let calls = parsed(&fs::read_to_string(&log).unwrap());
    assert!(!calls.is_empty(), "strace saw nothing: {ran}");
    (ran, calls)
}

/// Calls of several threads overlap: strace cuts such a call in two.
fn parsed(log: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in log.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        let (began, whole) = if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (at, first.to_owned()));
            continue;
        } else if let Some(second) = rest.strip_prefix("<... ") {
            let Some((began, first)) = begun.remove(thread) else {
                continue;
            };
            let second = second.split_once(" resumed>").map_or("", |it| it.1);
            (began, first + second)
        } else {
            (at, rest.to_owned())
        };
        if let Some((name, text)) = whole.split_once('(') {
            calls.push(Call {
                name: name.to_owned(),
                text: text.to_owned(),
                began,
                ended: at,
            });
        }
    }
    calls
}

/// Those of `calls` that changed something below `root`: by descriptor, or by its whole path.
fn changes<'a>(calls: &'a [Call], root: &Path) -> Vec<&'a Call> {
    let marks = ['<', '"'].map(|mark| format!("{mark}{}", root.display()));
    let below = |call: &&Call| marks.iter().any(|it| call.text.contains(it)) && call.changes();
    calls.iter().filter(below).collect()
}

#[test]
fn under_strace_no_file_has_its_name_before_its_data_is_on_storage() {
    if !need_tool("strace") {
        return;
    }
    let pair = Pair::with(&[("a", "new a"), ("d/b", "new b"), ("d/empty", "")])
        .and_target(&[("a", "old"), ("extra", "goes")]);
    fs::write(pair.source.join("large"), vec![7; 3 << 20]).unwrap();
    symlink("a", pair.source.join("link")).unwrap();
    let (ran, calls) = traced(&pair, pair.blit("mirror").arg("-y"));
    let ran = ran.exits(0);
    assert_same(&pair.source, &pair.target);

    let target = pair.target.to_str().unwrap();
    let barriers: Vec<_> = calls
        .iter()
        .filter(|it| it.is(&["syncfs"]) && it.text.contains(target) && it.succeeded())
        .collect();
    let mut filled: HashMap<&str, usize> = HashMap::new();
    let mut published = 0;
    for call in &calls {
        if call.is(&["pwrite64", "copy_file_range", "ftruncate"]) {
            // The target of `copy_file_range` is its third argument: any unnamed file will do.
            let file = call.text.split(['<', '>']).find(|it| it.contains("/#"));
            filled.extend(file.map(|file| (file, call.ended)));
        } else if call.is(&["linkat"]) && call.text.contains(target) && call.succeeded() {
            published += 1;
            let file = call
                .unnamed()
                .unwrap_or_else(|| panic!("not unnamed: {call:?}"));
            let Some(last_write) = filled.get(file) else {
                continue;
            };
            let is_safe = barriers
                .iter()
                .any(|it| it.began > *last_write && it.ended < call.began);
            assert!(is_safe, "{call:?} came before a barrier: {ran}");
        }
    }
    assert!(
        published >= 4,
        "only {published} files were seen to get their names"
    );
    assert!(
        filled.len() >= 3,
        "only {} files were seen to be written",
        filled.len()
    );
    let last_change = changes(&calls, &pair.target)
        .iter()
        .map(|it| it.ended)
        .max()
        .unwrap();
    assert!(
        barriers.iter().any(|it| it.began > last_change),
        "nothing was synced after the last change: {ran}"
    );
}

#[test]
fn under_strace_a_dry_run_makes_no_call_that_changes_a_tree() {
    if !need_tool("strace") {
        return;
    }
    for words in [
        &["copy", "-n"][..],
        &["mirror", "-n", "-y"],
        &["move", "-n", "-y"],
        &["check"],
    ] {
        let pair = Pair::with(&[("a", "new"), ("d/b", "new"), ("type/inner", "new")])
            .and_target(&[("a", "older"), ("extra", "old"), ("type", "a file")]);
        symlink("a", pair.source.join("link")).unwrap();
        let (ran, calls) = traced(&pair, pair.blit(words[0]).args(&words[1..]));
        let code = if words[0] == "check" { 4 } else { 0 };
        let ran = ran.exits(code);
        for root in [&pair.source, &pair.target] {
            let found = changes(&calls, root);
            assert!(found.is_empty(), "{words:?}: {found:#?}: {ran}");
        }
    }
}

#[test]
fn under_strace_a_copy_makes_no_call_that_changes_its_source() {
    if !need_tool("strace") {
        return;
    }
    for words in [&["copy"][..], &["copy", "--verify"], &["mirror", "-y"]] {
        let pair = Pair::with(&[("a", "content"), ("d/b", "content")]).and_target(&[("x", "goes")]);
        fs::write(pair.source.join("large"), vec![7; 3 << 20]).unwrap();
        let (ran, calls) = traced(&pair, pair.blit(words[0]).args(&words[1..]));
        let ran = ran.exits(0);
        let source = format!("<{}", pair.source.display());
        let found = changes(&calls, &pair.source);
        // `copy_file_range` reads from the source, and changes only its other end.
        let found: Vec<_> = found
            .into_iter()
            .filter(|it| !it.is(&["copy_file_range", "sendfile", "splice"]))
            .collect();
        assert!(found.is_empty(), "{words:?}: {found:#?}: {ran}");
        let opened = calls.iter().filter(|it| {
            it.is(&["openat", "openat2"])
                && it.text.contains(&source)
                && !it.text.contains("O_DIRECTORY")
                && !it.text.contains("O_PATH")
                && it.succeeded()
        });
        let opened: Vec<_> = opened.collect();
        assert!(opened.len() >= 3, "{words:?}: only {opened:#?}: {ran}");
        if blit_conform::is_root() {
            let loud: Vec<_> = opened
                .iter()
                .filter(|it| !it.text.contains("O_NOATIME"))
                .collect();
            assert!(loud.is_empty(), "{words:?}: {loud:#?}");
        }
    }
}

/// On a busy machine the writer may be held up for a whole copy; then the file did not change.
const GROWING_RUNS_MAX: usize = 40;

#[test]
fn a_file_that_keeps_growing_is_reported_and_the_old_content_stays() {
    let pair = Pair::with(&[("quiet", "content")]).and_target(&[]);
    let log = File::create(pair.source.join("log")).unwrap();
    log.write_all_at(&vec![b'1'; 16 << 20], 0).unwrap();
    let mut reported = 0;
    for run in 1..=GROWING_RUNS_MAX {
        fs::write(pair.target.join("log"), "old").unwrap();
        let ran = while_growing(&log, || pair.run("copy", &[]));
        let copied = fs::read(pair.target.join("log")).unwrap();
        if ran.code == Some(0) {
            let whole = fs::read(pair.source.join("log")).unwrap();
            assert!(
                copied.len() >= 16 << 20 && whole.starts_with(&copied),
                "{ran}"
            );
            continue;
        }
        assert_eq!(copied, b"old");
        assert_eq!(read(pair.target.join("quiet")), "content");
        let _ = ran.exits(3).says("changed").says("log");
        reported += 1;
        if reported == 2 {
            eprintln!("{run} runs");
            break;
        }
    }
    assert_eq!(reported, 2, "in {GROWING_RUNS_MAX} runs");
    pair.run("copy", &[]).succeeds();
    assert_same(&pair.source, &pair.target);
}

/// Appends to `file` without pause while `action` runs.
fn while_growing<T>(file: &File, action: impl FnOnce() -> T) -> T {
    let (done, has_begun) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut end = file.metadata().unwrap().len();
            while !done.load(Ordering::Relaxed) {
                file.write_all_at(b"x", end).unwrap();
                end += 1;
                has_begun.store(true, Ordering::Relaxed);
            }
        });
        while !has_begun.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let result = action();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a_write_that_is_cut_short_is_never_published() {
    // Beyond four blocks of 1 KiB a write does what it can, and the next one fails.
    let limited = ["bash", "-c", "ulimit -f 4 && exec \"$@\"", "bash"];
    for flags in [&[][..], &["--verify"]] {
        let pair = Pair::with(&[("tiny", "content"), ("small", &"new".repeat(3_000))])
            .and_target(&[("small", "old"), ("large", "old")]);
        fs::write(pair.source.join("large"), vec![7; 3 << 20]).unwrap();
        let ran = pair.blit("copy").args(flags).under(limited).run();
        let _ = ran.exits(3).says("too large");
        assert_eq!(read(pair.target.join("small")), "old");
        assert_eq!(read(pair.target.join("large")), "old");
        assert_eq!(read(pair.target.join("tiny")), "content");
        let kept = Snapshot::of(&pair.target);
        assert_eq!(kept.entries(), Snapshot::of(&pair.source).entries());
    }
}

/// A mirror that replaces everything: each of these leaves something hidden when it is killed.
fn replaced() -> Pair {
    let pair = Pair::with(&[
        ("a", "new a"),
        ("to directory/inner", "new"),
        ("to file", "new"),
    ])
    .and_target(&[
        ("a", "old"),
        ("to directory", "old"),
        ("to file/inner", "old"),
    ]);
    symlink("a", pair.source.join("link")).unwrap();
    symlink("elsewhere", pair.target.join("link")).unwrap();
    pair
}

const MIRROR: [&str; 3] = ["-y", "--max-delete", "100%"];

/// Kills a mirror wherever it has work under a hidden name, and hands over what it left.
fn each_kill(mut action: impl FnMut(&Pair, &[Vec<u8>])) {
    let counts = count_syscalls(&replaced().blit("mirror").args(MIRROR).command());
    let mut left = 0;
    for call in ["renameat2", "unlinkat"] {
        let made = counts.get(call).map_or(0, |it| it.made as usize);
        for nth in 1..=made.min(scaled(8, usize::MAX)) {
            let pair = replaced();
            let ran = pair
                .blit("mirror")
                .args(MIRROR)
                .inject(&Inject::kill(call, nth))
                .run();
            if ran.signal != Some(9) {
                continue;
            }
            let ours = Snapshot::of(&pair.target).paths();
            let ours: Vec<_> = ours.into_iter().filter(|it| is_unfinished(it)).collect();
            left += usize::from(!ours.is_empty());
            action(&pair, &ours);
        }
    }
    eprintln!("{left} killed runs left something hidden");
    assert!(left >= 3, "only {left} killed runs left something hidden");
}

fn is_exact_but_for_ours(pair: &Pair) {
    pair.run("mirror", &MIRROR).succeeds();
    for path in Snapshot::of(&pair.target).paths() {
        if path.starts_with(b".blit~") && !path.contains(&b'/') {
            remove_tree(&pair.target.join(std::str::from_utf8(&path).unwrap())).unwrap();
        }
    }
    // What is hidden deeper would be a difference here.
    pair.run("mirror", &MIRROR).succeeds();
    assert_same(&pair.source, &pair.target);
}

#[test]
fn under_strace_what_a_killed_run_leaves_is_used_by_nobody() {
    if !need_tool("strace") {
        return;
    }
    each_kill(|pair, ours| {
        for path in ours {
            let path = pair.target.join(std::str::from_utf8(path).unwrap());
            if path.symlink_metadata().is_ok_and(|it| it.is_file()) {
                fs::write(&path, "what nobody may ever see").unwrap();
            }
        }
        is_exact_but_for_ours(pair);
    });
}

#[test]
fn under_strace_what_a_killed_run_leaves_may_be_deleted() {
    if !need_tool("strace") {
        return;
    }
    each_kill(|pair, ours| {
        for path in ours {
            let _ = remove_tree(&pair.target.join(std::str::from_utf8(path).unwrap()));
        }
        pair.run("mirror", &MIRROR).succeeds();
        assert_same(&pair.source, &pair.target);
    });
}
