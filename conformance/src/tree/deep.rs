//! Trees that are too deep for any path string: case 15.

use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::write;

/// `depth` directories, one in the other, with names of `name_bytes`; a file at every hundredth
/// level and at the bottom.
///
/// # Panics
/// When it cannot be built.
pub fn deep_tree(root: &Path, depth: usize, name_bytes: usize) {
    std::fs::create_dir_all(root).expect("the root");
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, root, open, Mode::empty()).expect("the root");
    for level in 1..=depth {
        let name = format!("{level:0name_bytes$}");
        mkdirat(&here, name.as_str(), Mode::RWXU).expect("one level more");
        here = openat(&here, name.as_str(), open, Mode::empty()).expect("that level");
        if level % 100 == 0 || level == depth {
            let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = openat(&here, "file", create, Mode::RUSR).expect("a file there");
            write(&file, name.as_bytes()).expect("its content");
        }
    }
}
