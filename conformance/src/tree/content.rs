//! Content and size: cases 39 to 46.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::Random;

super::catalogue! {
    39 sparse_files
    40 vast_hole
    41 sizes_at_the_edges_of_chunks
    42 zeros_and_noise
    46 preallocated_beyond_the_end
}

fn sparse_files(root: &Path) -> io::Result<()> {
    let data = [b'd'; 5_000];
    let sparse = |name: &str, size_bytes: u64, at: &[u64]| {
        let file = File::create(root.join(name))?;
        file.set_len(size_bytes)?;
        at.iter()
            .try_for_each(|offset| file.write_all_at(&data, *offset))
    };
    sparse("leading", 4 << 20, &[(4 << 20) - 5_000])?;
    sparse("middle", 4 << 20, &[0, (4 << 20) - 5_000])?;
    sparse("trailing", 4 << 20, &[0])?;
    sparse("only", 4 << 20, &[])?;
    sparse("odd", (3 << 20) + 17, &[1 << 20, 2 << 20])?;
    sparse(
        "comb",
        4 << 20,
        &(0..16).map(|tooth| tooth << 18).collect::<Vec<_>>(),
    )
}

fn vast_hole(root: &Path) -> io::Result<()> {
    let file = File::create(root.join("vast"))?;
    file.set_len(1 << 40)?;
    file.write_all_at(b"far away", 1 << 39)
}

fn sizes_at_the_edges_of_chunks(root: &Path) -> io::Result<()> {
    let mut random = Random::new(41);
    for edge in [1, 4_096, 16 << 10, 64 << 10, 1 << 20, 16 << 20] {
        for size_bytes in [edge - 1, edge, edge + 1] {
            let data = random.bytes(size_bytes);
            fs::write(root.join(format!("{size_bytes}")), data)?;
        }
    }
    Ok(())
}

fn zeros_and_noise(root: &Path) -> io::Result<()> {
    fs::write(root.join("zeros"), vec![0; 300_000])?;
    fs::write(root.join("noise"), Random::new(42).bytes(300_000))
}

fn preallocated_beyond_the_end(root: &Path) -> io::Result<()> {
    let path = root.join("reserved");
    fs::write(&path, b"short")?;
    let file = File::options().write(true).open(&path)?;
    Ok(fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 1 << 20)?)
}
