use std::{
    io::{Read, Write},
    ops::Range,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{fs::FileExt, net::UnixStream},
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use blit_contract::{
    Attributes, Cx, Entry, Extent, FdKind, FdLease, KernelFile, Kind, Name, NoHistory, Reader,
    Writer,
};
use bytes::Bytes;

use super::*;

const SIZE: u64 = 3_000_000;

/// A file that is looked at by reading it.
#[derive(Debug, Default)]
struct File {
    file: Option<std::fs::File>,
    is_torn: AtomicBool,
}

impl KernelFile for File {
    fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_ref().unwrap().as_fd()
    }

    fn view(&self, range: Range<u64>) -> Result<Box<dyn View>> {
        let mut seen = vec![0; (range.end - range.start) as usize];
        let file = self.file.as_ref().unwrap();
        file.read_at(&mut seen, range.start).unwrap();
        let is_torn = self.is_torn.load(Ordering::Relaxed);
        Ok(Box::new(Seen(seen, is_torn)))
    }
}

struct Seen(Vec<u8>, bool);

impl View for Seen {
    fn look(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let rest = &self.0[offset.min(self.0.len())..];
        let size = rest.len().min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        size
    }

    fn is_torn(&self) -> bool {
        self.1
    }
}

/// Only the kernel's side of a reader or writer.
#[derive(Debug)]
struct End(Arc<File>, Entry);

impl End {
    fn of(file: std::fs::File) -> Self {
        let mut entry = Entry::new(Name::new(*b"f").unwrap(), Kind::File);
        entry.size = SIZE;
        let file = File {
            file: Some(file),
            is_torn: AtomicBool::new(false),
        };
        Self(Arc::new(file), entry)
    }
}

#[async_trait::async_trait]
impl Reader for End {
    fn entry(&self) -> &Entry {
        &self.1
    }

    async fn attributes(&self) -> Result<Attributes> {
        unreachable!("only the kernel reads")
    }

    async fn extent(&self, _: u64) -> Result<Option<Extent>> {
        unreachable!("only the kernel reads")
    }

    async fn read(&self, _: Range<u64>) -> Result<Bytes> {
        unreachable!("only the kernel reads")
    }

    async fn check_unchanged(&self) -> Result<()> {
        unreachable!("only the kernel reads")
    }

    fn kernel_file(&self) -> Option<Arc<dyn KernelFile>> {
        Some(Arc::<File>::clone(&self.0))
    }
}

#[async_trait::async_trait]
impl Writer for End {
    async fn write_at(&self, _: u64, _: Bytes) -> Result<()> {
        unreachable!("only the kernel writes")
    }

    async fn read_back(&self, _: Range<u64>) -> Result<Bytes> {
        unreachable!("only the kernel writes")
    }

    async fn finish(self: Box<Self>, _: Entry, _: Attributes) -> Result<blit_contract::Staged> {
        unreachable!("only the kernel writes")
    }

    fn kernel_file(&self) -> Option<Arc<dyn KernelFile>> {
        Some(Arc::<File>::clone(&self.0))
    }
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

fn file_of(content: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

fn lease(socket: &UnixStream) -> FdLease {
    socket.set_nonblocking(true).unwrap();
    FdLease {
        fd: OwnedFd::from(socket.try_clone().unwrap()),
        kind: FdKind::StreamSocket,
        witness: Witness::with(blake3::Hasher::new()),
    }
}

async fn send(from: &End, socket: &UnixStream, range: Range<u64>) -> Result<Left> {
    let outlet = Outlet::of(from, &NoHistory).await?.unwrap();
    let hasher = ContentHasher::default();
    outlet
        .send(&Cx::default(), lease(socket), range, hasher)
        .await
}

async fn take(to: &End, socket: &UnixStream, range: Range<u64>) -> Result<Placed> {
    let inlet = Inlet::of(to, &NoHistory, SIZE).await?.unwrap();
    inlet.take(&Cx::default(), lease(socket), range).await
}

#[tokio::test]
async fn a_file_passes_from_kernel_to_kernel_and_both_sides_see_the_same() {
    let (from, to) = (End::of(file_of(&content())), End::of(file_of(b"")));
    let (there, here) = UnixStream::pair().unwrap();
    let (left, placed) = tokio::join!(send(&from, &there, 0..SIZE), take(&to, &here, 0..SIZE));
    let (left, placed) = (left.unwrap(), placed.unwrap());
    assert!(left.failed.is_none() && placed.failed.is_none());
    assert!(left.witness.digest().is_some());
    assert_eq!(left.witness.digest(), placed.witness.digest());
    assert_eq!(left.hasher.finish(), ContentHasher::digest(&content()));
    let mut hasher = ContentHasher::default();
    assert!(placed.seen.tell(&mut hasher));
    assert_eq!(hasher.finish(), ContentHasher::digest(&content()));
    let inlet = Inlet::of(&to, &NoHistory, SIZE).await.unwrap().unwrap();
    let seen = inlet.look(0..SIZE, ContentHasher::default()).await.unwrap();
    assert_eq!(seen.finish(), ContentHasher::digest(&content()));
}

#[tokio::test]
async fn a_file_that_ends_early_leaves_whole_chunks_and_an_error() {
    let from = End::of(file_of(&content()[..1_000_000]));
    let (there, mut here) = UnixStream::pair().unwrap();
    let reading = std::thread::spawn(move || {
        let mut came = Vec::new();
        here.read_to_end(&mut came).unwrap();
        came
    });
    let left = send(&from, &there, 500_000..SIZE).await.unwrap();
    assert_eq!(left.failed.unwrap().kind(), ErrorKind::Changed);
    drop(there);
    let came = reading.join().unwrap();
    assert_eq!(came.len() as u64, SIZE - 500_000);
    assert_eq!(came[..500_000], content()[500_000..1_000_000]);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_to_does_not_stop_the_lane() {
    let from = End::of(file_of(&content()));
    let read_only = tempfile::NamedTempFile::new().unwrap();
    let to = End::of(std::fs::File::open(read_only.path()).unwrap());
    let (there, here) = UnixStream::pair().unwrap();
    let (left, placed) = tokio::join!(send(&from, &there, 0..SIZE), take(&to, &here, 0..SIZE));
    assert!(left.unwrap().failed.is_none());
    assert_eq!(placed.unwrap().failed.unwrap().op(), "write");
    // The next chunk comes as if nothing had happened.
    let to = End::of(file_of(b""));
    let (_, placed) = tokio::join!(send(&from, &there, 0..SIZE), take(&to, &here, 0..SIZE));
    assert!(placed.unwrap().failed.is_none());
}

#[tokio::test]
async fn what_was_gone_when_it_was_looked_at_makes_the_file_fail() {
    let (from, to) = (End::of(file_of(&content())), End::of(file_of(b"")));
    from.0.is_torn.store(true, Ordering::Relaxed);
    let (there, here) = UnixStream::pair().unwrap();
    let (left, placed) = tokio::join!(send(&from, &there, 0..SIZE), take(&to, &here, 0..SIZE));
    assert_eq!(left.unwrap().failed.unwrap().kind(), ErrorKind::Changed);
    assert!(placed.unwrap().failed.is_none());
}

#[tokio::test]
async fn a_lane_that_is_gone_is_an_error_of_the_lane() {
    let from = End::of(file_of(&content()));
    let (there, here) = UnixStream::pair().unwrap();
    drop(here);
    let lost = send(&from, &there, 0..SIZE).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unreachable);
    let (there, here) = UnixStream::pair().unwrap();
    drop(there);
    let to = End::of(file_of(b""));
    let lost = take(&to, &here, 0..SIZE).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unreachable);
}
