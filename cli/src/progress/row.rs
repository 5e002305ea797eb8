//! The text of the row, by the width that there is.

use blit_contract::Phase;

use super::Figures;
use crate::units;

/// Where the row is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Canvas {
    width: usize,
    is_unicode: bool,
}

/// A line for logs: everything, and no bar of other than ASCII.
pub(super) const PLAIN: Canvas = Canvas {
    width: 100,
    is_unicode: false,
};

const BAR_CELLS: usize = 16;

/// The terminal of standard error.
pub(super) fn terminal() -> Canvas {
    let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col);
    Canvas {
        width: columns.into(),
        is_unicode: is_unicode(|name| std::env::var(name).ok()),
    }
}

/// What the locale says, in the order in which the C library asks.
fn is_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

/// The row.
pub(super) fn text(figures: &Figures, canvas: Canvas) -> String {
    let mut parts = match figures.phase {
        Some(Phase::Delete) => vec![format!(
            "deleting {}/{} entries",
            units::count(figures.deleted_entries),
            units::count(figures.doomed_entries)
        )],
        Some(Phase::Finish) => vec!["finishing".to_owned()],
        _ if !figures.is_final => scanning(figures),
        _ if figures.wanted_files == 0 => vec![format!(
            "comparing {}",
            units::entries(figures.scanned_entries)
        )],
        _ => copying(figures, canvas),
    };
    if let Some(still) = figures
        .still
        .filter(|_| figures.wanted_files > figures.done_files)
    {
        parts.push(format!("no data for {}", units::duration(still)));
    }
    if figures.problems > 0 {
        parts.push(format!("{} failed", units::count(figures.problems)));
    }
    parts.join("  ")
}

/// Nothing is final yet: no percentage, no end in sight.
fn scanning(figures: &Figures) -> Vec<String> {
    let mut parts = vec![format!(
        "scanning {}, {}+",
        units::entries(figures.scanned_entries),
        units::size(figures.scanned_bytes)
    )];
    if figures.done_bytes > 0 {
        parts.push(format!("copied {}", units::size(figures.done_bytes)));
        parts.extend(rate(figures));
    }
    parts
}

fn copying(figures: &Figures, canvas: Canvas) -> Vec<String> {
    let percent = units::percent(figures.done_bytes, figures.wanted_bytes);
    let verifying = figures.phase == Some(Phase::Verify);
    let word = if verifying { "verifying " } else { "" };
    let mut parts = vec![format!("{word}{percent}%")];
    if canvas.width >= 60 {
        if let Some(first) = parts.first_mut() {
            *first = format!("{first} {}", bar(percent, canvas.is_unicode));
        }
        parts.push(format!(
            "{} / {}",
            units::size(figures.done_bytes),
            units::size(figures.wanted_bytes)
        ));
    }
    parts.extend(rate(figures));
    let left = figures.left.map(units::duration);
    parts.extend(left.map(|left| match canvas.width >= 60 {
        true => format!("{left} left"),
        false => left,
    }));
    if canvas.width >= 100 {
        parts.push(format!(
            "{}/{} files",
            units::count(figures.done_files),
            units::count(figures.wanted_files)
        ));
    }
    parts
}

/// In a stall a decaying number would say nothing.
fn rate(figures: &Figures) -> Option<String> {
    let moves = figures.rate >= 1.0 && figures.still.is_none();
    moves.then(|| format!("{}/s", units::size(figures.rate as u64)))
}

fn bar(percent: u64, is_unicode: bool) -> String {
    let full = (percent as usize * BAR_CELLS / 100).min(BAR_CELLS);
    let (begin, cell, rest, end) = match is_unicode {
        true => ("▕", "█", " ", "▏"),
        false => ("[", "#", ".", "]"),
    };
    format!(
        "{begin}{}{}{end}",
        cell.repeat(full),
        rest.repeat(BAR_CELLS - full)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn canvas(width: usize) -> Canvas {
        Canvas {
            width,
            is_unicode: true,
        }
    }

    fn half_way() -> Figures {
        Figures {
            phase: Some(Phase::Copy),
            wanted_files: 48_212,
            done_files: 31_204,
            wanted_bytes: 118 << 30,
            done_bytes: 74 << 30,
            is_final: true,
            rate: 412.0 * 1_048_576.0,
            left: Some(Duration::from_secs(108)),
            ..Figures::default()
        }
    }

    #[test]
    fn the_narrower_the_terminal_the_less_is_said() {
        assert_eq!(
            text(&half_way(), canvas(100)),
            "62% ▕█████████       ▏  74.0 GiB / 118 GiB  412 MiB/s  1m 48s left  31 204/48 212 files"
        );
        assert_eq!(
            text(&half_way(), canvas(60)),
            "62% ▕█████████       ▏  74.0 GiB / 118 GiB  412 MiB/s  1m 48s left"
        );
        assert_eq!(text(&half_way(), canvas(59)), "62%  412 MiB/s  1m 48s");
    }

    #[test]
    fn while_it_scans_there_is_no_percentage() {
        let figures = Figures {
            phase: Some(Phase::Scan),
            scanned_entries: 12_340,
            scanned_bytes: 61 << 30,
            ..Figures::default()
        };
        assert_eq!(
            text(&figures, canvas(100)),
            "scanning 12 340 entries, 61.0 GiB+"
        );
    }

    #[test]
    fn a_stall_is_said_in_place_of_a_rate() {
        let figures = Figures {
            still: Some(Duration::from_secs(12)),
            left: None,
            ..half_way()
        };
        assert_eq!(text(&figures, canvas(59)), "62%  no data for 12 s");
    }

    #[test]
    fn without_a_unicode_locale_the_bar_is_ascii() {
        assert_eq!(bar(50, false), "[########........]");
        let locale = |set: &'static [(&str, &str)]| {
            is_unicode(|name| {
                set.iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, v)| (*v).to_owned())
            })
        };
        assert!(locale(&[("LANG", "de_DE.UTF-8")]));
        assert!(!locale(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert!(!locale(&[]));
    }
}
