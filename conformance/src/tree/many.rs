//! Many small files.

use std::path::Path;

use super::Random;

/// `count` files of 1 to 4 KiB, a hundred in each directory.
///
/// # Panics
/// When they cannot be written.
pub fn many_small_files(root: &Path, count: usize) {
    let mut random = Random::new(count as u64);
    for index in 0..count {
        let directory = root.join(format!("{:04}", index / 100));
        if index % 100 == 0 {
            std::fs::create_dir_all(&directory).expect("a directory");
        }
        let size_bytes = 1_024 + random.below(3_072);
        std::fs::write(
            directory.join(format!("{:02}", index % 100)),
            random.bytes(size_bytes),
        )
        .expect("a small file");
    }
}
