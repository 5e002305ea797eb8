//! `blit completions`: the script that makes a shell ask blit.

use clap_complete::env::{EnvCompleter, Shells};

use crate::{
    app::App,
    args::{CompletionsArgs, Shell, command},
    errors::Result,
    exit::Exit,
};

pub(super) fn run(app: &App, args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    match registered(args.shell) {
        Some(name) => {
            let shells = Shells::builtins();
            if let Some(shell) = shells.completer(name) {
                register(shell, &mut script)?;
            }
        }
        None => clap_complete::generate(
            clap_complete_nushell::Nushell,
            &mut command(),
            "blit",
            &mut script,
        ),
    }
    app.ui.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// The name of a shell that can ask; nushell gets a fixed list.
fn registered(shell: Shell) -> Option<&'static str> {
    match shell {
        Shell::Bash => Some("bash"),
        Shell::Elvish => Some("elvish"),
        Shell::Fish => Some("fish"),
        Shell::Nushell => None,
        Shell::Powershell => Some("powershell"),
        Shell::Zsh => Some("zsh"),
    }
}

fn register(shell: &dyn EnvCompleter, script: &mut Vec<u8>) -> std::io::Result<()> {
    shell.write_registration(crate::complete::VARIABLE, "blit", "blit", "blit", script)
}
