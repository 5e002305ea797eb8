//! One new file, written in ranges.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use blit_contract::{
    Attributes, Entry, Error, ErrorKind, Extent, RelPath, Replace, Result, Staged, WriteOptions,
    WritePolicy, Writer,
};
use bytes::Bytes;

use crate::{error::error, keep, place::Tree, stage::Unborn, store::blocking, sys::File};

/// A file without a name.
#[derive(Debug)]
pub(crate) struct FsWriter {
    unborn: Unborn,
    path: RelPath,
    replace: Replace,
    policy: WritePolicy,
}

/// Makes the file for `path`.
pub(crate) fn open(tree: &Tree, path: &RelPath, options: WriteOptions) -> Result<FsWriter> {
    tree.writable()?;
    let place = tree
        .place(path)
        .map_err(|cause| error("create", &cause).at(path))?;
    let (entry, policy) = (&options.entry, options.policy);
    let kept = match options.keep {
        true => keep::open(tree, path, entry, policy.preserve, &place)?,
        false => None,
    };
    let unborn = match kept {
        Some(kept) => kept,
        None => Unborn::create(tree, path, entry, policy, place)?,
    };
    // At its length from the start: file systems reserve room behind what is appended (XFS), and in
    // a file with holes that room would stay.
    unborn
        .file
        .set_size(options.entry.size)
        .map_err(|cause| error("write", &cause).at(path))?;
    Ok(FsWriter {
        unborn,
        path: path.clone(),
        replace: options.replace,
        policy: options.policy,
    })
}

impl FsWriter {
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (file, path) = (Arc::clone(&self.unborn.file), self.path.clone());
        blocking(move || work(&file).map_err(|cause| error("write", &cause).at(&path))).await
    }
}

#[async_trait]
impl Writer for FsWriter {
    async fn write_at(&self, offset: u64, data: Bytes) -> Result<()> {
        self.with(move |file| file.write_at(&data, offset)).await
    }

    async fn read_back(&self, range: Range<u64>) -> Result<Bytes> {
        let size = usize::try_from(range.end.saturating_sub(range.start))
            .map_err(|_| Error::new(ErrorKind::Invalid, "read back"))?;
        self.with(move |file| {
            let mut data = vec![0; size];
            let filled = file.read_at(&mut data, range.start)?;
            data.truncate(filled);
            Ok(data.into())
        })
        .await
    }

    async fn kept(&self, offset: u64) -> Result<Option<Extent>> {
        if !self.unborn.is_taken_up {
            return Ok(None);
        }
        let data = self.with(move |file| file.next_data(offset)).await?;
        Ok(data.map(|data| Extent {
            start: data.start,
            end: data.end,
        }))
    }

    async fn clear(&self, range: Range<u64>) -> Result<()> {
        self.with(move |file| file.clear(range)).await
    }

    async fn discard(mut self: Box<Self>) {
        self.unborn.keeps = false;
    }

    async fn finish(self: Box<Self>, entry: Entry, attributes: Attributes) -> Result<Staged> {
        blocking(move || {
            let Self {
                unborn,
                path,
                replace,
                policy,
            } = *self;
            unborn.finish(&path, &entry, &attributes, policy, replace)
        })
        .await
    }

    #[cfg(unix)]
    fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.unborn.file.fd()
    }

    #[cfg(unix)]
    fn kernel_file(&self) -> Option<Arc<dyn blit_contract::KernelFile>> {
        crate::sys::in_kernel(&self.unborn.file)
    }
}
