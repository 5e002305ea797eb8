//! `blit completions`: the script that makes a shell ask blit.

use crate::{
    app::App,
    args::{CompletionsArgs, command},
    errors::Result,
    exit::Exit,
};

pub(super) fn run(app: &App, args: &CompletionsArgs) -> Result<Exit> {
    let script = blit_complete::script(args.shell, command())?;
    app.ui.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
