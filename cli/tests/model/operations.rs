//! T2: random stories of edits and commands; after each command everything is as promised.

use blit_conform::counted;

use crate::bench;
use crate::command::Binary;
use crate::generate::stories;
use crate::story::play;

#[test]
fn after_every_step_of_a_random_story_both_trees_are_what_was_promised() {
    let (mut commands, mut edits, mut dry_runs) = (0, 0, 0);
    let (cases, seed) = bench::check((100, 10_000), stories, |story| {
        let told = play(&story, &Binary);
        commands += told.commands;
        edits += told.edits;
        dry_runs += told.dry_runs;
        match told.complaints.is_empty() {
            true => Ok(()),
            false => Err(format!("{:?}", told.complaints)),
        }
    });
    counted(&format!(
        "random stories (T2): {cases}, {commands} commands, {edits} edits, {dry_runs} dry runs \
         compared, seed {seed}"
    ));
}
