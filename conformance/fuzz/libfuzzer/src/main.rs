//! One program for all targets: `BLIT_FUZZ` names the one to run.

#![no_main]

use std::sync::LazyLock;

static TARGET: LazyLock<&blit_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("BLIT_FUZZ").unwrap_or_default();
    match blit_fuzz::named(&name) {
        Some(target) => target,
        None => panic!("BLIT_FUZZ names no target: {name:?}"),
    }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
