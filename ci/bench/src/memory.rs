//! Touches memory before a run, so that the machine has it at hand.
//!
//! A virtual machine gives free pages back to its host. The first touch of such a page is several
//! times slower than of one in use, and whoever runs first would pay for both.

use crate::shell;
use std::hint::black_box;
use std::process::Command;

/// The share of the available memory that is touched at most.
const SHARE_MAX: f64 = 0.7;
/// Pages are touched one by one.
const PAGE_BYTES: usize = 4_096;

/// Touches and frees `size_bytes` in a process of its own, which gives all of it back.
///
/// # Errors
/// When the process fails.
pub fn touch(size_bytes: u64) -> eyre::Result<()> {
    let size_bytes = size_bytes.min(touched_bytes_max()?);
    let harness = std::env::current_exe()?;
    shell::output(
        Command::new(harness)
            .arg("touch")
            .arg(size_bytes.to_string()),
    )?;
    Ok(())
}

/// The process of its own.
pub fn here(size_bytes: usize) {
    let mut memory = vec![0_u8; size_bytes];
    for page in memory.chunks_mut(PAGE_BYTES) {
        page[0] = 1;
    }
    black_box(&memory);
}

fn touched_bytes_max() -> eyre::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let available_bytes = field_kib(&text, "MemAvailable:").unwrap_or(0) * 1_024;
    Ok((available_bytes as f64 * SHARE_MAX) as u64)
}

/// A field of /proc/meminfo.
pub(crate) fn field_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_meminfo_is_found_by_its_name() {
        let text = "MemTotal:  24000 kB\nMemAvailable:   20000 kB\n";
        assert_eq!(field_kib(text, "MemAvailable:"), Some(20_000));
        assert_eq!(field_kib(text, "Missing:"), None);
    }
}
