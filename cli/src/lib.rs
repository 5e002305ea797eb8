//! The blit command line: what was typed, what it means, what came of it.
//!
//! Read it in the order of a run: `run` parses (`args`), loads settings (`app`) and hands over to
//! `commands`, one file a verb. The four verbs that move trees share `transfer`. `ui` is the only
//! place that writes; `errors` is what it says when something goes wrong; `events` what programs read.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod app;
mod args;
mod ask;
mod commands;
mod complete;
mod errors;
mod filter;
mod listing;
mod log;
mod panics;
mod peers;
mod places;
mod progress;
mod run;
mod settings_file;
mod stop;
mod transfer;
mod ui;

pub use args::command;
pub use blit_config::Exit;
pub use errors::Slug;
pub use events::schema;
pub use run::main;

use blit_config::{exit, units};
use blit_events as events;
use blit_history as history;
