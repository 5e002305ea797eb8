//! What typed words alone bring about.

use super::Scene;

fn typed(words: &[&str]) -> Option<Scene> {
    Some(Scene::typed(words))
}

fn with_settings(text: &str) -> Option<Scene> {
    let words = ["copy", "--config", "settings.toml", "tree", "new"];
    Some(Scene::typed(&words).and("settings.toml", text))
}

pub(super) fn absent() -> Option<Scene> {
    typed(&["copy", "absent", "new"])
}

pub(super) fn audit_log_of_other_lines() -> Option<Scene> {
    let scene = typed(&["audit", "verify", "audit.jsonl"])?;
    Some(scene.and("audit.jsonl", "{\"seq\":1,\"prev\":\"none\"}\n"))
}

pub(super) fn broken_settings() -> Option<Scene> {
    with_settings("color = \"auto\"\n= broken")
}

pub(super) fn contents_of_a_file() -> Option<Scene> {
    typed(&["copy", "tree/file/", "new"])
}

pub(super) fn directory_without_r() -> Option<Scene> {
    typed(&["rm", "-y", "tree"])
}

pub(super) fn habit() -> Option<Scene> {
    typed(&["copy", "--delete", "tree", "new"])
}

pub(super) fn impossible_setting() -> Option<Scene> {
    with_settings("[output]\ncolor = \"mauve\"\n")
}

pub(super) fn into_itself() -> Option<Scene> {
    typed(&["copy", "tree/", "tree/inner"])
}

pub(super) fn invitation_that_is_none() -> Option<Scene> {
    typed(&["pair", "nas", "blit-join-x"])
}

pub(super) fn missing_settings() -> Option<Scene> {
    typed(&["copy", "--config", "absent.toml", "tree", "new"])
}

pub(super) fn no_endpoint() -> Option<Scene> {
    typed(&["copy", "tree", "nas::photos"])
}

pub(super) fn not_yet() -> Option<Scene> {
    typed(&["copy", "--follow", "tree", "new"])
}

pub(super) fn one_name_twice() -> Option<Scene> {
    typed(&["copy", "tree/file", "tree/inner/file", "new"])
}

pub(super) fn pattern_that_is_none() -> Option<Scene> {
    typed(&["copy", "--exclude", "[", "tree", "new"])
}

pub(super) fn root() -> Option<Scene> {
    typed(&["rm", "-r", "-y", "."])
}

pub(super) fn two_sources_elsewhere() -> Option<Scene> {
    typed(&["copy", "nas:/photos/", "pc:/photos/", "new/"])
}

pub(super) fn stranger_to_forget() -> Option<Scene> {
    typed(&["remote", "remove", "nobody"])
}

pub(super) fn unknown_flag() -> Option<Scene> {
    typed(&["copy", "--frobnicate", "tree", "new"])
}

pub(super) fn unknown_key() -> Option<Scene> {
    with_settings("\nfrobnicate = 1\n")
}

pub(super) fn unknown_topic() -> Option<Scene> {
    typed(&["help", "frobnication"])
}

pub(super) fn unknown_verb() -> Option<Scene> {
    typed(&["frobnicate"])
}

pub(super) fn unpaired() -> Option<Scene> {
    typed(&["copy", "tree", "nas:/photos"])
}
