//! What a dry run told, beside what the real run then did (C7).
//!
//! Directories are listed by several threads, so which name of a file with several comes first is
//! nobody's business. It decides which of them are made: a new name that comes first gets the content,
//! and the others are linked to it; one that comes after a name that is there already is linked to that.
//! Of such a file both lists must be right, but need not be the same.

use std::collections::{BTreeMap, BTreeSet};

use blit_contract::{Name, RelPath};

use crate::tree::{Id, Path, Tree};

/// Where the path begins in a line: `create   d/f`.
const PATH_AT: usize = 9;

/// The names that are made of each file with several.
pub(crate) type Made = BTreeMap<Id, BTreeSet<String>>;

/// Whether both lists are right. `answers` are the trees that can come of it, one for each order.
pub(crate) fn agree(
    (told, done): (&[String], &[String]),
    source: &Tree,
    before: Option<&Tree>,
    answers: &[Tree],
) -> bool {
    let shared = shared_names(source);
    let ((told, told_made), (done, done_made)) = (split(told, &shared), split(done, &shared));
    let answers: Vec<Made> = answers
        .iter()
        .map(|after| made(&shared, before, after))
        .collect();
    let is_right = |made: &Made| {
        shared
            .values()
            .all(|(id, _)| answers.iter().any(|answer| answer.get(id) == made.get(id)))
    };
    told == done && is_right(&told_made) && is_right(&done_made)
}

/// The names of files of the source that have several, as they are told.
fn shared_names(source: &Tree) -> BTreeMap<String, (Id, Path)> {
    let several = |path: &&Path| source.id(path).is_some_and(|id| source.links(id) > 1);
    let named = |path: &Path| {
        let components = path.iter().map(|name| Name::new(name.as_slice()).unwrap());
        let told = components.fold(RelPath::ROOT, |above, name| above.join(name));
        (told.to_string(), (source.id(path).unwrap(), path.clone()))
    };
    source.paths().filter(several).map(named).collect()
}

/// The lines that tell of anything else, and the names that are made of files with several.
fn split<'a>(lines: &'a [String], shared: &BTreeMap<String, (Id, Path)>) -> (Vec<&'a str>, Made) {
    let (mut others, mut made) = (Vec::new(), Made::new());
    for line in lines {
        let name = line.get(PATH_AT..).unwrap_or_default();
        match shared.get(name) {
            Some((id, _)) => {
                made.entry(*id).or_default().insert(name.to_owned());
            }
            None => others.push(line.as_str()),
        }
    }
    (others, made)
}

/// The names that stand for another object afterwards.
fn made(shared: &BTreeMap<String, (Id, Path)>, before: Option<&Tree>, after: &Tree) -> Made {
    let mut made = Made::new();
    for (name, (id, path)) in shared {
        let was = before.and_then(|tree| tree.id(path));
        if was.is_none() || was != after.id(path) {
            made.entry(*id).or_default().insert(name.clone());
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Verb};
    use crate::found::plant;
    use crate::oracle::{Order, promise};

    /// What the story of seed 20261130613 came to, in short: `x` got the new name `f/e`.
    fn agree(told: &[&str], done: &[&str]) -> bool {
        let (source, before) = (
            plant("b/, f/, b/d = 1, f/e = b/d, y = 2"),
            plant("b/, f/, b/d = 1"),
        );
        let answers: Vec<Tree> = Order::ALL
            .into_iter()
            .map(|order| {
                let mirror = Command::new(Verb::Mirror);
                let promised = promise(&mirror, &source, Some(&before), order, 9);
                promised.target.unwrap()
            })
            .collect();
        let lines = |lines: &[&str]| lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        super::agree(
            (&lines(told), &lines(done)),
            &source,
            Some(&before),
            &answers,
        )
    }

    #[test]
    fn a_dry_run_and_the_run_may_meet_the_names_of_a_file_in_another_order() {
        let new_name_first = ["create   b/d", "create   f/e", "create   y"];
        let old_name_first = ["create   f/e", "create   y"];
        assert!(agree(&new_name_first, &old_name_first));
        assert!(agree(&old_name_first, &new_name_first));
    }

    #[test]
    fn what_no_order_makes_of_a_file_with_several_names_is_found() {
        let right = ["create   f/e", "create   y"];
        assert!(!agree(&["create   b/d", "create   y"], &right));
        assert!(!agree(&["create   y"], &right));
        assert!(!agree(&right, &["create   y"]));
    }

    #[test]
    fn other_files_must_be_told_of_exactly() {
        let new_name_first = ["create   b/d", "create   f/e", "create   y"];
        assert!(!agree(&new_name_first, &["create   f/e"]));
        assert!(!agree(&new_name_first, &["create   f/e", "update   y"]));
    }
}
