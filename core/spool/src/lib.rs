//! A list that may outgrow memory: the newest records stay, older blocks go to an unlinked file.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
};

use blit_contract::{Error, ErrorKind, Result};
use serde::{Serialize, de::DeserializeOwned};

/// How many records stay in memory. A record of a path and an entry takes some 300 bytes.
const BLOCK_RECORDS: usize = 8_192;

/// A list of records in the order in which they were pushed, read block by block.
#[derive(Debug)]
pub struct Spool<T> {
    newest: Vec<T>,
    spilled: Vec<Block>,
    file: Option<File>,
    block_records: usize,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    size_bytes: usize,
    records: usize,
}

impl<T> Default for Spool<T> {
    fn default() -> Self {
        Self {
            newest: Vec::new(),
            spilled: Vec::new(),
            file: None,
            block_records: BLOCK_RECORDS,
        }
    }
}

impl<T: Serialize + DeserializeOwned + Clone> Spool<T> {
    /// Appends a record. May write a block of them to the temporary directory.
    pub fn push(&mut self, record: T) -> Result<()> {
        if self.newest.len() >= self.block_records {
            self.spill()?;
        }
        self.newest.push(record);
        Ok(())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.spilled
            .iter()
            .map(|block| block.records)
            .sum::<usize>()
            + self.newest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many blocks there are to read, from 0, in the order of pushing.
    pub fn blocks(&self) -> usize {
        self.spilled.len() + 1
    }

    /// The records of one block, in the order of pushing.
    pub fn block(&self, at: usize) -> Result<Vec<T>> {
        let Some(block) = self.spilled.get(at) else {
            return Ok(self.newest.clone());
        };
        let mut bytes = vec![0; block.size_bytes];
        let mut file = self.file.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Bug, "read spool").because("a spilled block without a file")
        })?;
        file.seek(SeekFrom::Start(block.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| Error::from_io("read spool", &error))?;
        postcard::from_bytes(&bytes)
            .map_err(|error| Error::new(ErrorKind::Corrupt, "read spool").with_source(error))
    }

    fn spill(&mut self) -> Result<()> {
        let bytes = postcard::to_stdvec(&self.newest)
            .map_err(|error| Error::new(ErrorKind::Bug, "write spool").with_source(error))?;
        let in_temporary = |error: std::io::Error| {
            Error::from_io("write spool", &error)
                .because(format!("in {}", tempfile::env::temp_dir().display()))
        };
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile().map_err(in_temporary)?);
        }
        let last = self.spilled.last();
        let offset = last.map_or(0, |block| block.offset + block.size_bytes as u64);
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(offset))
                .and_then(|_| file.write_all(&bytes))
                .map_err(in_temporary)?;
        }
        self.spilled.push(Block {
            offset,
            size_bytes: bytes.len(),
            records: self.newest.len(),
        });
        self.newest.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(records: usize, block_records: usize) -> Spool<u64> {
        let mut spool = Spool {
            block_records,
            ..Spool::default()
        };
        for record in 0..records as u64 {
            spool.push(record).unwrap();
        }
        spool
    }

    #[test]
    fn records_come_back_in_order_whether_spilled_or_not() {
        for records in [0, 1, 9, 10, 11, 1_000] {
            let spool = filled(records, 10);
            let mut back = Vec::new();
            for at in 0..spool.blocks() {
                back.extend(spool.block(at).unwrap());
            }
            assert_eq!(back, (0..records as u64).collect::<Vec<_>>());
            assert_eq!(spool.len(), records);
        }
    }

    #[test]
    fn memory_holds_one_block_however_many_records_there_are() {
        let spool = filled(100_000, 64);
        assert!(spool.newest.len() <= 64);
        assert!(spool.newest.capacity() <= 128);
    }
}
