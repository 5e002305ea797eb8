//! Large files that arrive in parts, by several writers at a time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use blit_contract::{
    Attributes, Diff, Error, Method, Reader, RelPath, Result, Staged, WriteOptions, Writer,
};
use blit_mover::{Step, Transform};
use blit_wire::RangePart;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::super::Site;
use crate::digest;

/// The files of which some parts have arrived.
#[derive(Debug, Default)]
pub(super) struct Ranges(Mutex<HashMap<RelPath, Arc<Growing>>>);

#[derive(Debug)]
struct Growing {
    writer: OnceCell<Box<dyn Writer>>,
    method: Mutex<Method>,
    failure: Mutex<Option<Error>>,
    parts_left: AtomicU32,
}

impl Ranges {
    /// Takes one part. The part that completes a file answers it staged, or why it could not be.
    pub(super) async fn take(
        &self,
        site: &Site,
        part: RangePart,
        reader: Result<Arc<dyn Reader>>,
    ) -> Option<(Diff, Result<(Staged, Method)>)> {
        let growing = self.growing(&part);
        let written = match &reader {
            Ok(reader) => growing.write(site, &part, &**reader).await,
            Err(_) => Ok(()),
        };
        let failure = match (&reader, written) {
            (Ok(_), Ok(())) => None,
            (Ok(_), Err(error)) => Some(error),
            (Err(error), _) => Some(Error::new(error.kind(), error.op())),
        };
        if let Some(error) = failure {
            growing.failure.lock().get_or_insert(error);
        }
        let growing = self.last(&part.diff.path, growing)?;
        let diff = Diff::clone(&part.diff);
        let staged = match reader {
            Ok(reader) => growing.finish(site, &diff, &*reader).await,
            Err(error) => Err(error),
        };
        Some((diff, staged))
    }

    /// Counts a part as done; answers the file if it was the last one. Under the lock, so that no part
    /// still holds the file when the last one takes it.
    fn last(&self, path: &RelPath, growing: Arc<Growing>) -> Option<Growing> {
        let mut all = self.0.lock();
        if growing.parts_left.fetch_sub(1, Ordering::AcqRel) > 1 {
            drop(growing);
            return None;
        }
        all.remove(path);
        Arc::into_inner(growing)
    }

    fn growing(&self, part: &RangePart) -> Arc<Growing> {
        let mut all = self.0.lock();
        let growing = all.entry(part.diff.path.clone()).or_insert_with(|| {
            Arc::new(Growing {
                writer: OnceCell::new(),
                method: Mutex::new(Method::Pump),
                failure: Mutex::new(None),
                parts_left: AtomicU32::new(part.parts),
            })
        });
        Arc::clone(growing)
    }
}

impl Growing {
    async fn write(&self, site: &Site, part: &RangePart, reader: &dyn Reader) -> Result<()> {
        if self.failure.lock().is_some() {
            return Ok(());
        }
        let cx = &site.session.cx;
        let writer = self
            .writer
            .get_or_try_init(|| {
                let diff = &part.diff;
                let options =
                    WriteOptions::new(site.policy, diff.entry.clone(), diff.replace.clone());
                site.store.open_write(cx, &diff.path, options)
            })
            .await?;
        let on_bytes = |bytes| site.session.progress.done_bytes.add(bytes);
        let step = Step {
            cx,
            pace: &site.session.pace,
            reader,
            writer: &**writer,
            range: part.start..part.end,
            on_bytes: &on_bytes,
        };
        let transform = Transform::default();
        let moved = site.mover.copy(&step, transform, &*site.history).await?;
        *self.method.lock() = moved.method;
        Ok(())
    }

    /// Finishes the file, now that all of its parts are written.
    async fn finish(
        self,
        site: &Site,
        diff: &Diff,
        reader: &dyn Reader,
    ) -> Result<(Staged, Method)> {
        if let Some(error) = self.failure.into_inner() {
            return Err(error);
        }
        let missing = || crate::source::bug("a complete file that was never opened");
        let writer = self.writer.into_inner().ok_or_else(missing)?;
        let attributes = match site.policy.preserve.xattrs {
            true => reader.attributes().await?,
            false => Attributes::default(),
        };
        // Parts that moved inside the kernel were seen by nobody: a digest needs a pass of its own.
        let digest = match site.policy.verify {
            true => Some(digest::of(&site.session.cx, reader).await?),
            false => None,
        };
        reader.check_unchanged().await?;
        let mut staged = writer.finish(diff.entry.clone(), attributes).await?;
        staged.digest = digest;
        Ok((staged, self.method.into_inner()))
    }
}
