//! What the process lacks: somebody who says yes, descriptors, threads, room for its output.

use blit_conform::{need_root, need_tool};

use super::Scene;

pub(super) fn full_output() -> Option<Scene> {
    let words = ["sh", "-c", "exec \"$@\" > /dev/full", "sh"];
    Some(Scene::typed(&["find", "tree"]).under(&words))
}

pub(super) fn no_descriptor() -> Option<Scene> {
    // Enough to load the program, and not enough to wait for anything.
    let scene = Scene::typed(&["copy", "tree", "new"]);
    need_tool("prlimit").then(|| scene.under(&["prlimit", "--nofile=4"]))
}

pub(super) fn no_thread() -> Option<Scene> {
    if !need_root("to be somebody who is bound by limits") || !need_tool("prlimit") {
        return None;
    }
    let scene = Scene::typed(&["copy", "tree", "new"]).by_nobody();
    Some(scene.under(&["prlimit", "--nproc=1"]))
}

pub(super) fn no_to_a_missing_slash() -> Option<Scene> {
    let scene = Scene::typed(&["copy", "tree", "there"]).and("there/file", "older");
    need_tool("script").then(|| scene.at_a_terminal("n\n"))
}

pub(super) fn no_to_deleting() -> Option<Scene> {
    let scene = Scene::typed(&["rm", "-r", "tree"]);
    need_tool("script").then(|| scene.at_a_terminal("n\n"))
}
