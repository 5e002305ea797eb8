//! When standard error is coloured.

use std::ffi::OsString;

use anstream::ColorChoice;
use blit_config::ColorWhen;

/// The flag, then `NO_COLOR`, then `CLICOLOR_FORCE` and `FORCE_COLOR`, then whether it is a terminal.
pub(crate) fn choose(
    flag: ColorWhen,
    variable: impl Fn(&str) -> Option<OsString>,
    is_terminal: bool,
) -> ColorChoice {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_forced = |name: &str| is_set(name) && variable(name).is_some_and(|value| value != "0");
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    let colored = match flag {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if is_set("NO_COLOR") => false,
        ColorWhen::Auto if is_forced("CLICOLOR_FORCE") || is_forced("FORCE_COLOR") => true,
        ColorWhen::Auto => is_terminal && !is_dumb,
    };
    match colored {
        true => ColorChoice::AlwaysAnsi,
        false => ColorChoice::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flag, the variables, whether it is a terminal, and whether there is colour then.
    type Row = (
        ColorWhen,
        &'static [(&'static str, &'static str)],
        bool,
        bool,
    );

    fn chosen(flag: ColorWhen, set: &[(&str, &str)], is_terminal: bool) -> bool {
        let variable = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        choose(flag, variable, is_terminal) != ColorChoice::Never
    }

    #[test]
    fn the_flag_beats_the_variables_and_they_beat_the_terminal() {
        use ColorWhen::{Always, Auto, Never};
        let table: &[Row] = &[
            (Auto, &[], true, true),
            (Auto, &[], false, false),
            (Auto, &[("TERM", "dumb")], true, false),
            (Auto, &[("NO_COLOR", "1")], true, false),
            (Auto, &[("NO_COLOR", "")], true, true),
            (Auto, &[("CLICOLOR_FORCE", "1")], false, true),
            (Auto, &[("FORCE_COLOR", "1")], false, true),
            (Auto, &[("FORCE_COLOR", "0")], false, false),
            (
                Auto,
                &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
                false,
                false,
            ),
            (Always, &[("NO_COLOR", "1")], false, true),
            (Never, &[("CLICOLOR_FORCE", "1")], true, false),
        ];
        for (flag, set, is_terminal, expected) in table {
            assert_eq!(
                chosen(*flag, set, *is_terminal),
                *expected,
                "{flag:?} {set:?} {is_terminal}"
            );
        }
    }
}
