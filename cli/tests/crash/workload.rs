//! The runs that are interrupted: verb, flags, and what is there before.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::OnceLock;

use blit_conform::tree::{Random, edit_tree, many_small_files, random_tree, set_times};
use blit_conform::{Blit, Snapshot};

/// A run: its verb and flags, and what is at both ends before it.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) verb: &'static str,
    flags: &'static [&'static str],
    source: fn(&Path),
    /// `None` if there is no target yet.
    target: Option<fn(&Path)>,
}

pub(crate) const COPY: Workload = Workload {
    name: "copy of a new tree",
    verb: "copy",
    flags: &[],
    source: plant_source,
    target: None,
};

pub(crate) const COPY_OVER: Workload = Workload {
    name: "copy over an old tree",
    target: Some(plant_old),
    ..COPY
};

pub(crate) const MIRROR: Workload = Workload {
    name: "mirror with deletions and other types",
    verb: "mirror",
    flags: &["-y", "--max-delete", "100%"],
    source: plant_source,
    target: Some(plant_old_and_others),
};

pub(crate) const MOVE: Workload = Workload {
    name: "move over an old tree",
    verb: "move",
    flags: &["-y"],
    source: plant_source,
    target: Some(plant_old),
};

pub(crate) const BATCH: Workload = Workload {
    name: "copy of 1,000 small files",
    source: |source| many_small_files(source, 1_000),
    ..COPY
};

pub(crate) const LARGE_COPY: Workload = Workload {
    name: "copy of a larger tree",
    source: plant_large,
    target: Some(plant_old),
    ..COPY
};

pub(crate) const LARGE_MIRROR: Workload = Workload {
    name: "mirror of a larger tree",
    source: plant_large,
    target: Some(|target| {
        plant_many(target);
        edit_tree(target, 5, 60);
        plant_old_and_others(target);
    }),
    ..MIRROR
};

pub(crate) const LARGE_MOVE: Workload = Workload {
    name: "move of a larger tree",
    source: plant_large,
    target: None,
    ..MOVE
};

impl Workload {
    /// Plants both ends, with the same times in every planting, so that results can be compared.
    pub(crate) fn plant(&self, source: &Path, target: &Path) {
        fs::create_dir_all(source).unwrap();
        (self.source)(source);
        age(source, 1_400_000_000);
        if let Some(plant) = self.target {
            fs::create_dir_all(target).unwrap();
            plant(target);
            age(target, 1_300_000_000);
        }
    }

    /// The command line for it.
    pub(crate) fn blit(&self, source: &Path, target: &Path) -> Blit {
        let mut contents = source.as_os_str().to_owned();
        contents.push("/");
        Blit::at(env!("CARGO_BIN_EXE_blit"))
            .arg(self.verb)
            .arg(contents)
            .arg(target)
            .args(self.flags)
    }
}

fn age(root: &Path, seconds: i64) {
    use std::os::unix::ffi::OsStringExt;
    for path in Snapshot::of(root).paths() {
        let path = root.join(std::ffi::OsString::from_vec(path));
        set_times(&path, (seconds, 123_456_789));
    }
    set_times(root, (seconds, 987_654_321));
}

fn plant_source(source: &Path) {
    write(source, "a", b"new a");
    write(source, "d/b", b"new b");
    write(source, "d/e/c", b"new c");
    write(source, "nothing", b"");
    write(source, "was a directory", b"now a file");
    write(source, "was a file/inner", b"now below a directory");
    write(source, "was a link", b"x");
    write(source, "was a link to a directory/inner", b"never outside");
    write(source, "large", content(1, 3 << 20));
    write(source, "middle", content(7, 90_000));
    fs::create_dir(source.join("empty")).unwrap();
    fs::hard_link(source.join("a"), source.join("d/link of a")).unwrap();
    symlink("a", source.join("symlink")).unwrap();
    for index in 0..12 {
        write(source, &format!("small/{index}"), content(index, 3_000));
    }
}

fn plant_large(source: &Path) {
    plant_many(source);
    plant_source(source);
    write(source, "very large", content(2, 5 << 20));
}

fn plant_many(root: &Path) {
    random_tree(&root.join("random"), 4, 100);
    many_small_files(&root.join("many"), 100);
}

fn plant_old(target: &Path) {
    write(target, "a", b"old a, longer than the new");
    write(target, "d/b", b"old");
    write(target, "d/extra", b"old");
    write(target, "extra", b"old");
    write(target, "large", content(3, 2 << 20));
    for index in 0..6 {
        write(target, &format!("small/{index}"), b"old");
    }
    fs::hard_link(target.join("d/b"), target.join("symlink")).unwrap();
}

fn plant_old_and_others(target: &Path) {
    plant_old(target);
    write(target, "extra directory/deep/inner", b"old");
    write(target, "was a directory/deep/inner", b"old");
    write(target, "was a directory/other", b"old");
    write(target, "was a file", b"old");
    symlink("a", target.join("was a link")).unwrap();
    symlink("../outside", target.join("was a link to a directory")).unwrap();
}

/// Content that is made once, because that takes longer than writing it.
fn content(number: usize, size_bytes: usize) -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    let pool = POOL.get_or_init(|| Random::new(1).bytes(6 << 20));
    &pool[number * 4_111..][..size_bytes]
}

fn write(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
}
