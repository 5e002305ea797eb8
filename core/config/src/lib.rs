//! Endpoints and layered, typed settings: what was typed, and what it means.
//!
//! Where to look: `endpoint` reads where something is; `layers` merges built-in defaults, files,
//! environment and flags, and remembers who said what; `settings` are those of the command line; `quantity` reads sizes, times and limits;
//! `paths` says where blit keeps its own files, and where a path leads; `units` shows numbers to people; `exit` has the exit codes
//! of the programs.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod endpoint;
pub mod exit;
mod layers;
mod paths;
mod quantity;
mod remote_program;
mod settings;
pub mod units;

pub use endpoint::{Endpoint, EndpointError, EndpointParser, EndpointProblem, LoginPath};
pub use exit::Exit;
pub use layers::{ConfigError, Keys, Layers, Origin, Row, plain};
pub use paths::{Paths, resolved};
pub use quantity::{Age, DeleteLimit, Period, QuantityError, Size};
pub use remote_program::RemoteProgram;
pub use settings::{
    ColorWhen, Flags, HistorySettings, Loaded, OutputSettings, PreserveChoice, ProgressWhen,
    Setting, Settings, Sources, SshSettings, TransferSettings,
};
