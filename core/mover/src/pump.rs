//! Moves bytes through memory: works between any two stores.

use blit_contract::{ContentHasher, Result};

use crate::{Step, next_data};

/// How much is in flight at a time. 1 MiB reads reach full speed on every disk measured.
const CHUNK_BYTES: u64 = 1 << 20;

/// Copies the data of the range chunk by chunk: while one is written, the next is read.
pub(super) async fn pump(step: &Step<'_>, with_digest: bool) -> Result<Option<[u8; 32]>> {
    let most = step.pace.piece(CHUNK_BYTES);
    let mut hasher = with_digest.then(ContentHasher::default);
    let mut at = step.range.start;
    while let Some(data) = next_data(step.reader, at, step.range.end).await? {
        if let Some(hasher) = &mut hasher {
            hasher.skip(data.start - at);
        }
        at = data.start;
        let mut ahead = step.reader.read(at..data.end.min(at + most)).await?;
        loop {
            step.cx.check()?;
            let chunk = ahead;
            let (offset, size) = (at, chunk.len() as u64);
            at += size;
            step.pace.pass(step.cx, size).await?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&chunk);
            }
            let write = step.writer.write_at(offset, chunk);
            if at >= data.end {
                write.await?;
                (step.on_bytes)(size);
                break;
            }
            let read = step.reader.read(at..data.end.min(at + most));
            let (written, read) = futures_util::future::join(write, read).await;
            written?;
            ahead = read?;
            (step.on_bytes)(size);
        }
    }
    Ok(hasher.map(|mut hasher| {
        hasher.skip(step.range.end - at);
        hasher.finish()
    }))
}
