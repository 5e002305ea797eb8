//! The manual pages: one for blit, one for each verb.

use crate::Page;
use clap::Command;
use clap_mangen::Man;

/// The pages of `command` and of everything beneath it that help shows.
pub(crate) fn pages(command: &Command) -> eyre::Result<Vec<Page>> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    gather(&command, command.get_name(), &mut pages)?;
    Ok(pages)
}

fn gather(command: &Command, name: &str, pages: &mut Vec<Page>) -> eyre::Result<()> {
    let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
    for verb in visible {
        gather(verb, &format!("{name}-{}", verb.get_name()), pages)?;
    }
    let mut text = Vec::new();
    Man::new(command.clone())
        .title(name)
        .source(concat!("blit ", env!("CARGO_PKG_VERSION")))
        .render(&mut text)?;
    pages.push(Page {
        path: format!("docs/man/{name}.1"),
        text: String::from_utf8(text)?,
    });
    Ok(())
}
