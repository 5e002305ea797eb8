//! Percent signs in URLs, and bytes in paths.

use std::{ffi::OsStr, fmt::Write, path::PathBuf};

use blit_contract::Escaped;

use super::EndpointProblem;

/// What was typed, so that a terminal shows it and obeys none of it. Backslashes stay single, as in
/// the paths of Windows.
pub(super) fn show(text: &OsStr) -> String {
    let parts = text.as_encoded_bytes().split(|b| *b == b'\\');
    let shown: Vec<String> = parts.map(|part| Escaped(part).to_string()).collect();
    shown.join("\\")
}

/// Reads `%20` and its like, once.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, EndpointProblem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = after else {
            return Err(EndpointProblem::Escape);
        };
        let digit = |b: u8| char::from(b).to_digit(16).ok_or(EndpointProblem::Escape);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    Ok(bytes)
}

/// Writes bytes so that [`decode`] reads them back, and a shell and a browser leave them alone.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => text.push(char::from(*byte)),
            b'.' | b'_' | b'-' | b'~' | b'/' | b'@' | b'+' | b',' | b'=' | b':' => {
                text.push(char::from(*byte));
            }
            other => {
                // Writing to a string cannot fail.
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}

/// The path of these bytes.
#[cfg(unix)]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> Result<PathBuf, EndpointProblem> {
    use std::os::unix::ffi::OsStringExt;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

/// The path of these bytes, which must be text where paths are text.
#[cfg(not(unix))]
pub(super) fn path_from_bytes(bytes: Vec<u8>) -> Result<PathBuf, EndpointProblem> {
    let text = String::from_utf8(bytes).map_err(|_| EndpointProblem::Escape)?;
    Ok(PathBuf::from(text))
}
