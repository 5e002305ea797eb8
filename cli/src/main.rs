//! The `blit` binary: everything is in the library, so that manuals can be generated from it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    blit_cli::main()
}
