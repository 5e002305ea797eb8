//! Power loss: a disk that writes down what happens to it, and every state in which a power loss
//! could have left it.

mod bench;
mod image;
mod log;
mod recorder;

pub use bench::Recording;
pub use image::Image;
pub use log::{Crash, Event, Log};
pub use recorder::Recorder;
