//! The corpus of the fuzz target `daemon-config`, through the daemon's own types as well.

use std::{fs, path::Path, process::Command};

use blit_conform::Scratch;

#[test]
fn any_configuration_is_taken_or_refused_in_words() {
    let corpus = "../conformance/fuzz/corpus/daemon-config";
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus);
    let scratch = Scratch::new();
    let mut refused = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let file = file.unwrap().path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_blit-daemon"));
        command.arg("--state-dir").arg(scratch.path("daemon-state"));
        command.arg("check-config").arg("--config").arg(&file);
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        let case = format!("{}: {:?}: {said}", file.display(), ran.status.code());
        assert!(matches!(ran.status.code(), Some(0..100)), "{case}");
        let is_harmless = said.chars().all(|it| it == '\n' || !it.is_control());
        assert!(is_harmless && !said.contains("panicked"), "{case}");
        if !ran.status.success() {
            refused += 1;
            assert!(said.contains("daemon") || said.contains("error"), "{case}");
        }
    }
    assert!(refused > 1, "nothing was refused");
}
