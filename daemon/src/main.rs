//! The program `blit-daemon`; everything is in the library.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    blit_daemon::run()
}
