//! A file that arrives over a lane, perhaps without what is here already.

use std::ops::Range;

use blit_contract::{ContentHasher, Diff, Error, ErrorKind, Method, NoHistory, Result, Staged};
use blit_mover::{Inlet, Seen, Step, Transform};
use blit_wire::FileSeal;
use bytes::Bytes;

use super::super::{Prepared, Site};
use crate::lane::{Piece, Pieces, broken, prove};

/// How much of what is the same is read back at a time.
const STEP_BYTES: u64 = 1 << 20;

/// Takes the file, and stages it. If it is cut off, what has come of a file for which this side is
/// prepared is kept for another session.
pub(super) async fn take(
    site: &Site,
    item: u64,
    diff: &Diff,
    prepared: Option<Prepared>,
    mut pieces: Pieces,
) -> Result<(Staged, Method)> {
    let prepared = match prepared {
        Some(prepared) => prepared,
        None => Prepared::for_all_of_it(site, diff).await?,
    };
    let size = diff.entry.size;
    let inlet = Inlet::of(&*prepared.writer, &*site.history, size).await?;
    pieces.let_kernel(inlet.clone());
    let started = site.session.clock.now();
    let mut growing = Growing {
        site,
        size,
        inlet,
        prepared,
        hasher: ContentHasher::default(),
        at: 0,
        matched: 0,
        placed: 0,
    };
    let taken = growing.take(&mut pieces).await;
    let Growing {
        prepared,
        hasher,
        matched,
        placed,
        ..
    } = growing;
    let proved = taken.and_then(|seal| Ok((prove(hasher, &seal)?, seal)));
    let (digest, seal) = match proved {
        Ok(proved) => proved,
        Err(error) => {
            // Only what is cut off is worth keeping: after anything else it is not what it should be.
            if !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Unreachable) {
                prepared.writer.discard().await;
            }
            return Err(error);
        }
    };
    let method = match placed {
        0 => Method::Pump,
        _ => Method::Splice,
    };
    let measured = (1, size as usize);
    // What did not have to come says nothing of how fast bytes come.
    if matched == 0 {
        site.session.observe(item, method, measured, started);
    }
    let entry = diff.entry.clone();
    let mut staged = prepared.writer.finish(entry, seal.attributes).await?;
    staged.digest = site.policy.verify.then_some(digest);
    site.session.note(|report| report.matched_bytes += matched);
    Ok((staged, method))
}

struct Growing<'a> {
    site: &'a Site,
    size: u64,
    /// Where the lane places data by itself.
    inlet: Option<Inlet>,
    prepared: Prepared,
    /// Of what comes, and of what is read back where nothing has to come.
    hasher: ContentHasher,
    /// How far the file has come.
    at: u64,
    /// How much of it did not have to come.
    matched: u64,
    /// How much of it the lane has placed.
    placed: u64,
}

impl Growing<'_> {
    async fn take(&mut self, pieces: &mut Pieces) -> Result<FileSeal> {
        loop {
            self.site.session.cx.check()?;
            match pieces.next().await? {
                Piece::Data(offset, content) => self.data(offset, content).await?,
                Piece::Placed(range, seen) => self.placed(range, &seen).await?,
                Piece::Same(range) => self.same(range).await?,
                Piece::End(end) => {
                    let seal = end?;
                    self.hole_until(self.size).await?;
                    return Ok(seal);
                }
            }
        }
    }

    async fn data(&mut self, offset: u64, content: Bytes) -> Result<()> {
        let bytes = content.len() as u64;
        let session = &self.site.session;
        session.pace.pass(&session.cx, bytes).await?;
        self.hole_until(offset).await?;
        self.hasher.update(&content);
        self.prepared.writer.write_at(offset, content).await?;
        self.at = offset + bytes;
        self.site.session.progress.done_bytes.add(bytes);
        Ok(())
    }

    /// Takes what the lane has placed; looks at it where what was seen on the way does not fit.
    async fn placed(&mut self, range: Range<u64>, seen: &Seen) -> Result<()> {
        let bytes = range.end - range.start;
        let session = &self.site.session;
        session.pace.pass(&session.cx, bytes).await?;
        self.hole_until(range.start).await?;
        let Some(inlet) = &self.inlet else {
            return Err(crate::source::bug("data is placed nowhere"));
        };
        if !seen.tell(&mut self.hasher) {
            let hasher = std::mem::take(&mut self.hasher);
            self.hasher = inlet.look(range.clone(), hasher).await?;
        }
        self.at = range.end;
        self.placed += bytes;
        session.progress.done_bytes.add(bytes);
        Ok(())
    }

    /// What nothing says anything of is a hole, whatever was kept there.
    async fn hole_until(&mut self, offset: u64) -> Result<()> {
        if self.prepared.has_kept && self.at < offset {
            self.prepared.writer.clear(self.at..offset).await?;
        }
        self.hasher.skip(offset - self.at);
        self.at = offset;
        Ok(())
    }

    async fn same(&mut self, range: Range<u64>) -> Result<()> {
        let Some(runs) = self.prepared.blocks.runs(&range) else {
            return Err(broken("what it has no ledger of"));
        };
        self.hole_until(range.start).await?;
        for (run, is_kept) in runs {
            if !is_kept {
                self.copy(run.clone()).await?;
            }
            self.read_back(run).await?;
        }
        self.matched += range.end - range.start;
        Ok(())
    }

    /// Copies what is the same from the old version: inside the kernel, where that works.
    async fn copy(&self, range: Range<u64>) -> Result<()> {
        let Some(old) = &self.prepared.old else {
            return Err(crate::source::bug("a ledger of no version"));
        };
        let step = Step {
            cx: &self.site.session.cx,
            reader: &**old,
            writer: &*self.prepared.writer,
            range,
            pace: &self.site.session.pace,
            on_bytes: &|_| (),
        };
        let copied = self
            .site
            .mover
            .copy(&step, Transform::default(), &NoHistory)
            .await;
        // A read that fails is no fault of the source: it has to send the file whole. Stores call it so.
        let is_old = |error: &Error| error.op() == "read" || error.kind() == ErrorKind::Changed;
        copied.map(drop).map_err(|error| match is_old(&error) {
            true => Error::new(ErrorKind::Corrupt, "copy")
                .because("the old version changed meanwhile")
                .with_source(error),
            false => error,
        })
    }

    /// Looks at what is in the new file where nothing has come: it is part of the proof.
    async fn read_back(&mut self, range: Range<u64>) -> Result<()> {
        while self.at < range.end {
            self.site.session.cx.check()?;
            let step = self.at..range.end.min(self.at + STEP_BYTES);
            let wanted = step.end - step.start;
            let content = self.prepared.writer.read_back(step).await?;
            if content.len() as u64 != wanted {
                return Err(Error::new(ErrorKind::Corrupt, "read back")
                    .because("it became shorter meanwhile"));
            }
            self.hasher.update(&content);
            self.at += wanted;
            self.site.session.progress.done_bytes.add(wanted);
        }
        Ok(())
    }
}
