//! Asks whoever is at the terminal.

use std::{
    fs::File,
    io::{BufRead, BufReader, IsTerminal},
    time::Duration,
};

use blit_contract::Cancel;

use crate::ui::Ui;

/// Asks a question and reads a line, in lower case. `None`: nobody answered, or the run is to stop.
pub(crate) async fn ask(ui: &Ui, cancel: &Cancel, question: &str) -> Option<String> {
    let _pause = ui.ask(question);
    let answer = tokio::task::spawn_blocking(read_line);
    tokio::select! {
        line = answer => line.ok().flatten(),
        () = cancelled(cancel) => {
            ui.write_err("");
            None
        }
    }
}

/// Asks for a yes. `None` is no answer.
pub(crate) async fn ask_yes(ui: &Ui, cancel: &Cancel, question: &str) -> Option<bool> {
    let answer = ask(ui, cancel, question).await?;
    Some(matches!(answer.as_str(), "y" | "yes"))
}

/// From the terminal, whatever standard input is: it may be a list of files.
fn read_line() -> Option<String> {
    let mut line = String::new();
    let stdin = std::io::stdin();
    let read = match stdin.is_terminal() {
        true => stdin.lock().read_line(&mut line),
        false => BufReader::new(File::open(TERMINAL).ok()?).read_line(&mut line),
    };
    (read.ok()? > 0).then(|| line.trim().to_lowercase())
}

/// Whether there is a terminal to read an answer from.
pub(crate) fn can_read() -> bool {
    std::io::stdin().is_terminal() || File::open(TERMINAL).is_ok()
}

/// Waits until the run is to stop.
pub(crate) async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const TERMINAL: &str = "/dev/tty";
