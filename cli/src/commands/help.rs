//! `blit help`: verbs from the parser, topics from pages that are compiled in.

use crate::{
    app::App,
    args::{HelpArgs, command},
    errors::{Result, Slug, UserError},
    exit::Exit,
};

/// The topics and their pages.
const TOPICS: &[(&str, &str)] = &[
    ("paths", include_str!("../../../docs/help/paths.md")),
    ("filters", include_str!("../../../docs/help/filters.md")),
    ("errors", include_str!("../../../docs/help/errors.md")),
    (
        "exit-codes",
        include_str!("../../../docs/help/exit-codes.md"),
    ),
    ("json", include_str!("../../../docs/help/json.md")),
    ("env", include_str!("../../../docs/help/env.md")),
];

pub(super) fn run(app: &App, args: &HelpArgs) -> Result<Exit> {
    let text = match args.about.as_deref() {
        None => command().render_help().to_string(),
        Some(about) => page(about).ok_or_else(|| unknown(about))?,
    };
    app.ui.text(&text)?;
    Ok(Exit::Ok)
}

fn page(about: &str) -> Option<String> {
    if let Some(slug) = about.strip_prefix("errors/") {
        return section(topic("errors")?, slug);
    }
    match topic(about) {
        Some(page) => Some(page.to_owned()),
        None => verb(about),
    }
}

fn topic(name: &str) -> Option<&'static str> {
    let found = TOPICS.iter().find(|(topic, _)| *topic == name);
    found.map(|(_, page)| *page)
}

fn verb(name: &str) -> Option<String> {
    let mut command = command();
    // Without this the usage line would not say `blit`.
    command.build();
    let verb = command.find_subcommand_mut(name)?;
    Some(verb.render_long_help().to_string())
}

/// The section of a page under `## name`.
fn section(page: &str, name: &str) -> Option<String> {
    let mut lines = page
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(name));
    let heading = lines.next()?;
    let body = lines.take_while(|line| !line.starts_with("## "));
    let text: Vec<&str> = std::iter::once(heading).chain(body).collect();
    Some(text.join("\n").trim_end().to_owned() + "\n")
}

fn unknown(about: &str) -> UserError {
    let topics: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    UserError::new(
        Slug::UsageTopic,
        format!("there is no help about \"{}\"", about.escape_debug()),
    )
    .cause(format!("topics: {}, errors/SLUG", topics.join(", ")))
    .unchanged()
    .next("blit help shows all verbs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_has_a_section_and_every_section_a_slug() {
        let page = topic("errors").unwrap();
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        let slugs: Vec<_> = Slug::ALL.iter().map(|slug| slug.name()).collect();
        assert_eq!(sections, slugs);
        for slug in slugs {
            let text = section(page, slug).unwrap();
            assert!(text.lines().count() > 2, "{slug} is not explained");
        }
    }

    #[test]
    fn every_section_names_the_exit_code_of_its_slug() {
        let page = topic("errors").unwrap();
        for slug in Slug::ALL {
            let text = section(page, slug.name()).unwrap();
            let expected = format!("Exit {}", slug.exit().code());
            assert!(
                text.contains(&expected),
                "{} lacks \"{expected}\"",
                slug.name()
            );
        }
    }

    #[test]
    fn every_exit_code_is_on_its_page() {
        let page = topic("exit-codes").unwrap();
        for exit in Exit::BY_GRAVITY {
            assert!(
                page.contains(&format!("| {} | {} |", exit.code(), exit.name())),
                "{exit:?}"
            );
        }
    }

    #[test]
    fn verbs_and_aliases_have_help_and_other_words_have_none() {
        assert!(verb("copy").unwrap().contains("blit copy"));
        assert!(verb("mv").is_some());
        assert_eq!(verb("frobnicate"), None);
    }
}
