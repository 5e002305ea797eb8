//! The digest of a file's content.

use blit_contract::{Cx, Reader, Result};

/// How much is read at a time: large enough for full disk speed, small enough to stop soon.
const STEP_BYTES: u64 = 1 << 20;

/// The BLAKE3 digest of the file. Holes count as the zeros that they read as.
///
/// # Errors
/// `Changed` if the file changed while it was read.
pub(crate) async fn of(cx: &Cx, reader: &dyn Reader) -> Result<[u8; 32]> {
    let size = reader.entry().size;
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while at < size {
        cx.check()?;
        let end = size.min(at + STEP_BYTES);
        hasher.update(&reader.read(at..end).await?);
        at = end;
    }
    reader.check_unchanged().await?;
    Ok(*hasher.finalize().as_bytes())
}
