//! What is allocated.
#![expect(unsafe_code, reason = "glibc is told so by a call into C")]

/// From this size on a buffer is mapped by itself, and given back when it is freed.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: i32 = 128 << 10;

/// Keeps glibc from moving [`MAPPED_BYTES_MIN`] up, which it does whenever such a buffer is freed (mallopt(3)). Then
/// large buffers would lie among the many small ones of file contents and lists, which keep them from
/// being given back: a copy of 50,000 small files had 80 MiB at its peak, and has 53.
#[cfg(target_env = "gnu")]
pub(super) fn keep_small() {
    // SAFETY: it takes two numbers, and no other thread allocates yet.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
}

/// Only glibc does that.
#[cfg(not(target_env = "gnu"))]
pub(super) fn keep_small() {}

#[cfg(test)]
#[cfg(target_env = "gnu")]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_is_mapped_however_many_were_freed_before() {
        // SAFETY: it only reads counters.
        let mapped = || unsafe { libc::mallinfo2() }.hblks;
        keep_small();
        // Each thread may allocate, and a thread that ends may free: only the difference counts.
        drop(vec![1_u8; 16 << 20]);
        let before = mapped();
        let buffers: Vec<_> = (0..64).map(|_| vec![1_u8; 1 << 20]).collect();
        assert!(mapped() >= before + 32, "{before} and then {}", mapped());
        drop(buffers);
    }
}
