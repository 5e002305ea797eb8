//! The names of one directory, sorted in bounded memory.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
};

use blit_contract::Name;

/// Takes names in any order.
#[derive(Debug)]
pub(super) struct Sorter {
    bytes: Vec<u8>,
    /// Where each name ends in `bytes`, and how long it is.
    names: Vec<(u32, u8)>,
    names_max: usize,
    runs: Vec<File>,
}

impl Sorter {
    /// Sorts `names_max` names in memory; more go to disk in sorted runs.
    pub(super) fn new(names_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            names: Vec::new(),
            names_max,
            runs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, name: &[u8]) -> io::Result<()> {
        if self.names.len() >= self.names_max {
            self.spill()?;
        }
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u8::try_from(name.len()))
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        self.bytes.extend_from_slice(name);
        self.names.push((start, length));
        Ok(())
    }

    /// The names in ascending order.
    pub(super) fn finish(mut self) -> io::Result<SortedNames> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(SortedNames::Memory {
                bytes: self.bytes,
                names: self.names.into_iter(),
            });
        }
        self.spill()?;
        let mut runs: Vec<_> = self.runs.into_iter().map(BufReader::new).collect();
        let mut next = BinaryHeap::new();
        for (at, run) in runs.iter_mut().enumerate() {
            next.extend(read_name(run)?.map(|name| Reverse((name, at))));
        }
        Ok(SortedNames::Runs { runs, next })
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.names
            .sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = BufWriter::new(tempfile::tempfile()?);
        for name in &self.names {
            run.write_all(&[name.1])?;
            run.write_all(slice(&self.bytes, *name))?;
        }
        let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push(run);
        self.names.clear();
        self.bytes.clear();
        Ok(())
    }
}

fn slice(bytes: &[u8], (start, length): (u32, u8)) -> &[u8] {
    let start = start as usize;
    &bytes[start..start + usize::from(length)]
}

fn read_name(run: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0];
    if run.read(&mut length)? == 0 {
        return Ok(None);
    }
    let mut name = vec![0; usize::from(length[0])];
    run.read_exact(&mut name)?;
    Ok(Some(name))
}

/// Names in ascending order.
#[derive(Debug)]
pub(super) enum SortedNames {
    Memory {
        bytes: Vec<u8>,
        names: std::vec::IntoIter<(u32, u8)>,
    },
    Runs {
        runs: Vec<BufReader<File>>,
        next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    },
}

impl Iterator for SortedNames {
    type Item = io::Result<Name>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = match self {
            Self::Memory { bytes, names } => slice(bytes, names.next()?).to_vec(),
            Self::Runs { runs, next } => {
                let Reverse((name, at)) = next.pop()?;
                match read_name(&mut runs[at]) {
                    Ok(following) => next.extend(following.map(|name| Reverse((name, at)))),
                    Err(error) => return Some(Err(error)),
                }
                name
            }
        };
        Some(Name::new(name).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[String], in_memory: usize) -> Vec<String> {
        let mut sorter = Sorter::new(in_memory);
        for name in names {
            sorter.push(name.as_bytes()).unwrap();
        }
        let sorted = sorter.finish().unwrap();
        sorted.map(|name| name.unwrap().to_string()).collect()
    }

    #[test]
    fn names_come_in_the_order_of_their_bytes_whether_in_memory_or_in_runs() {
        let names: Vec<String> = (0..1_000)
            .map(|at| format!("n{}", at * 7_919 % 1_000))
            .collect();
        let mut expected = names.clone();
        expected.sort();
        assert_eq!(sorted(&names, 10_000), expected);
        assert_eq!(sorted(&names, 64), expected);
        assert_eq!(sorted(&names, 1), expected);
    }

    #[test]
    fn an_empty_directory_has_no_names() {
        assert!(sorted(&[], 10).is_empty());
    }
}
