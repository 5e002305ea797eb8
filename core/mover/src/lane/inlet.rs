//! In: from a lane into a file.

use std::{
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use blit_contract::{
    ContentHasher, Cx, Error, ErrorKind, FdLease, Group, History, KernelFile, Method, Result,
    Writer,
};
use rustix::{
    event::PollFlags,
    io::Errno,
    pipe::{PipeFlags, SpliceFlags},
};

use super::{
    LOOK_BYTES, Placed, Seen, blocking, look,
    socket::{lost, viewable, wait},
};
use crate::leads;

/// A file that is filled from a lane.
#[derive(Debug)]
pub struct Inlet {
    file: Arc<dyn KernelFile>,
}

/// A larger pipe is for root only.
const PIPE_BYTES_MAX: usize = 1 << 20;

/// What lies between a socket and a file: `splice` has a pipe on one side.
#[derive(Debug)]
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

impl Inlet {
    /// The file of `writer`, if the kernel can write to it, it can be looked at, and that was not slower.
    ///
    /// # Errors
    /// `Bug` only.
    pub async fn of(
        writer: &dyn Writer,
        history: &dyn History,
        size_bytes: u64,
    ) -> Result<Option<Self>> {
        if !leads(Method::Splice, history, size_bytes) {
            return Ok(None);
        }
        let file = viewable(writer.kernel_file()).await?;
        Ok(file.map(|file| Self { file }))
    }

    /// Takes what comes next to `range` of the file.
    ///
    /// # Errors
    /// If the lane is lost.
    pub async fn take(&self, cx: &Cx, lease: FdLease, range: Range<u64>) -> Result<Placed> {
        let (cx, file) = (cx.clone(), Arc::clone(&self.file));
        blocking(move || take(&cx, &*file, lease, range)).await?
    }

    /// Shows what lies at `range` of the file to `hasher`.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub async fn look(
        &self,
        range: Range<u64>,
        mut hasher: ContentHasher,
    ) -> Result<ContentHasher> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            look_back(&*file, range, |bytes| hasher.update(bytes))?;
            Ok(hasher)
        })
        .await?
    }
}

impl Clone for Inlet {
    fn clone(&self) -> Self {
        Self {
            file: Arc::clone(&self.file),
        }
    }
}

fn take(cx: &Cx, file: &dyn KernelFile, lease: FdLease, range: Range<u64>) -> Result<Placed> {
    let FdLease {
        fd, mut witness, ..
    } = lease;
    let pipe = Pipe::new(range.end - range.start)?;
    let mut at = range.start;
    let mut failed: Option<Error> = None;
    while at < range.end {
        let came = pipe.fill(cx, fd.as_fd(), (range.end - at) as usize)?;
        let placed = match &failed {
            None => pipe.empty_into(file.fd(), at, came),
            Some(_) => pipe.drop_bytes(came),
        };
        failed = failed.or(placed.err());
        at += came as u64;
    }
    let mut seen = Seen::default();
    if failed.is_none() {
        let looked = look_back(file, range, |bytes| {
            let group = Group::of(bytes);
            witness.see(&group);
            seen.see(group, bytes);
        });
        failed = looked.err();
    }
    Ok(Placed {
        witness,
        seen,
        failed,
    })
}

/// Shows what was placed to `see`.
fn look_back(file: &dyn KernelFile, range: Range<u64>, mut see: impl FnMut(&[u8])) -> Result<()> {
    let size = (range.end - range.start) as usize;
    let seen = file.view(range).and_then(|view| {
        look(&*view, 0..size, |bytes| {
            see(bytes);
            Ok(())
        })
    });
    seen.map_err(|error| {
        Error::new(ErrorKind::Corrupt, "read back")
            .because("it cannot be looked at")
            .with_source(error)
    })
}

impl Pipe {
    /// A pipe of about that size, or as large as one may be.
    fn new(size: u64) -> Result<Self> {
        let failed = |errno: Errno| Error::from_io("receive", &errno.into());
        let (out, into) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        // A smaller one works, too: a user may have only so much of pipes.
        let size = usize::try_from(size)
            .unwrap_or(PIPE_BYTES_MAX)
            .min(PIPE_BYTES_MAX);
        rustix::pipe::fcntl_setpipe_size(&into, size).ok();
        Ok(Self { out, into })
    }

    /// Fills the empty pipe from the socket; answers with how many bytes.
    fn fill(&self, cx: &Cx, socket: BorrowedFd<'_>, wanted: usize) -> Result<usize> {
        loop {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match rustix::pipe::splice(socket, None, &self.into, None, wanted, flags) {
                Ok(0) => return Err(lost(Errno::CONNRESET)),
                Ok(came) => return Ok(came),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait(cx, socket, PollFlags::IN)?,
                Err(errno) => return Err(lost(errno)),
            }
        }
    }

    /// Empties the pipe, which has `size` bytes, to `at` of the file. If it fails, the pipe is empty.
    fn empty_into(&self, file: BorrowedFd<'_>, mut at: u64, mut size: usize) -> Result<()> {
        while size > 0 {
            let flags = SpliceFlags::MOVE;
            match rustix::pipe::splice(&self.out, None, file, Some(&mut at), size, flags) {
                Ok(moved) if moved > 0 => size -= moved.min(size),
                Ok(_) => return Err(self.give_up(size, Errno::IO)),
                Err(Errno::INTR) => {}
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                    return self.write_to(file, at, size);
                }
                Err(errno) => return Err(self.give_up(size, errno)),
            }
        }
        Ok(())
    }

    fn give_up(&self, size: usize, errno: Errno) -> Error {
        match self.drop_bytes(size) {
            Ok(()) => Error::from_io("write", &errno.into()),
            Err(error) => error,
        }
    }

    /// The same through memory, where the file system takes nothing from a pipe.
    fn write_to(&self, file: BorrowedFd<'_>, mut at: u64, mut size: usize) -> Result<()> {
        let mut buffer = [0; LOOK_BYTES];
        while size > 0 {
            let came = self.read(&mut buffer, size)?;
            size -= came;
            let mut bytes = &buffer[..came];
            while !bytes.is_empty() {
                match rustix::io::pwrite(file, bytes, at) {
                    Ok(written) => {
                        at += written as u64;
                        bytes = bytes.get(written..).unwrap_or_default();
                    }
                    Err(Errno::INTR) => {}
                    Err(errno) => return Err(self.give_up(size, errno)),
                }
            }
        }
        Ok(())
    }

    fn drop_bytes(&self, mut size: usize) -> Result<()> {
        let mut buffer = [0; LOOK_BYTES];
        while size > 0 {
            size -= self.read(&mut buffer, size)?;
        }
        Ok(())
    }

    fn read(&self, buffer: &mut [u8], size: usize) -> Result<usize> {
        let room = buffer.len().min(size);
        let came = rustix::io::retry_on_intr(|| rustix::io::read(&self.out, &mut buffer[..room]));
        match came {
            Ok(came) if came > 0 => Ok(came),
            Ok(_) => Err(Error::from_io("receive", &Errno::IO.into())),
            Err(errno) => Err(Error::from_io("receive", &errno.into())),
        }
    }
}
