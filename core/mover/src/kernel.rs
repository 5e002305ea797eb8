//! Moves bytes inside the kernel, where both ends are files of it.

#[cfg(target_os = "linux")]
pub(super) use linux::{copy_file_range, reflink};

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{copy_file_range, reflink};

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use blit_contract::{Error, ErrorKind, Result};
    use rustix::io::{Errno, retry_on_intr};

    use crate::{Step, next_data};

    /// How much one call moves. Long enough that the calls do not count, short enough to stop soon:
    /// 64 MiB take some 20 ms.
    const CALL_BYTES: u64 = 64 << 20;

    /// Shares the blocks of the whole file (`FICLONE`).
    pub(crate) async fn reflink(step: &Step<'_>) -> Result<()> {
        let (from, to) = descriptors(step)?;
        blocking(move || retry_on_intr(|| rustix::fs::ioctl_ficlone(to.as_fd(), from.as_fd())))
            .await?
            .map_err(|errno| error("reflink", errno))?;
        (step.on_bytes)(step.range.end);
        Ok(())
    }

    /// Copies the data of the range with `copy_file_range`; what lies between stays a hole.
    pub(crate) async fn copy_file_range(step: &Step<'_>) -> Result<()> {
        let (from, to) = descriptors(step)?;
        let (mut from, mut to) = (from, to);
        let mut at = step.range.start;
        let mut has_moved = false;
        while let Some(data) = next_data(step.reader, at, step.range.end).await? {
            at = data.start;
            while at < data.end {
                step.cx.check()?;
                let wanted = step.pace.piece(CALL_BYTES).min(data.end - at);
                step.pace.pass(step.cx, wanted).await?;
                let call = move || {
                    let (mut read_at, mut write_at) = (at, at);
                    let moved = rustix::fs::copy_file_range(
                        &from,
                        Some(&mut read_at),
                        &to,
                        Some(&mut write_at),
                        wanted as usize,
                    );
                    (from, to, moved)
                };
                let moved;
                (from, to, moved) = blocking(call).await?;
                match moved {
                    Ok(0) => {
                        return Err(Error::new(ErrorKind::Changed, "copy")
                            .because("the file ended before its size"));
                    }
                    Ok(bytes) => {
                        at += bytes as u64;
                        has_moved = true;
                        (step.on_bytes)(bytes as u64);
                    }
                    Err(Errno::INTR) => {}
                    // In the middle there is no other method: only the first byte decides.
                    Err(errno) if has_moved => {
                        return Err(Error::from_io("copy", &std::io::Error::from(errno)));
                    }
                    Err(errno) => return Err(error("copy", errno)),
                }
            }
        }
        Ok(())
    }

    /// Descriptors that a blocking call may keep.
    fn descriptors(step: &Step<'_>) -> Result<(OwnedFd, OwnedFd)> {
        let keep = |fd: Option<BorrowedFd<'_>>| {
            fd.ok_or_else(|| Error::new(ErrorKind::Unsupported, "copy"))?
                .try_clone_to_owned()
                .map_err(|error| Error::from_io("copy", &error))
        };
        Ok((keep(step.reader.fd())?, keep(step.writer.fd())?))
    }

    async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        tokio::task::spawn_blocking(call)
            .await
            .map_err(|error| Error::new(ErrorKind::Bug, "copy").with_source(error))
    }

    /// What the kernel says when two files do not go together is "unsupported", whatever its number.
    fn error(op: &'static str, errno: Errno) -> Error {
        let io = std::io::Error::from(errno);
        match errno {
            Errno::BADF
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::NOTTY
            | Errno::OPNOTSUPP
            | Errno::PERM
            | Errno::TXTBSY
            | Errno::XDEV => Error::new(ErrorKind::Unsupported, op).because(io.to_string()),
            _ => Error::from_io(op, &io),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use blit_contract::{Error, ErrorKind, Result};

    use crate::Step;

    pub(crate) async fn reflink(_: &Step<'_>) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "reflink"))
    }

    pub(crate) async fn copy_file_range(_: &Step<'_>) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "copy"))
    }
}
