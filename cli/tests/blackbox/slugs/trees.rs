//! Trees with something in the way: other types, other owners, other marks.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;

use blit_conform::{need_root, skip};
use rustix::fs::{CWD, IFlags, Mode, ioctl_setflags, mkfifoat};

use super::Scene;
use crate::bench::Pair;
use crate::mirror::own_by_nobody;

pub(super) fn directory_in_the_way() -> Option<Scene> {
    let pair = Pair::with(&[("name", "a file"), ("other", "content")])
        .and_target(&[("name/inner", "precious")]);
    Some(Scene::pair(pair, "copy", &[]))
}

pub(super) fn empty_source() -> Option<Scene> {
    let pair = Pair::new().and_target(&[("a", "content"), ("b", "content")]);
    Some(Scene::pair(pair, "mirror", &["-y"]))
}

pub(super) fn fifo() -> Option<Scene> {
    let pair = Pair::with(&[("file", "content")]);
    mkfifoat(CWD, pair.source.join("pipe"), Mode::RUSR).unwrap();
    Some(Scene::pair(pair, "copy", &[]))
}

/// A file that nobody may change, as long as this lives.
struct Immutable(File);

impl Drop for Immutable {
    fn drop(&mut self) {
        let _ = ioctl_setflags(&self.0, IFlags::empty());
    }
}

pub(super) fn immutable() -> Option<Scene> {
    if !need_root("to set the flag") {
        return None;
    }
    let pair = Pair::with(&[("file", "new"), ("other", "content")]).and_target(&[("file", "old")]);
    let file = Immutable(File::open(pair.target.join("file")).unwrap());
    if ioctl_setflags(&file.0, IFlags::IMMUTABLE).is_err() {
        skip("this file system has no immutable flag");
        return None;
    }
    Some(Scene::mounted(pair, file, "copy", &[]))
}

pub(super) fn nobody_to_ask() -> Option<Scene> {
    let pair = Pair::with(&[("file", "content")]).and_target(&[("extra", "x"), ("more", "x")]);
    Some(Scene::pair(pair, "mirror", &[]))
}

/// A source with a file that is only root's, and a target that is nobody's.
fn with_a_secret() -> Option<Pair> {
    if !need_root("to run as somebody who may not read") {
        return None;
    }
    let pair = Pair::with(&[("a", "content"), ("secret", "hidden")]).and_target(&[("extra", "x")]);
    fs::set_permissions(pair.source.join("secret"), Permissions::from_mode(0o600)).unwrap();
    own_by_nobody(&pair);
    Some(pair)
}

const WITHOUT_OWNERS: [&str; 2] = ["--preserve", "times"];

pub(super) fn unreadable() -> Option<Scene> {
    Some(Scene::pair(with_a_secret()?, "copy", &WITHOUT_OWNERS).by_nobody())
}

pub(super) fn unreadable_beside_extra() -> Option<Scene> {
    let flags = ["-y", "--preserve", "times"];
    Some(Scene::pair(with_a_secret()?, "mirror", &flags).by_nobody())
}

pub(super) fn unwritable() -> Option<Scene> {
    if !need_root("to run as somebody who may not write") {
        return None;
    }
    let pair = Pair::with(&[("file", "content")]).and_target(&[]);
    Some(Scene::pair(pair, "copy", &[]).by_nobody())
}
