//! Where `unsafe` may stand, and who has sworn never to use it.

use crate::{Folder, SourceFile, Workspace};

/// `unsafe` stands only in `sys` modules, and in the two places that cross a C border.
#[must_use]
pub fn unsafety(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for (member, source) in workspace.sources() {
        if source.is_sys() || crosses_a_border(&member.path) {
            continue;
        }
        source.identifiers(|identifier| {
            if identifier == "unsafe" {
                let line = identifier.span().start().line;
                found.push(format!(
                    "{}:{line} `unsafe` belongs in a sys module",
                    source.path
                ));
            }
        });
    }
    found
}

/// The crates that need no `unsafe` forbid it, so that no `sys` module can appear there.
#[must_use]
pub fn forbids(workspace: &Workspace) -> Vec<String> {
    workspace
        .sources()
        .filter(|(member, source)| must_forbid(&member.path) && is_root(member, source))
        .filter(|(_, source)| !source.forbids_unsafe())
        .map(|(_, source)| format!("{} must say #![forbid(unsafe_code)]", source.path))
        .collect()
}

fn crosses_a_border(folder: &str) -> bool {
    folder == "core/host" || folder.starts_with("sdk/")
}

/// What cannot do without: the C border; what is done between fork and exec so that Ctrl-C does not end an
/// ssh that may be asking for a password; and a question to the kernel that no library of ours asks.
const NOT_WITHOUT: [&str; 3] = ["core/host", "core/reach", "core/doctor"];

fn must_forbid(folder: &str) -> bool {
    let in_core = folder.starts_with("core/") && !NOT_WITHOUT.contains(&folder);
    in_core || folder == "cli" || folder == "conformance"
}

fn is_root(member: &Folder, source: &SourceFile) -> bool {
    let inside = source.path.strip_prefix(&member.path);
    matches!(inside, Some("/src/lib.rs" | "/src/main.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    const UNSAFE: &str = "fn a() {\n    unsafe { call() }\n}\n";

    fn with_source(folder: &str, path: &str, text: &str) -> Workspace {
        let mut workspace = imagined::workspace();
        imagined::add_source(&mut workspace, folder, path, text);
        workspace
    }

    #[test]
    fn unsafe_outside_a_sys_module_is_found() {
        let workspace = with_source("transports/mem", "transports/mem/src/stream.rs", UNSAFE);
        assert_eq!(
            unsafety(&workspace),
            ["transports/mem/src/stream.rs:2 `unsafe` belongs in a sys module"]
        );
    }

    #[test]
    fn unsafe_inside_a_macro_call_is_found() {
        let text = "fn a() { call!(unsafe { b() }); }\n";
        let workspace = with_source("transports/mem", "transports/mem/src/stream.rs", text);
        assert_eq!(unsafety(&workspace).len(), 1);
    }

    #[test]
    fn unsafe_in_a_sys_module_is_allowed() {
        for path in [
            "transports/mem/src/sys.rs",
            "transports/mem/src/sys/linux.rs",
        ] {
            assert!(unsafety(&with_source("transports/mem", path, UNSAFE)).is_empty());
        }
    }

    #[test]
    fn the_word_in_a_comment_or_a_lint_is_nothing() {
        let text = "#![deny(unsafe_code)]\n// unsafe is not here\n";
        let workspace = with_source("transports/mem", "transports/mem/src/stream.rs", text);
        assert!(unsafety(&workspace).is_empty());
    }

    #[test]
    fn a_core_crate_that_does_not_forbid_is_found() {
        let workspace = with_source(
            "core/plan",
            "core/plan/src/main.rs",
            "#![deny(unsafe_code)]\n",
        );
        assert_eq!(
            forbids(&workspace),
            ["core/plan/src/main.rs must say #![forbid(unsafe_code)]"]
        );
    }

    #[test]
    fn a_plugin_need_not_forbid() {
        let mut workspace = imagined::workspace();
        imagined::member_of(&mut workspace, "transports/mem")
            .sources
            .clear();
        imagined::add_source(
            &mut workspace,
            "transports/mem",
            "transports/mem/src/lib.rs",
            "",
        );
        assert!(forbids(&workspace).is_empty());
    }
}
