//! Types and links: cases 21 to 30.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, linkat};

use super::build::{at, file, set_times};

super::catalogue! {
    21 empty_file
    22 symlinks_of_every_kind
    23 symlink_to_a_directory
    27 hard_links_within_the_tree
    30 hard_linked_symlinks
}

fn empty_file(root: &Path) -> io::Result<()> {
    fs::write(root.join("empty"), [])
}

fn symlinks_of_every_kind(root: &Path) -> io::Result<()> {
    file(root, b"file")?;
    let long = [b"x/".repeat(2_047), b"y".to_vec()].concat();
    let links: [(&str, &[u8]); 11] = [
        ("relative", b"file"),
        ("absolute", b"/etc/passwd"),
        ("escaping", b"../../../../../../etc/passwd"),
        ("dangling", b"nowhere"),
        ("itself", b"itself"),
        ("loop1", b"loop2"),
        ("loop2", b"loop1"),
        ("long", &long),
        ("not-utf8", b"\xff\xfe"),
        ("slash", b"file/"),
        ("escape", b"\x1b[2J"),
    ];
    for (index, (name, target)) in links.iter().enumerate() {
        symlink(at(Path::new(""), target), root.join(name))?;
        set_times(&root.join(name), (1_200_000_000, 1 + index as i64));
    }
    Ok(())
}

fn symlink_to_a_directory(root: &Path) -> io::Result<()> {
    fs::create_dir(root.join("real"))?;
    file(&root.join("real"), b"inner")?;
    symlink("real", root.join("link"))?;
    symlink(".", root.join("here"))?;
    symlink("/", root.join("root"))
}

fn hard_links_within_the_tree(root: &Path) -> io::Result<()> {
    for directory in ["a", "b", "b/c"] {
        fs::create_dir(root.join(directory))?;
    }
    file(root, b"one")?;
    for name in ["a/two", "b/three", "b/c/four", "five"] {
        fs::hard_link(root.join("one"), root.join(name))?;
    }
    // An equal file that is not a name of the first, and an empty group.
    fs::copy(root.join("one"), root.join("a/equal"))?;
    fs::write(root.join("b/empty"), [])?;
    fs::hard_link(root.join("b/empty"), root.join("empty"))
}

fn hard_linked_symlinks(root: &Path) -> io::Result<()> {
    symlink("target", root.join("link"))?;
    linkat(
        CWD,
        root.join("link"),
        CWD,
        root.join("twin"),
        AtFlags::empty(),
    )?;
    set_times(&root.join("link"), (1_100_000_000, 5));
    Ok(())
}
