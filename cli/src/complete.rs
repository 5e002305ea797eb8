//! Completion: the shell asks, blit answers from the same table that parses, and from the machines that
//! places are on.

use std::sync::Arc;

use blit_bundled::Lanes;
use blit_complete::Completer;
use blit_config::{Flags, Paths, Sources};

use crate::args::command;

/// Answers a question of the shell, if this is one, and then does not return.
pub(crate) fn answer() {
    blit_complete::answer(command, completer);
}

/// `None` for whoever does not want other machines to be asked, or whose settings cannot be read.
fn completer() -> Option<Completer> {
    let loaded = Sources::of_this_user(None, Flags::default()).load().ok()?;
    loaded.settings.completion.remote.then_some(())?;
    Some(Completer {
        state: blit_reach::state()?,
        cache: Paths::of_this_user().map(|paths| paths.cache),
        lanes: Arc::<Lanes>::default(),
    })
}
