//! Names and paths: cases 1 to 15.

use std::fs;
use std::io;
use std::path::Path;

use super::build::{file, one_of_each, set_times};

super::catalogue! {
    1 name_that_is_not_utf8
    2 name_with_a_newline
    3 name_with_control_characters
    4 name_with_escape_sequences
    5 name_that_misleads_the_eye
    6 name_like_an_option
    7 name_of_spaces
    8 name_with_marks_of_shells_and_windows
    9 name_with_leading_dots
    10 name_of_255_bytes
    12 name_in_two_normal_forms
    13 names_that_differ_in_case
    14 name_reserved_elsewhere
    15 path_of_nearly_4096_bytes
    100 nested_empty_directories
}

fn each(root: &Path, names: &[&[u8]]) -> io::Result<()> {
    names.iter().try_for_each(|name| one_of_each(root, name))
}

fn name_that_is_not_utf8(root: &Path) -> io::Result<()> {
    each(root, &[b"\xff\xfe", b"caf\xe9", b"\x80", b"half \xe2\x82"])
}

fn name_with_a_newline(root: &Path) -> io::Result<()> {
    each(root, &[b"two\nlines", b"\n", b"ends\n"])
}

fn name_with_control_characters(root: &Path) -> io::Result<()> {
    each(root, &[b"\r", b"a\tb", b"a\x08b", b"\x07", b"\x01\x7f"])
}

fn name_with_escape_sequences(root: &Path) -> io::Result<()> {
    each(
        root,
        &[
            b"\x1b[2J",
            b"\x1b]52;c;aGk=\x07",
            b"\x9b31m",
            "\u{9b}31m".as_bytes(),
        ],
    )
}

fn name_that_misleads_the_eye(root: &Path) -> io::Result<()> {
    let names = [
        "\u{202e}txt.exe",
        "zero\u{200b}width",
        "p\u{0430}ypal",
        "\u{feff}bom",
    ];
    names
        .iter()
        .try_for_each(|name| one_of_each(root, name.as_bytes()))
}

fn name_like_an_option(root: &Path) -> io::Result<()> {
    each(root, &[b"-rf", b"--delete", b"-", b"--", b"-n", b"@file"])
}

fn name_of_spaces(root: &Path) -> io::Result<()> {
    each(root, &[b" ", b" leading", b"trailing ", b"  "])
}

fn name_with_marks_of_shells_and_windows(root: &Path) -> io::Result<()> {
    each(
        root,
        &[
            b"back\\slash",
            b"C:x",
            b"a:b",
            b"\"",
            b"'",
            b"$(id)",
            b"*",
            b"?",
            b"%s%n",
            b"[a]",
            b"{b,c}",
        ],
    )?;
    each(
        root,
        &[
            "\u{201c}smart\u{201d}".as_bytes(),
            b"semi;colon",
            b"#",
            b"!",
            b"&",
            b"|",
            b"`id`",
            b"host:module",
        ],
    )
}

fn name_with_leading_dots(root: &Path) -> io::Result<()> {
    // The last two look nearly like unfinished work of ours, and are a user's own.
    each(
        root,
        &[
            b"...",
            b".hidden",
            b"..data",
            b". ",
            b".blit~notes",
            b".blit~aaaaaaaaaaaaaaaaaaaaaa",
        ],
    )
}

fn name_of_255_bytes(root: &Path) -> io::Result<()> {
    one_of_each(root, &[b'n'; 255])?;
    one_of_each(root, format!("{}xyz", "\u{1f980}".repeat(63)).as_bytes())?;
    one_of_each(root, &[0xff; 255])
}

fn name_in_two_normal_forms(root: &Path) -> io::Result<()> {
    each(root, &["\u{e9}".as_bytes(), "e\u{301}".as_bytes()])
}

fn names_that_differ_in_case(root: &Path) -> io::Result<()> {
    let names = [
        "README", "readme", "ReadMe", "\u{df}", "ss", "i", "I", "\u{131}", "\u{130}",
    ];
    names
        .iter()
        .try_for_each(|name| one_of_each(root, name.as_bytes()))
}

fn name_reserved_elsewhere(root: &Path) -> io::Result<()> {
    each(
        root,
        &[b"CON", b"NUL", b"COM1", b"COM\xc2\xb9", b"dot.", b"x.lnk"],
    )
}

fn path_of_nearly_4096_bytes(root: &Path) -> io::Result<()> {
    let mut here = root.to_path_buf();
    let room = || 3_900_usize.saturating_sub(root.as_os_str().len());
    while here.as_os_str().len() - root.as_os_str().len() + 201 < room() {
        here.push("d".repeat(200));
        fs::create_dir(&here)?;
    }
    file(&here, b"bottom").map(drop)
}

fn nested_empty_directories(root: &Path) -> io::Result<()> {
    for path in ["a/b/c", "a/d", "e"] {
        fs::create_dir_all(root.join(path))?;
    }
    for (index, path) in ["a/b/c", "a/b", "a/d", "a", "e"].iter().enumerate() {
        set_times(
            &root.join(path),
            (1_300_000_000, 100_000_001 * (1 + index as i64)),
        );
    }
    Ok(())
}
