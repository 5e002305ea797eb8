//! A job as the daemon keeps it.

use blit_jobs::Record;

/// The bytes as a file, and as what stands in one behind a digest that is right.
pub(crate) fn run(bytes: &[u8]) {
    file(bytes);
    let sum = blake3::hash(bytes).to_hex();
    let head = format!("blit-job 1 {} {sum}\n", bytes.len());
    file(&[head.as_bytes(), bytes].concat());
}

/// What can be read can be written, and is read as the same again.
fn file(bytes: &[u8]) {
    match Record::from_bytes(bytes) {
        Ok(first) => {
            let written = first.to_bytes();
            let second = Record::from_bytes(&written).expect("what we write can be read");
            assert_eq!(first, second);
            assert_eq!(second.to_bytes(), written);
        }
        Err(bad) => assert!(!bad.to_string().is_empty(), "a refusal says why"),
    }
}
