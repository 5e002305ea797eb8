//! Pipes: no escape bytes, and a reader that leaves is no error.

use std::io::Read;
use std::process::Stdio;

use blit_conform::assert_same;
use blit_conform::tree::{many_small_files, nasty_tree};

use crate::bench::{Pair, blit};

#[test]
fn no_verb_writes_an_escape_byte_into_a_pipe() {
    // The bench itself looks for escape bytes, panics and backtraces in every run.
    let pair = Pair::new();
    nasty_tree(&pair.source);
    for words in [
        &["ls"][..],
        &["ls", "-l"],
        &["find"],
        &["du"],
        &["ls", "-r"],
    ] {
        blit().args(words).arg(&pair.source).run().succeeds();
    }
    for words in [
        &["copy", "-n", "-i"][..],
        &["copy", "-vv"],
        &["check"],
        &["mirror", "-i"],
    ] {
        pair.run(words[0], &words[1..]).succeeds();
    }
    for words in [
        &["help"][..],
        &["--help"],
        &["copy", "--help"],
        &["help", "paths"],
        &["-V"],
        &[],
    ] {
        blit().args(words).run().succeeds();
    }
    let _ = blit().args(["copy", "--frobnicate"]).run().exits(2);
}

#[test]
fn a_listing_in_a_pipe_has_one_line_for_each_entry() {
    let pair = Pair::with(&[("two\nlines", ""), ("b", ""), ("\u{1b}[2J", "")]);
    let ran = blit().arg("ls").arg(&pair.source).run().exits(0);
    assert_eq!(ran.stdout.lines().count(), 3, "{ran}");
    let null = blit().args(["find", "-0"]).arg(&pair.source);
    let output = null.command().output().unwrap();
    assert!(
        output
            .stdout
            .split(|byte| *byte == 0)
            .any(|it| it.ends_with(b"two\nlines")),
        "bytes as they are"
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let pair = Pair::new();
    many_small_files(&pair.source, 3_000);
    for words in [&["find"][..], &["ls", "-r"], &["--json", "find"], &["du"]] {
        let mut child = blit()
            .args(words)
            .arg(&pair.source)
            .command()
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    }
}

#[test]
fn a_copy_goes_on_when_nobody_reads_it() {
    for flags in [&["-v"][..], &["--json", "-v"]] {
        let pair = Pair::new();
        many_small_files(&pair.source, 300);
        let mut child = pair.blit("copy").args(flags).command().spawn().unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{flags:?}");
        assert_same(&pair.source, &pair.target);
    }
}

#[test]
fn closed_outputs_do_not_hurt() {
    for closed in [
        "exec \"$@\" >&-",
        "exec \"$@\" 2>&-",
        "exec \"$@\" >&- 2>&- <&-",
    ] {
        let pair = Pair::with(&[("file", "content")]);
        let run = pair
            .blit("copy")
            .arg("-v")
            .under(["sh", "-c", closed, "sh"]);
        let _ = run.run().exits(0);
        assert_same(&pair.source, &pair.target);
    }
}

#[test]
fn a_full_output_device_is_told_by_a_listing() {
    let pair = Pair::with(&[("file", "content")]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = blit()
        .arg("find")
        .arg(&pair.source)
        .command()
        .stdout(Stdio::from(full))
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn the_wish_for_no_colour_is_kept_at_a_terminal() {
    if !blit_conform::need_tool("script") {
        return;
    }
    let absent = || blit().args(["copy", "/absent/source", "/absent/target"]);
    let coloured = absent().at_a_terminal("");
    assert!(
        coloured.stdout.contains('\u{1b}'),
        "colour at a terminal: {coloured}"
    );
    let plain = absent().env("NO_COLOR", "1").at_a_terminal("");
    assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
    let flag = absent().args(["--color", "never"]).at_a_terminal("");
    assert!(!flag.stdout.contains('\u{1b}'), "{flag}");
}
