//! Whether two processes share a machine.

/// Where Linux keeps a number that is drawn when the machine starts.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What only a process on this machine, at the end of a control connection of that binding, can say.
/// `None` where the system does not tell machines apart.
#[must_use]
pub fn same_machine_proof(binding: &[u8; 32]) -> Option<[u8; 32]> {
    let boot = std::fs::read(BOOT_ID).ok()?;
    let mut hasher = blake3::Hasher::new_keyed(binding);
    hasher.update(b"blit same machine v1");
    hasher.update(&boot);
    Some(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_on_one_machine_say_the_same_about_one_connection_only() {
        let one = same_machine_proof(&[1; 32]);
        assert_eq!(one, same_machine_proof(&[1; 32]));
        assert_ne!(one, same_machine_proof(&[2; 32]));
    }
}
