//! The bytes of a file, with its holes.

use std::{collections::BTreeMap, ops::Range};

use blit_contract::Extent;
use bytes::{Buf, Bytes, BytesMut};

/// Runs of data by their offset, none over another; between them are holes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    size: u64,
    runs: BTreeMap<u64, Bytes>,
}

impl Content {
    pub(crate) fn new(data: Bytes) -> Self {
        let mut content = Self::default();
        content.write(0, data);
        content
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that are held; less than the size if there are holes.
    pub(crate) fn allocated(&self) -> u64 {
        self.runs.values().map(|run| run.len() as u64).sum()
    }

    /// How many bytes of `range` lie in holes or beyond the end.
    pub(crate) fn unallocated(&self, range: &Range<u64>) -> u64 {
        let held =
            |(at, run): (u64, &Bytes)| (at + run.len() as u64).min(range.end) - at.max(range.start);
        range.end - range.start - self.runs_over(range).map(held).sum::<u64>()
    }

    /// Puts `data` at `offset`. The end of the data must not be beyond `u64::MAX`.
    pub(crate) fn write(&mut self, offset: u64, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len() as u64;
        self.punch(offset, end);
        self.runs.insert(offset, data);
        self.size = self.size.max(end);
    }

    /// Makes it `size` bytes long: cuts it, or adds a hole.
    pub(crate) fn resize(&mut self, size: u64) {
        if size < self.size {
            self.punch(size, self.size);
        }
        self.size = size;
    }

    /// Makes a hole of `range`, which lies inside the size.
    pub(crate) fn clear(&mut self, range: Range<u64>) {
        self.punch(range.start, range.end);
    }

    /// The bytes of `range`, which lies inside the size; holes are zeros.
    pub(crate) fn read(&self, range: Range<u64>) -> Bytes {
        if let Some(slice) = self.slice_of_one_run(&range) {
            return slice;
        }
        let mut bytes = BytesMut::zeroed((range.end - range.start) as usize);
        for (at, run) in self.runs_over(&range) {
            let start = at.max(range.start);
            let end = (at + run.len() as u64).min(range.end);
            let target = (start - range.start) as usize..(end - range.start) as usize;
            bytes[target].copy_from_slice(&run[(start - at) as usize..(end - at) as usize]);
        }
        bytes.freeze()
    }

    /// All of it.
    pub(crate) fn read_all(&self) -> Bytes {
        self.read(0..self.size)
    }

    /// The first run of data at or after `offset`; runs that touch are one.
    pub(crate) fn extent(&self, offset: u64) -> Option<Extent> {
        let (at, run) = self.runs_over(&(offset..u64::MAX)).next()?;
        let mut end = at + run.len() as u64;
        while let Some(next) = self.runs.get(&end) {
            end += next.len() as u64;
        }
        Some(Extent {
            start: at.max(offset),
            end,
        })
    }

    fn slice_of_one_run(&self, range: &Range<u64>) -> Option<Bytes> {
        let (at, run) = self.runs.range(..=range.start).next_back()?;
        let is_inside = range.end <= at + run.len() as u64;
        is_inside.then(|| run.slice((range.start - at) as usize..(range.end - at) as usize))
    }

    /// The runs that have a byte in `range`, in order.
    fn runs_over(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, &Bytes)> {
        let before = self.runs.range(..range.start).next_back();
        let reaching = before.filter(|(at, run)| *at + run.len() as u64 > range.start);
        let inside = self.runs.range(range.clone());
        reaching
            .into_iter()
            .chain(inside)
            .map(|(at, run)| (*at, run))
    }

    /// Makes a hole of `[start, end)`.
    fn punch(&mut self, start: u64, end: u64) {
        let touched: Vec<u64> = self.runs_over(&(start..end)).map(|(at, _)| at).collect();
        for at in touched {
            let Some(mut run) = self.runs.remove(&at) else {
                continue;
            };
            let run_end = at + run.len() as u64;
            if run_end > end {
                self.runs.insert(end, run.slice((end - at) as usize..));
            }
            if at < start {
                run.truncate((start - at) as usize);
                self.runs.insert(at, run);
            }
        }
    }
}

/// The same bytes with one bit of the first of them flipped.
pub(crate) fn flip_a_bit(data: &Bytes) -> Bytes {
    let mut flipped = BytesMut::from(data.chunk());
    if let Some(first) = flipped.first_mut() {
        *first ^= 1;
    }
    flipped.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain way: one byte each, `None` in a hole.
    fn model(steps: &[(u64, Vec<u8>, Option<u64>)]) -> Vec<Option<u8>> {
        let mut bytes: Vec<Option<u8>> = Vec::new();
        for (offset, data, size) in steps {
            for (at, byte) in (*offset as usize..).zip(data) {
                bytes.resize(bytes.len().max(at + 1), None);
                bytes[at] = Some(*byte);
            }
            if let Some(size) = size {
                bytes.resize(*size as usize, None);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_holes_are_zeros(
            steps in proptest::collection::vec(
                (0..40_u64, proptest::collection::vec(1..9_u8, 0..12), proptest::option::of(0..50_u64)),
                0..8,
            ),
            cut in (0..60_u64, 0..60_u64),
        ) {
            let mut content = Content::default();
            for (offset, data, size) in &steps {
                content.write(*offset, Bytes::from(data.clone()));
                if let Some(size) = size {
                    content.resize(*size);
                }
            }
            let expected = model(&steps);
            let len = expected.len() as u64;
            prop_assert_eq!(content.size(), len);
            prop_assert_eq!(content.allocated(), expected.iter().flatten().count() as u64);
            let range = cut.0.min(len)..(cut.0 + cut.1).min(len);
            let wanted: Vec<u8> = expected[range.start as usize..range.end as usize]
                .iter().map(|byte| byte.unwrap_or(0)).collect();
            prop_assert_eq!(&content.read(range.clone())[..], &wanted[..]);
            let holes = expected[range.start as usize..range.end as usize].iter().filter(|b| b.is_none());
            prop_assert_eq!(content.unallocated(&range), holes.count() as u64);
            let mut data = vec![false; expected.len()];
            let mut at = 0;
            while let Some(extent) = content.extent(at) {
                data[extent.start as usize..extent.end as usize].fill(true);
                at = extent.end;
            }
            let wanted: Vec<bool> = expected.iter().map(Option::is_some).collect();
            prop_assert_eq!(data, wanted);
        }
    }
}
