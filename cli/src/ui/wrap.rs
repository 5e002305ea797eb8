//! Lines that fit the terminal.

use unicode_width::UnicodeWidthStr;

/// Lines longer than this are hard to read, however wide the terminal is.
const WIDTH_MAX: usize = 100;

/// How wide lines may be on the terminal of standard error.
pub(crate) fn terminal_width() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col);
    match columns {
        0 => 80,
        columns => usize::from(columns).min(WIDTH_MAX),
    }
}

/// Breaks lines at spaces so that they fit, and indents what follows under the text before it.
pub(crate) fn wrap(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let lines: Vec<_> = text.lines().map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start().len();
    let mut wrapped = " ".repeat(indent);
    let mut used = indent;
    for word in line.split_whitespace() {
        let needed = word.width();
        if used > indent && used + 1 + needed > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent + 2));
            used = indent + 2;
        } else if used > indent {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += needed;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces_under_their_indent() {
        let text = "error: short\n  cause: one two three four";
        assert_eq!(
            wrap(text, Some(16)),
            "error: short\n  cause: one two\n    three four"
        );
    }

    #[test]
    fn into_a_pipe_nothing_is_broken() {
        let text = "a ".repeat(200);
        assert_eq!(wrap(&text, None), text);
    }
}
