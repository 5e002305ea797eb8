//! The digest of a file's content.

use blit_contract::{ContentHasher, Cx, Reader, Result};

/// How much is read at a time: large enough for full disk speed, small enough to stop soon.
const STEP_BYTES: u64 = 1 << 20;

/// The digest of the file, whose holes are not read.
///
/// # Errors
/// `Changed` if the file changed while it was read.
pub(crate) async fn of(cx: &Cx, reader: &dyn Reader) -> Result<[u8; 32]> {
    let size = reader.entry().size;
    let mut hasher = ContentHasher::default();
    let mut at = 0;
    while let Some(data) = reader.extent(at).await? {
        hasher.skip(data.start.saturating_sub(at));
        at = data.start.max(at);
        while at < data.end {
            cx.check()?;
            let end = data.end.min(at + STEP_BYTES);
            hasher.update(&reader.read(at..end).await?);
            at = end;
        }
    }
    hasher.skip(size.saturating_sub(at));
    reader.check_unchanged().await?;
    Ok(hasher.finish())
}
