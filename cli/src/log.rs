//! Logs, for whoever looks into blit itself: off unless `BLIT_LOG` asks for them.

use std::{
    io::{self, Write},
    sync::Arc,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::ui::Ui;

/// What to log: `debug`, `blit_engine=trace`.
const VARIABLE: &str = "BLIT_LOG";

/// Logs what the environment asks for, above the row of progress.
pub(crate) fn start(ui: &Arc<Ui>) {
    let Ok(filter) = EnvFilter::try_from_env(VARIABLE) else {
        return;
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(LogWriter(Arc::clone(ui)))
        .finish();
    // Somebody has set one already: only in tests, and theirs is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

#[derive(Clone)]
struct LogWriter(Arc<Ui>);

impl Write for LogWriter {
    /// The subscriber gives one line in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_err(String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
