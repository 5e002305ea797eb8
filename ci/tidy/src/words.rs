//! Words: one for each thing, none cut short, and no note without an address.

use crate::{SourceFile, Workspace};

/// Words that our names do not use, and what we say instead (docs/GLOSSARY.md).
const WORDS: &[(&str, &str)] = &[
    ("blacklist", "deny list"),
    ("cnt", "count"),
    ("ctx", "cx"),
    ("dest", "target"),
    ("destination", "target"),
    ("dst", "target"),
    ("idx", "index"),
    ("mgr", "what it does"),
    ("msg", "message"),
    ("src", "source"),
    ("whitelist", "allow list"),
];

/// What marks a note. Written in two halves, because this file is checked as well.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Names use the project's words, and no function is called `get_…`.
#[must_use]
pub fn words(workspace: &Workspace) -> Vec<String> {
    let mut found = Vec::new();
    for (_, source) in workspace.sources() {
        names(source, &mut found);
    }
    found
}

/// A note names its issue, and there is one way to write it: the work to do, then `(#123)`.
#[must_use]
pub fn notes(workspace: &Workspace) -> Vec<String> {
    let rust = workspace.sources().map(|(_, it)| (&it.path, &it.text));
    let texts = workspace.texts.iter().map(|(path, text)| (path, text));
    let mut found = Vec::new();
    for (path, text) in rust.chain(texts) {
        for (line, content) in (1..).zip(text.lines()) {
            if is_loose_note(content) {
                found.push(format!(
                    "{path}:{line} a note needs the number of its issue"
                ));
            }
        }
    }
    found
}

fn names(source: &SourceFile, found: &mut Vec<String>) {
    let mut after_fn = false;
    source.identifiers(|identifier| {
        let name = identifier.to_string();
        let line = identifier.span().start().line;
        if after_fn && name.starts_with("get_") {
            found.push(format!(
                "{}:{line} {name}: say what it is, without get_",
                source.path
            ));
        }
        after_fn = name == "fn";
        for part in name.split('_').map(str::to_lowercase) {
            if let Some((_, better)) = WORDS.iter().find(|(word, _)| *word == part) {
                found.push(format!("{}:{line} {name}: we say {better}", source.path));
            }
        }
    });
}

fn is_loose_note(line: &str) -> bool {
    NOTES.iter().any(|note| {
        line.match_indices(note).any(|(at, _)| {
            let rest = &line[at + note.len()..];
            is_word(line, at, note.len()) && !(*note == NOTES[0] && has_number(rest))
        })
    })
}

fn is_word(line: &str, at: usize, length: usize) -> bool {
    let joins = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    !joins(line[..at].chars().next_back()) && !joins(line[at + length..].chars().next())
}

/// Whether `rest` begins with `(#`, digits and `)`.
fn has_number(rest: &str) -> bool {
    let number = rest.strip_prefix("(#").and_then(|it| it.split_once(')'));
    number.is_some_and(|(digits, _)| {
        !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imagined;

    fn with_source(text: &str) -> Workspace {
        let mut workspace = imagined::workspace();
        imagined::add_source(&mut workspace, "core/plan", "core/plan/src/words.rs", text);
        workspace
    }

    #[test]
    fn a_word_that_we_do_not_use_is_found_with_the_one_that_we_do() {
        assert_eq!(
            words(&with_source("\nfn copy(dst_path: u8) {}\n")),
            ["core/plan/src/words.rs:2 dst_path: we say target"]
        );
    }

    #[test]
    fn a_getter_is_found() {
        assert_eq!(
            words(&with_source("fn get_name() {}\n")),
            ["core/plan/src/words.rs:1 get_name: say what it is, without get_"]
        );
    }

    #[test]
    fn calling_a_foreign_getter_is_fine() {
        assert!(words(&with_source("fn name() { table.get_mut(); }\n")).is_empty());
    }

    #[test]
    fn a_word_inside_another_is_fine() {
        assert!(words(&with_source("struct Destiny { msgpack: u8 }\n")).is_empty());
    }

    #[test]
    fn a_note_without_a_number_is_found() {
        for marker in NOTES {
            let workspace = with_source(&format!("\n// {marker}: later\n"));
            assert_eq!(
                notes(&workspace),
                ["core/plan/src/words.rs:2 a note needs the number of its issue"]
            );
        }
    }

    #[test]
    fn a_note_in_a_script_is_found() {
        let mut workspace = imagined::workspace();
        workspace
            .texts
            .push(("ci/test".to_owned(), format!("# {}\n", NOTES[0])));
        assert_eq!(
            notes(&workspace),
            ["ci/test:1 a note needs the number of its issue"]
        );
    }

    #[test]
    fn a_note_with_its_number_is_fine() {
        assert!(notes(&with_source(&format!("// {}(#12): later\n", NOTES[0]))).is_empty());
    }
}
