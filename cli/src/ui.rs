//! The one place that writes to the terminal, to pipes and to programs.
//!
//! Standard output carries rows, items and JSON; standard error everything for people.

mod color;
mod wrap;

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use blit_config::ColorWhen;
use indicatif::ProgressBar;
use parking_lot::Mutex;

use crate::{
    args::Global,
    ask,
    errors::{OutputClosed, Result, Slug, UserError},
    events::{Event, Failure, Line, Note, VERSION},
};

pub(crate) use blit_jobs::{shown, timestamp};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors only.
    Quiet,
    /// A summary.
    Normal,
    /// What happens to each entry.
    Items,
    /// And why.
    Reasons,
}

/// Standard output and standard error, and how they are to be written.
#[derive(Debug)]
pub(crate) struct Ui {
    pub(crate) json: bool,
    pub(crate) volume: Volume,
    /// Whether standard output is a terminal.
    pub(crate) rows_are_shown: bool,
    /// Whether standard error is a terminal that can be drawn on.
    pub(crate) can_draw: bool,
    /// Whether somebody may be asked.
    pub(crate) may_ask: bool,
    colors: anstream::ColorChoice,
    stdout: Mutex<Stdout>,
    job: String,
    row: Mutex<Option<ProgressBar>>,
    /// Somebody is being asked: nothing may be drawn over the question.
    is_asking: AtomicBool,
    is_closed: AtomicBool,
}

/// As long as it lives, nothing is drawn over a question.
pub(crate) struct Question<'a>(&'a Ui);

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.0.is_asking.store(false, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Stdout {
    writer: BufWriter<io::Stdout>,
    next_seq: u64,
    failure: Option<io::Error>,
}

impl Ui {
    /// The streams of this process, used as the flags say.
    pub(crate) fn new(global: &Global, color: ColorWhen) -> Self {
        let stderr_is_terminal = io::stderr().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            json: global.json,
            volume: match (global.quiet, global.verbose) {
                (true, _) => Volume::Quiet,
                (_, 0) => Volume::Normal,
                (_, 1) => Volume::Items,
                _ => Volume::Reasons,
            },
            rows_are_shown: io::stdout().is_terminal() && !global.json,
            can_draw: stderr_is_terminal && !is_dumb && !global.json,
            may_ask: !global.no_input && !global.json && stderr_is_terminal && ask::can_read(),
            colors: color::choose(color, |name| std::env::var_os(name), stderr_is_terminal),
            stdout: Mutex::new(Stdout {
                writer: BufWriter::new(io::stdout()),
                next_seq: 0,
                failure: None,
            }),
            job: blit_jobs::new_id(jiff::Timestamp::now()),
            row: Mutex::new(None),
            is_asking: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Whether each entry is told of.
    pub(crate) fn tells_items(&self) -> bool {
        self.volume >= Volume::Items
    }

    /// Writes a row: raw bytes and their end.
    ///
    /// # Errors
    /// [`OutputClosed`] once nobody reads any more.
    pub(crate) fn row(&self, bytes: &[u8], end: u8) -> Result<()> {
        self.write_out(|out| {
            out.write_all(bytes)?;
            out.write_all(&[end])
        })
    }

    /// Writes text for standard output: a help page, a completion script.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        self.write_out(|out| out.write_all(text.as_bytes()))
    }

    /// Lets go of what is buffered for standard output.
    pub(crate) fn flush(&self) -> Result<()> {
        self.write_out(Write::flush)
    }

    /// Writes a line of JSON, if JSON is wanted.
    pub(crate) fn emit(&self, event: Event) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut stdout = self.stdout.lock();
        let line = Line {
            v: VERSION,
            t: timestamp(jiff::Timestamp::now()),
            seq: stdout.next_seq,
            job: self.job.clone(),
            event,
        };
        stdout.next_seq += 1;
        let text = serde_json::to_string(&line)?;
        self.write_locked(&mut stdout, |out| {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")?;
            out.flush()
        })
    }

    /// The same where the run goes on whether anybody reads it or not.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.emit(event);
    }

    /// Says a sentence to people.
    pub(crate) fn say(&self, text: &str) {
        if self.volume >= Volume::Normal {
            self.say_always(text);
        }
    }

    /// Says a sentence to people, even if they asked for silence: they asked for this, too.
    pub(crate) fn say_always(&self, text: &str) {
        if !self.json {
            self.write_err(text);
        }
    }

    /// Says something to know.
    pub(crate) fn note(&self, slug: Slug, message: &str) {
        self.say(&format!("note: {message}"));
        self.tell(Event::Notice(note(slug, message)));
    }

    /// Says something to look at.
    pub(crate) fn warn(&self, slug: Slug, message: &str) {
        self.say(&format!("warning: {message}"));
        self.tell(Event::Warning(note(slug, message)));
    }

    /// Says why the run ends.
    pub(crate) fn fail(&self, error: &UserError) {
        self.tell(Event::Error(Failure::from(error)));
        if !self.json {
            self.write_err(&self.error_text(error));
        }
    }

    /// An error as people see it.
    pub(crate) fn error_text(&self, error: &UserError) -> String {
        let red = match self.colors {
            anstream::ColorChoice::Never => anstyle::Style::new(),
            _ => anstyle::AnsiColor::Red.on_default().bold(),
        };
        let mut text = format!("{red}error:{red:#} {}", error.message);
        let mut add = |word: &str, said: &str| text.push_str(&format!("\n  {word}: {said}"));
        error.cause.iter().for_each(|cause| add("cause", cause));
        error.state.iter().for_each(|state| add("state", state));
        error.next.iter().for_each(|next| add("next", next));
        if self.volume >= Volume::Items {
            add("more", &format!("blit help errors/{}", error.slug.name()));
        }
        text
    }

    /// Asks a question; the answer is typed behind it.
    pub(crate) fn ask(&self, question: &str) -> Question<'_> {
        self.is_asking.store(true, Ordering::Relaxed);
        self.hide_row();
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
        Question(self)
    }

    /// Shows this text in the row of progress, if one can be drawn now.
    pub(crate) fn draw_row(&self, text: String) {
        if self.is_asking.load(Ordering::Relaxed) {
            return;
        }
        let mut row = self.row.lock();
        row.get_or_insert_with(new_bar).set_message(text);
    }

    /// Takes the row of progress away.
    pub(crate) fn hide_row(&self) {
        if let Some(bar) = self.row.lock().take() {
            bar.finish_and_clear();
        }
    }

    /// What kept standard output from being written, if anything but its end did.
    pub(crate) fn output_failure(&self) -> Option<UserError> {
        let failure = self.stdout.lock().failure.take()?;
        Some(
            UserError::new(Slug::OutputFailed, "standard output cannot be written")
                .cause(failure.to_string()),
        )
    }

    fn write_out(
        &self,
        write: impl FnOnce(&mut BufWriter<io::Stdout>) -> io::Result<()>,
    ) -> Result<()> {
        self.write_locked(&mut self.stdout.lock(), write)
    }

    fn write_locked(
        &self,
        stdout: &mut Stdout,
        write: impl FnOnce(&mut BufWriter<io::Stdout>) -> io::Result<()>,
    ) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(OutputClosed.into());
        }
        let row = self.row.lock();
        let writer = &mut stdout.writer;
        let written = match row.as_ref().filter(|_| self.rows_are_shown) {
            Some(bar) => bar.suspend(|| write(writer).and_then(|()| writer.flush())),
            None => write(writer),
        };
        written.map_err(|error| {
            self.is_closed.store(true, Ordering::Relaxed);
            if error.kind() != io::ErrorKind::BrokenPipe {
                stdout.failure = Some(error);
            }
            OutputClosed.into()
        })
    }

    /// Writes a line to standard error, above the row of progress. Nobody reading it is no error.
    pub(crate) fn write_err(&self, text: &str) {
        let text = wrap::wrap(text, self.can_draw.then(wrap::terminal_width));
        let line = text + "\n";
        let write = || {
            let mut stderr = anstream::AutoStream::new(io::stderr().lock(), self.colors);
            let _ = stderr.write_all(line.as_bytes());
        };
        match &*self.row.lock() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// A row that holds nothing but its message, cut to the width of the terminal.
fn new_bar() -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{wide_msg}");
    let bar = ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn note(slug: Slug, message: &str) -> Note {
    Note {
        code: slug.name(),
        message: message.to_owned(),
        path: None,
    }
}
