//! One file open for reading in ranges.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use blit_contract::{
    Attributes, Entry, Error, ErrorKind, Extent, ReadOptions, Reader, RelPath, Result,
};
use blit_rooms::Rooms;
use bytes::Bytes;

use crate::{error::error, place::Tree, read, store::blocking, sys::File};

/// A file open for reading.
#[derive(Debug)]
pub(crate) struct FsReader {
    file: Arc<File>,
    entry: Entry,
    path: RelPath,
    rooms: Rooms,
}

/// Opens the file at `path`, if it is what was expected.
pub(crate) fn open(tree: &Tree, path: &RelPath, options: ReadOptions) -> Result<FsReader> {
    let failed = |cause| error("read", &cause).at(path);
    let place = tree.place(path).map_err(failed)?;
    let expect = match options.expect {
        Some(expect) => expect,
        None => {
            let stat = place.directory.stat(&place.name).map_err(failed)?;
            stat.entry(place.name.clone(), Bytes::new())
        }
    };
    if !expect.is_file() {
        return Err(Error::new(ErrorKind::Invalid, "read")
            .at(path)
            .because(format!("it is a {}", expect.kind.word())));
    }
    let quietly = read::may_skip_access_time(&expect);
    let file = tree
        .with_room(|| place.directory.open_file(&place.name, quietly))
        .map_err(failed)?;
    read::check(&file, &expect, path)?;
    Ok(FsReader {
        file: Arc::new(file),
        entry: expect,
        path: path.clone(),
        rooms: tree.rooms.clone(),
    })
}

impl FsReader {
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        blocking(move || work(&file).map_err(|cause| error("read", &cause).at(&path))).await
    }
}

#[async_trait]
impl Reader for FsReader {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    async fn attributes(&self) -> Result<Attributes> {
        self.with(read::attributes).await
    }

    async fn extent(&self, offset: u64) -> Result<Option<Extent>> {
        let size = self.entry.size;
        if offset >= size {
            return Ok(None);
        }
        if !self.entry.may_have_holes() {
            return Ok(Some(Extent {
                start: offset,
                end: size,
            }));
        }
        let data = self.with(move |file| file.next_data(offset)).await?;
        Ok(data.map(|data| Extent {
            start: data.start,
            end: data.end.min(size),
        }))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let size = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| {
            Error::new(ErrorKind::Invalid, "read").because("a range larger than memory")
        })?;
        let mut room = self.rooms.take(size);
        let (room, filled) = self
            .with(move |file| {
                let filled = file.read_at(&mut room[..size], range.start)?;
                Ok((room, filled))
            })
            .await?;
        if filled < size {
            return Err(Error::new(ErrorKind::Changed, "read")
                .at(&self.path)
                .because("the file ended before its size"));
        }
        Ok(self.rooms.lend(room, size))
    }

    async fn check_unchanged(&self) -> Result<()> {
        let stat = self.with(File::stat).await?;
        if stat.is(&self.entry) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Changed, "read").at(&self.path))
        }
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.file.fd()
    }

    #[cfg(unix)]
    fn kernel_file(&self) -> Option<Arc<dyn blit_contract::KernelFile>> {
        crate::sys::in_kernel(&self.file)
    }
}
