//! The content of a disk in memory.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

/// A disk in memory. Blocks that are all zero take no room, and a clone shares the others.
#[derive(Debug, Clone)]
pub struct Image {
    size_bytes: u64,
    blocks: HashMap<u64, Arc<Block>>,
}

type Block = [u8; BLOCK_BYTES];

impl Image {
    /// A disk of zeros.
    #[must_use]
    pub fn new(size_bytes: u64) -> Self {
        Self {
            size_bytes,
            blocks: HashMap::new(),
        }
    }

    /// The disk that the file at `path` holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut image = Self::new(file.metadata()?.len());
        let mut block = [0; BLOCK_BYTES];
        let mut at = 0;
        while at < image.size_bytes {
            let data = match seek(&file, SeekFrom::Data(at)) {
                Err(Errno::NXIO) => break,
                other => other?,
            };
            at = data / BLOCK * BLOCK;
            let length = (image.size_bytes - at).min(BLOCK) as usize;
            file.read_exact_at(&mut block[..length], at)?;
            image.write(at, &block[..length]);
            at += BLOCK;
        }
        Ok(image)
    }

    /// Writes the disk to a new file at `path`, with holes where it is zero.
    ///
    /// # Errors
    /// When that fails.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        for (at, block) in &self.blocks {
            file.write_all_at(block.as_slice(), at * BLOCK)?;
        }
        file.set_len(self.size_bytes)
    }

    /// How large the disk is.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The `length_bytes` from `offset_bytes`, or what is left there.
    #[must_use]
    pub fn read(&self, offset_bytes: u64, length_bytes: usize) -> Vec<u8> {
        let left = self.size_bytes.saturating_sub(offset_bytes);
        let length_bytes = left.min(length_bytes as u64) as usize;
        let mut data = vec![0; length_bytes];
        for piece in pieces(offset_bytes, length_bytes) {
            if let Some(block) = self.blocks.get(&piece.block) {
                data[piece.of_data.clone()].copy_from_slice(&block[piece.of_block]);
            }
        }
        data
    }

    /// Writes `data` at `offset_bytes`.
    pub fn write(&mut self, offset_bytes: u64, data: &[u8]) {
        for piece in pieces(offset_bytes, data.len()) {
            let data = &data[piece.of_data];
            let is_whole = data.len() == BLOCK_BYTES;
            let is_zero = data.iter().all(|byte| *byte == 0);
            if is_zero && (is_whole || !self.blocks.contains_key(&piece.block)) {
                self.blocks.remove(&piece.block);
                continue;
            }
            let block = self.blocks.entry(piece.block);
            let block = block.or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
            Arc::make_mut(block)[piece.of_block].copy_from_slice(data);
        }
    }

    /// Writes zeros.
    pub fn zero(&mut self, offset_bytes: u64, length_bytes: u64) {
        let end = offset_bytes.saturating_add(length_bytes);
        let mut at = offset_bytes;
        while at < end.min(self.size_bytes) {
            let step = (BLOCK - at % BLOCK).min(end - at);
            self.write(at, &[0; BLOCK_BYTES][..step as usize]);
            at += step;
        }
    }
}

/// The part of a range that lies in one block.
struct Piece {
    block: u64,
    of_block: std::ops::Range<usize>,
    of_data: std::ops::Range<usize>,
}

fn pieces(offset_bytes: u64, length_bytes: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset_bytes + done as u64;
        let start = (at % BLOCK) as usize;
        let length = (BLOCK_BYTES - start).min(length_bytes - done);
        let piece = Piece {
            block: at / BLOCK,
            of_block: start..start + length,
            of_data: done..done + length,
        };
        done += length;
        (length > 0).then_some(piece)
    })
}

const BLOCK_BYTES: usize = 4096;
const BLOCK: u64 = BLOCK_BYTES as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;
    use crate::tree::Random;

    #[test]
    fn what_is_written_is_read_and_the_rest_is_zero() {
        let mut image = Image::new(20_000);
        let data = Random::new(1).bytes(9_000);
        image.write(4_000, &data);
        assert_eq!(image.read(4_000, 9_000), data);
        assert_eq!(image.read(3_990, 10), [0; 10]);
        assert_eq!(image.read(13_000, 10), [0; 10]);
        assert_eq!(image.read(19_990, 100).len(), 10);
    }

    #[test]
    fn zeros_take_no_room_and_change_nothing_around_them() {
        let mut image = Image::new(1 << 20);
        image.write(0, &[7; 12_288]);
        image.zero(1_000, 10_000);
        assert_eq!(image.read(0, 1_000), [7; 1_000]);
        assert_eq!(image.read(1_000, 10_000), [0; 10_000]);
        assert_eq!(image.read(11_000, 1_288), [7; 1_288]);
        assert_eq!(image.blocks.len(), 2);
    }

    #[test]
    fn a_clone_is_not_changed_by_what_is_written_to_the_other() {
        let mut image = Image::new(4_096);
        image.write(0, b"old");
        let before = image.clone();
        image.write(0, b"new");
        assert_eq!(before.read(0, 3), b"old");
    }

    #[test]
    fn a_saved_image_is_loaded_as_it_was() {
        let scratch = Scratch::new();
        let path = scratch.path("image");
        let mut image = Image::new(1 << 20);
        image.write(100_000, b"content");
        image.save(&path).unwrap();
        let loaded = Image::load(&path).unwrap();
        assert_eq!(loaded.size_bytes(), 1 << 20);
        assert_eq!(loaded.read(0, 1 << 20), image.read(0, 1 << 20));
    }
}
