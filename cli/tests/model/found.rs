//! What the random stories have found, each as a short story of its own.

use crate::command::{Binary, Command, Limit, Pattern, Verb};
use crate::story::{Step, Story, play};
use crate::tree::{Body, Content, Meta, Node, Path, Tree};

/// Plays the commands on trees like `a = 1` (a file of seed 1), `a = 1 at 5` (with that time), `b = a` (another name of it), `d/` and
/// `f = fifo`, and complains of the first promise that is not kept.
#[track_caller]
fn keeps(source: &str, target: Option<&str>, commands: &[Command]) {
    complain_of_nothing(&story(source, target, commands));
}

#[track_caller]
fn complain_of_nothing(story: &Story) {
    let told = play(story, &Binary);
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
    assert_eq!(told.commands, story.steps.len());
}

fn story(source: &str, target: Option<&str>, commands: &[Command]) -> Story {
    Story {
        source: plant(source),
        target: target.map(plant),
        steps: commands.iter().cloned().map(Step::Run).collect(),
    }
}

/// Random stories seldom have a mirror in which something fails.
pub(crate) fn something_fails_in_a_mirror() -> Story {
    story(
        "c = 5, d = 1",
        Some("d/, d/x.log = 2, d/y = 3, extra = 4"),
        &[without_logs(Verb::Mirror)],
    )
}

pub(crate) fn plant(text: &str) -> Tree {
    let directory = || node(Body::Directory, 0o755, 7);
    let mut tree = Tree::new(directory());
    for line in text.split(", ").filter(|line| !line.is_empty()) {
        let (name, what) = line.split_once(" = ").unwrap_or((line, ""));
        let path: Path = name
            .split('/')
            .filter(|name| !name.is_empty())
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let (what, mode) = match what.split_once(" mode ") {
            Some((what, mode)) => (what, u32::from_str_radix(mode, 8).unwrap()),
            None => (what, 0o644),
        };
        let (what, time) = match what.split_once(" at ") {
            Some((what, time)) => (what, time.parse().ok()),
            None => (what, None),
        };
        match what.parse::<u64>() {
            Ok(seed) => {
                let data = vec![(0, SIZE)];
                let size = SIZE;
                let content = Content { seed, size, data };
                tree.put(
                    path,
                    node(Body::File(content), mode, time.unwrap_or(seed as i64)),
                );
            }
            Err(_) if what.is_empty() => drop(tree.put(path, directory())),
            Err(_) if what == "fifo" => drop(tree.put(path, node(Body::Fifo, mode, 9))),
            Err(_) => {
                let leader: Path = what.split('/').map(|it| it.as_bytes().to_vec()).collect();
                let leader = tree.id(&leader).unwrap();
                tree.link(path, leader);
            }
        }
    }
    tree
}

fn node(body: Body, mode: u32, time: i64) -> Node {
    let meta = Meta {
        mode,
        owner: 0,
        time: (1_500_000_000, time),
        attributes: [].into(),
    };
    Node {
        body,
        meta,
        changed: 0,
    }
}

fn without_logs(verb: Verb) -> Command {
    Command {
        exclude: vec![Pattern { text: "*.log" }],
        ..Command::new(verb)
    }
}

const SIZE: u64 = 100;

#[test]
fn hard_links_that_are_there_are_no_difference_by_content() {
    let by_content = |verb| Command {
        checksum: true,
        ..Command::new(verb)
    };
    let commands = [by_content(Verb::Copy), by_content(Verb::Check)];
    keeps("a = 1, b = a", None, &commands);
    keeps("a = 1, b = a", Some("a = 1, b = a"), &commands);
}

#[test]
fn hard_links_get_new_content_together_by_content() {
    let copy = Command {
        checksum: true,
        ..Command::new(Verb::Copy)
    };
    keeps("a = 1, b = a", Some("a = 2, b = a"), &[copy]);
    keeps(
        "a = 1, b = a",
        Some("a = 2, b = a"),
        &[Command::new(Verb::Move)],
    );
}

#[test]
fn files_that_share_an_inode_at_the_target_get_their_own_modes() {
    keeps(
        "a = 1 mode 600, b = 1 mode 644",
        Some("a = 1, b = a"),
        &[Command::new(Verb::Mirror)],
    );
}

#[test]
fn a_hard_link_parts_from_a_stranger_and_stays_with_its_own() {
    keeps(
        "a = 1, b = 1, c = b",
        Some("a = 1, b = a, c = a"),
        &[Command::new(Verb::Mirror)],
    );
}

#[test]
fn moved_files_of_equal_content_do_not_stay_one_file() {
    keeps(
        "a = 1 mode 600, b = 1",
        Some("a = 1, b = a"),
        &[Command::new(Verb::Move)],
    );
}

#[test]
fn a_name_that_is_refused_does_not_stop_the_other_names_of_its_file() {
    keeps(
        "a = 1, b = a",
        Some("a/, a/x = 2"),
        &[Command::new(Verb::Copy)],
    );
}

#[test]
fn a_hard_link_takes_the_place_of_a_whole_directory() {
    keeps(
        "a = 1, b = a",
        Some("a = 2, b/, b/x = 3"),
        &[Command::new(Verb::Mirror)],
    );
}

#[test]
fn what_a_directory_holds_counts_before_a_hard_link_takes_its_place() {
    let mirror = Command {
        max_delete: Some(Limit::Entries(1)),
        ..Command::new(Verb::Mirror)
    };
    keeps(
        "a = 1, b = a",
        Some("a = 2, b/, b/x = 3, b/y = 4"),
        &[mirror],
    );
}

#[test]
fn what_is_excluded_keeps_its_directory_from_being_replaced() {
    complain_of_nothing(&something_fails_in_a_mirror());
}

#[test]
fn a_directory_that_stays_for_what_is_excluded_needs_no_question() {
    let unasked = Command {
        yes: false,
        ..without_logs(Verb::Mirror)
    };
    let none = Command {
        max_delete: Some(Limit::Entries(0)),
        ..without_logs(Verb::Mirror)
    };
    keeps(
        "a = 1",
        Some("a = 1, d/, d/e/, d/e/x.log = 2"),
        &[unasked, none],
    );
}

#[test]
fn a_mirror_deletes_nothing_in_an_excluded_directory_of_an_extra_one() {
    let all = Command {
        max_delete: Some(Limit::All),
        ..without_logs(Verb::Mirror)
    };
    let target = "d/, d/e.log/, d/e.log/f/, d/e.log/f/x = 1, d/e.log/y = 2";
    keeps("", Some(target), std::slice::from_ref(&all));
    keeps("a = 3", Some(target), &[all]);
}

#[test]
fn a_dry_run_is_refused_for_a_directory_that_a_file_replaces_as_the_run_itself_is() {
    let one = |dry_run| Command {
        dry_run,
        max_delete: Some(Limit::Entries(1)),
        ..Command::new(Verb::Mirror)
    };
    let target = Some("d/, d/x = 2, d/y = 3");
    keeps("d = 1", target, &[one(true), one(false)]);
}

#[test]
fn a_file_whose_other_name_is_replaced_meanwhile_has_not_changed() {
    let by_content = |verb| Command {
        checksum: true,
        ..Command::new(verb)
    };
    for source in [
        "d/, x = 1",
        "d/, x = 2",
        "d/, x = 1 mode 600",
        "d = 3, x = 1",
    ] {
        for verb in [Verb::Copy, Verb::Mirror, Verb::Move] {
            let commands = [Command::new(verb)];
            keeps(source, Some("d = 1, x = d"), &commands);
            keeps(source, Some("d = 1, x = d"), &[by_content(verb)]);
        }
    }
}

#[test]
fn a_mirror_deletes_an_extra_name_of_a_file_that_gets_only_another_time() {
    let plain = Command {
        checksum: true,
        max_delete: Some(Limit::All),
        ..Command::new(Verb::Mirror)
    };
    let backup = Command {
        backup: true,
        ..plain.clone()
    };
    for extra in ["a", "z"] {
        let target = format!("m = 1, {extra} = m");
        keeps("m = 1 at 5", Some(&target), std::slice::from_ref(&plain));
        keeps("m = 1 at 5", Some(&target), std::slice::from_ref(&backup));
    }
}

#[test]
fn a_dry_run_from_an_empty_source_is_not_refused_where_everything_stays() {
    let dry = Command {
        dry_run: true,
        max_delete: Some(Limit::Entries(0)),
        ..without_logs(Verb::Mirror)
    };
    keeps("", Some("d/, d/x.log = 1"), &[dry]);
}

#[test]
fn ignore_existing_leaves_a_file_where_the_source_has_a_directory() {
    let ignore_existing = |verb| Command {
        ignore_existing: true,
        ..Command::new(verb)
    };
    keeps(
        "d/, d/x = 1",
        Some("d = 2"),
        &[ignore_existing(Verb::Copy), ignore_existing(Verb::Move)],
    );
}

#[test]
fn a_move_with_rules_still_says_what_cannot_be_carried() {
    let update = Command {
        update: true,
        ..Command::new(Verb::Move)
    };
    keeps("a = 1, f = fifo", None, &[update]);
}

#[test]
fn a_target_that_is_not_there_differs_from_an_empty_source() {
    keeps("", None, &[Command::new(Verb::Check)]);
}

#[test]
fn a_dry_run_tells_of_the_metadata_of_directories() {
    let dry = Command {
        dry_run: true,
        ..Command::new(Verb::Copy)
    };
    keeps(
        "b/, b/c = 1",
        Some("b/, b/c = 2"),
        &[dry.clone(), Command::new(Verb::Copy)],
    );
}

#[test]
fn a_directory_in_which_something_is_done_gets_no_new_metadata_by_that() {
    let by_content = |dry_run| Command {
        checksum: true,
        dry_run,
        ..Command::new(Verb::Copy)
    };
    keeps(
        "a = 1, b/, b/c = a, d/, d/e = 2",
        Some("a = 3, b/, b/c = a, d/"),
        &[by_content(true), by_content(false)],
    );
}

#[test]
fn a_fifo_in_a_directory_that_is_left_alone_stays_behind_and_is_named() {
    let moved = Command {
        ignore_existing: true,
        ..Command::new(Verb::Move)
    };
    let foretold = Command {
        dry_run: true,
        ..moved.clone()
    };
    keeps("d/, d/f = fifo", Some("d = 1"), &[foretold, moved]);
}

#[test]
fn a_file_whose_other_name_is_kept_in_a_backup_has_not_changed() {
    let mirror = Command {
        checksum: true,
        backup: true,
        yes: true,
        ..Command::new(Verb::Mirror)
    };
    keeps("c = 1, d/, d/e = c", Some("c = 1, d = c"), &[mirror]);
}
