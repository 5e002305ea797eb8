//! The limits: a TLS 1.3 stream from memory to memory, and a file that is read, digested, sent,
//! received, digested and written by the plainest loop there is.

use eyre::{Context, OptionExt, ensure};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read, digested and written at once.
const PIECE_BYTES: usize = 1 << 20;
/// What the certificate is for.
const NAME: &str = "limit";
/// What the side that received says at the end.
const DONE: u8 = 1;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// File → TCP → file, with digests.
    Loop,
    /// TLS 1.3, memory to memory.
    Tls,
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// Calls.
    Dial,
    /// Is called.
    Listen,
}

/// Who gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Gets.
    Receive,
    /// Gives.
    Send,
}

/// One side of a limit.
#[derive(Debug, clap::Args)]
pub struct Limit {
    /// Which limit.
    pub kind: Kind,
    /// Who calls whom.
    pub side: Side,
    /// Who gives.
    pub role: Role,
    /// Where.
    pub address: SocketAddr,
    /// The source or the target.
    pub folder: PathBuf,
    /// How much crosses.
    pub size_bytes: u64,
    /// Where the certificate and its key are.
    pub keys: PathBuf,
}

impl Limit {
    /// Does its part.
    ///
    /// # Errors
    /// When the other side does not do its own.
    pub fn run(&self) -> eyre::Result<()> {
        self.over(match self.side {
            Side::Dial => TcpStream::connect(self.address)?,
            Side::Listen => TcpListener::bind(self.address)?.accept()?.0,
        })
    }

    fn over(&self, mut socket: TcpStream) -> eyre::Result<()> {
        socket.set_nodelay(true)?;
        match (self.kind, self.role) {
            (Kind::Loop, Role::Send) => send_file(&self.folder, &mut socket),
            (Kind::Loop, Role::Receive) => receive_file(&self.folder, self.size_bytes, &mut socket),
            (Kind::Tls, role) => {
                let mut stream = self.encrypted(socket)?;
                match role {
                    Role::Send => send_memory(self.size_bytes, &mut *stream)?,
                    Role::Receive => receive_memory(self.size_bytes, &mut *stream)?,
                }
                Ok(())
            }
        }
    }

    fn encrypted(&self, socket: TcpStream) -> eyre::Result<Box<dyn Stream>> {
        let certificate = CertificateDer::from(fs::read(certificate(&self.keys))?);
        Ok(match self.side {
            Side::Dial => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate)?;
                let config =
                    ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
                let config = config.with_root_certificates(roots).with_no_client_auth();
                let mut connection =
                    ClientConnection::new(Arc::new(config), ServerName::try_from(NAME)?)?;
                connection.set_buffer_limit(Some(PIECE_BYTES));
                Box::new(StreamOwned::new(connection, socket))
            }
            Side::Listen => {
                let key = fs::read(key(&self.keys))?;
                let key = PrivateKeyDer::try_from(key).map_err(|error| eyre::eyre!(error))?;
                let config =
                    ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
                let config = config
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate], key)?;
                let mut connection = ServerConnection::new(Arc::new(config))?;
                connection.set_buffer_limit(Some(PIECE_BYTES));
                Box::new(StreamOwned::new(connection, socket))
            }
        })
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Makes the certificate of the side that is called, and its key.
pub(crate) fn make_keys(folder: &Path) -> eyre::Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    fs::write(certificate(folder), made.cert.der())?;
    fs::write(key(folder), made.signing_key.serialize_der())?;
    Ok(())
}

fn certificate(folder: &Path) -> PathBuf {
    folder.join("limit.cert")
}

fn key(folder: &Path) -> PathBuf {
    folder.join("limit.key")
}

fn send_memory(size_bytes: u64, stream: &mut (impl Read + Write + ?Sized)) -> io::Result<()> {
    let piece = vec![0x5a; PIECE_BYTES];
    let mut left_bytes = size_bytes;
    while left_bytes > 0 {
        let length = least(left_bytes, PIECE_BYTES);
        stream.write_all(&piece[..length])?;
        left_bytes -= length as u64;
    }
    stream.flush()?;
    confirmed(stream)
}

fn receive_memory(size_bytes: u64, stream: &mut (impl Read + Write + ?Sized)) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut left_bytes = size_bytes;
    while left_bytes > 0 {
        let length = least(left_bytes, PIECE_BYTES);
        let got = stream.read(&mut piece[..length])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left_bytes -= got as u64;
    }
    stream.write_all(&[DONE])?;
    stream.flush()
}

/// The digests that blit makes in a network that it trusts: of the file, and with a key of each piece.
struct Digests {
    file: blake3::Hasher,
    key: [u8; 32],
}

impl Digests {
    fn new() -> Self {
        Self {
            file: blake3::Hasher::new(),
            key: [7; 32],
        }
    }

    fn take(&mut self, piece: &[u8]) -> blake3::Hash {
        self.file.update(piece);
        blake3::keyed_hash(&self.key, piece)
    }
}

fn send_file(folder: &Path, socket: &mut TcpStream) -> eyre::Result<()> {
    let entry = fs::read_dir(folder)?
        .next()
        .ok_or_eyre("the source has no file")??;
    let mut file = File::open(entry.path())?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut digests = Digests::new();
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        let digest = digests.take(&piece[..length]);
        socket.write_all(&piece[..length])?;
        socket.write_all(digest.as_bytes())?;
    }
    socket.write_all(digests.file.finalize().as_bytes())?;
    confirmed(socket).wrap_err("the receiver did not confirm")
}

fn receive_file(folder: &Path, size_bytes: u64, socket: &mut TcpStream) -> eyre::Result<()> {
    fs::create_dir(folder)?;
    let mut file = File::create(folder.join("large.bin"))?;
    let mut piece = vec![0; PIECE_BYTES];
    let (mut digests, mut said) = (Digests::new(), [0; 32]);
    let mut left_bytes = size_bytes;
    while left_bytes > 0 {
        let length = least(left_bytes, PIECE_BYTES);
        socket.read_exact(&mut piece[..length])?;
        socket.read_exact(&mut said)?;
        ensure!(
            digests.take(&piece[..length]) == said,
            "a piece was changed"
        );
        file.write_all(&piece[..length])?;
        left_bytes -= length as u64;
    }
    socket.read_exact(&mut said)?;
    ensure!(digests.file.finalize() == said, "the file was changed");
    Ok(socket.write_all(&[DONE])?)
}

fn confirmed(stream: &mut (impl Read + ?Sized)) -> io::Result<()> {
    let mut answer = [0];
    stream.read_exact(&mut answer)
}

fn least(left_bytes: u64, most: usize) -> usize {
    usize::try_from(left_bytes).map_or(most, |it| it.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Lets both sides run over a socket; `source` gives and `target` gets.
    fn run(kind: Kind, pulls: bool, folder: &Path, size_bytes: u64) -> eyre::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let one = |side, gives| Limit {
            kind,
            side,
            role: if gives { Role::Send } else { Role::Receive },
            address,
            folder: folder.join(if gives { "source" } else { "target" }),
            size_bytes,
            keys: folder.to_owned(),
        };
        let (dials, listens) = (one(Side::Dial, !pulls), one(Side::Listen, pulls));
        let server = thread::spawn(move || listens.over(listener.accept()?.0));
        let ended = dials.run();
        server.join().unwrap()?;
        ended
    }

    #[test]
    fn a_file_crosses_the_loop_both_ways() {
        for pulls in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let bytes: Vec<u8> = (0..2_500_000_u32).map(|it| (it % 251) as u8).collect();
            fs::create_dir(folder.path().join("source")).unwrap();
            fs::write(folder.path().join("source/large.bin"), &bytes).unwrap();
            run(Kind::Loop, pulls, folder.path(), bytes.len() as u64).unwrap();
            assert!(fs::read(folder.path().join("target/large.bin")).unwrap() == bytes);
        }
    }

    #[test]
    fn memory_crosses_an_encrypted_stream_both_ways() {
        for pulls in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            make_keys(folder.path()).unwrap();
            run(Kind::Tls, pulls, folder.path(), 3_000_000).unwrap();
        }
    }

    #[test]
    fn the_loop_sees_what_was_changed_on_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let liar = thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            // A piece that is not what its digest says.
            socket.write_all(&[1; 100]).unwrap();
            socket
                .write_all(blake3::keyed_hash(&[7; 32], &[2; 100]).as_bytes())
                .unwrap();
        });
        let mut socket = TcpStream::connect(address).unwrap();
        let error = receive_file(&folder.path().join("target"), 100, &mut socket).unwrap_err();
        liar.join().unwrap();
        assert_eq!(error.to_string(), "a piece was changed");
    }
}
