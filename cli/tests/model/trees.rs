//! T1: random trees with nasty names, sizes and metadata, through every verb.

use blit_conform::counted;

use crate::bench;
use crate::command::{Binary, Command, Limit, Verb};
use crate::generate::two_trees;
use crate::story::{Step, Story, play};
use crate::tree::Tree;

#[test]
fn every_verb_carries_a_random_tree_exactly_over_nothing_and_over_another_tree() {
    let (mut entries, mut commands) = (0, 0);
    let (cases, seed) = bench::check((60, 2_000), two_trees, |(source, other, durability)| {
        entries += source.paths().count() + other.paths().count();
        for target in [None, Some(other)] {
            let told = play(
                &through_every_verb(source.clone(), target, durability),
                &Binary,
            );
            commands += told.commands;
            if !told.complaints.is_empty() {
                return Err(format!("{:?}", told.complaints));
            }
        }
        Ok(())
    });
    counted(&format!(
        "random trees (T1): {cases} pairs, {entries} entries, {commands} commands, seed {seed}"
    ));
}

/// Copied where nothing is, or mirrored where another tree is; then compared; in the end moved away.
fn through_every_verb(source: Tree, target: Option<Tree>, durability: &'static str) -> Story {
    let verb = match target {
        None => Verb::Copy,
        Some(_) => Verb::Mirror,
    };
    let carry = Command {
        specials: true,
        durability,
        max_delete: (verb == Verb::Mirror).then_some(Limit::All),
        ..Command::new(verb)
    };
    let dry = Command {
        dry_run: true,
        ..carry.clone()
    };
    let check = Command {
        checksum: verb == Verb::Copy,
        ..Command::new(Verb::Check)
    };
    let away = Command {
        specials: true,
        durability,
        ..Command::new(Verb::Move)
    };
    let mut commands = vec![dry, carry, check];
    commands.extend((verb == Verb::Copy).then_some(away));
    Story {
        source,
        target,
        steps: commands.into_iter().map(Step::Run).collect(),
    }
}
