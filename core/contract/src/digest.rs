//! The digest of a file's content, which knows holes.

/// Content is looked at in groups of this size: that of BLAKE3's verified streaming.
pub const GROUP_BYTES: usize = 16 << 10;

/// A group of content, digested once for all who want to know of it: [`ContentHasher`] and
/// [`crate::Witness`].
#[derive(Debug, Clone, Copy)]
pub struct Group {
    digest: [u8; 32],
    size: usize,
    is_zeros: bool,
}

impl Group {
    /// The group of these bytes, at most [`GROUP_BYTES`].
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: *blake3::hash(bytes).as_bytes(),
            size: bytes.len(),
            is_zeros: bytes.iter().all(|byte| *byte == 0),
        }
    }

    /// Their BLAKE3.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether it is as long as a group can be.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.size == GROUP_BYTES
    }
}

/// Computes the digest of a file's content from its start to its end.
///
/// It is the BLAKE3 of the offset and the BLAKE3 of every 16 KiB group that is not all zeros, and then of
/// the size (offsets and size as 8 bytes, little-endian). So a hole and the zeros that it reads as are the
/// same content, and a hole of a tebibyte costs nothing. A group is hashed by itself because BLAKE3 looks
/// at eight or sixteen chunks at once only where they begin at a multiple of that; the offsets between
/// the groups would take that from it, and half as much time again.
#[derive(Debug, Clone)]
pub struct ContentHasher {
    hasher: blake3::Hasher,
    /// The begun group.
    group: Vec<u8>,
    /// Where the begun group starts.
    group_offset: u64,
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            group: Vec::new(),
            group_offset: 0,
        }
    }
}

impl ContentHasher {
    /// The digest of content that is all at hand.
    #[must_use]
    pub fn digest(content: &[u8]) -> [u8; 32] {
        let mut hasher = Self::default();
        hasher.update(content);
        hasher.finish()
    }

    /// Takes the next bytes of the content.
    pub fn update(&mut self, mut data: &[u8]) {
        if !self.group.is_empty() {
            let missing = GROUP_BYTES - self.group.len();
            let (head, rest) = data.split_at(missing.min(data.len()));
            self.group.extend_from_slice(head);
            data = rest;
            self.end_full_group();
        }
        let mut groups = data.chunks_exact(GROUP_BYTES);
        for group in &mut groups {
            self.add(&Group::of(group));
        }
        self.group.extend_from_slice(groups.remainder());
    }

    /// Takes the next bytes of the content, which are those of `group`: where it fits, they are not looked
    /// at again.
    pub fn update_with(&mut self, group: &Group, bytes: &[u8]) {
        if !self.push(group) {
            self.update(bytes);
        }
    }

    /// Takes the next group, if it is a whole one and none is begun; answers whether it did.
    #[must_use]
    pub fn push(&mut self, group: &Group) -> bool {
        let fits = self.group.is_empty() && group.is_whole();
        if fits {
            self.add(group);
        }
        fits
    }

    /// Takes a hole of `size_bytes` as the next bytes.
    pub fn skip(&mut self, size_bytes: u64) {
        const ZEROS: [u8; GROUP_BYTES] = [0; GROUP_BYTES];
        let begun = self.group.len() as u64;
        let to_boundary = if begun == 0 {
            0
        } else {
            GROUP_BYTES as u64 - begun
        };
        let head = to_boundary.min(size_bytes);
        self.update(&ZEROS[..head as usize]);
        let rest = size_bytes - head;
        self.group_offset += rest / GROUP_BYTES as u64 * GROUP_BYTES as u64;
        self.update(&ZEROS[..(rest % GROUP_BYTES as u64) as usize]);
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        let size = self.group_offset + self.group.len() as u64;
        let last = Group::of(&std::mem::take(&mut self.group));
        self.add(&last);
        self.hasher.update(&size.to_le_bytes());
        *self.hasher.finalize().as_bytes()
    }

    fn end_full_group(&mut self) {
        if self.group.len() == GROUP_BYTES {
            let group = Group::of(&self.group);
            self.group.clear();
            self.add(&group);
        }
    }

    /// Takes the next group, which is whole or the last.
    fn add(&mut self, group: &Group) {
        if !group.is_zeros {
            self.hasher.update(&self.group_offset.to_le_bytes());
            self.hasher.update(&group.digest);
        }
        self.group_offset += group.size as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_vast_hole_costs_nothing_and_is_not_the_same_as_another() {
        let hole = |size| {
            let mut hasher = ContentHasher::default();
            hasher.skip(size);
            hasher.finish()
        };
        assert_ne!(hole(1 << 60), hole((1 << 60) + 1));
    }

    #[test]
    fn moved_bytes_and_cut_ends_show() {
        let digest = ContentHasher::digest;
        let mut far = vec![0; 100_000];
        far[70_000] = 1;
        let mut near = vec![0; 100_000];
        near[10_000] = 1;
        assert_ne!(digest(&far), digest(&near));
        assert_ne!(digest(&far), digest(&far[..99_999]));
        assert_ne!(digest(b""), digest(b"\0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn holes_and_zeros_are_the_same_however_the_content_is_cut(
            runs in prop::collection::vec((any::<bool>(), 0_usize..40_000), 0..8),
            cut in prop_oneof![1_usize..50_000, Just(GROUP_BYTES)],
        ) {
            let mut content = Vec::new();
            let mut with_holes = ContentHasher::default();
            for (is_hole, size) in runs {
                let start = content.len();
                if is_hole {
                    content.resize(start + size, 0);
                    with_holes.skip(size as u64);
                } else {
                    content.extend((0..size).map(|at| (at % 251) as u8));
                    with_holes.update(&content[start..]);
                }
            }
            let mut in_pieces = ContentHasher::default();
            content.chunks(cut).for_each(|piece| in_pieces.update(piece));
            let mut in_groups = ContentHasher::default();
            in_groups.update(&content[..content.len().min(cut)]);
            for group in content[content.len().min(cut)..].chunks(GROUP_BYTES) {
                in_groups.update_with(&Group::of(group), group);
            }
            let expected = ContentHasher::digest(&content);
            prop_assert_eq!(with_holes.finish(), expected);
            prop_assert_eq!(in_pieces.finish(), expected);
            prop_assert_eq!(in_groups.finish(), expected);
        }
    }
}
