//! How the bytes of a file move: the one place where the data path is chosen.
//!
//! Each side has a *port*: a file of the kernel, a socket of the kernel, or chunks, which are always there.
//! `candidates` ranks the methods that fit by measured history, with a prior for a cold start.
//! [`Mover::copy`] tries them in that order between two files; a method that answers "unsupported" is
//! passed over before its first byte, never in the middle, and not tried again between the same two file
//! systems. [`Outlet`] and [`Inlet`] are for files that leave or come over a lane.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod kernel;
mod lane;
mod pump;

use std::{collections::HashSet, ops::Range, time::Duration};

use blit_clock::Pace;
use blit_contract::{Cost, Cx, Error, ErrorKind, History, Method, Reader, Result, Writer};
use parking_lot::Mutex;

pub use lane::{Inlet, Left, Outlet, Placed, Seen};

/// What an end of a copy offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// Bytes in memory.
    Chunks,
    /// The kernel has the file open.
    File,
    /// The kernel has the stream open.
    Socket,
}

/// What has to happen to the bytes on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transform {
    /// The process must see every byte, for a digest.
    pub digest: bool,
}

/// First guesses in bytes per second, for a machine without history: sharing blocks costs nothing,
/// `copy_file_range` ran at 3.4 to 4.3 GB/s and read + write at 3.3 on the reference machine. What stays in
/// the kernel comes before what does not.
const PRIORS: [(Method, f64); 5] = [
    (Method::Reflink, 1e12),
    (Method::CopyFileRange, 4.0e9),
    (Method::Sendfile, 3.3e9),
    (Method::Splice, 3.3e9),
    (Method::Pump, 3.3e9),
];

/// Methods that are so close to the fastest count as equally fast: the one that costs less leads.
const EQUAL: f64 = 1.1;

/// The methods that fit, the best first. The last always works.
fn candidates(
    source: Port,
    target: Port,
    transform: Transform,
    history: &dyn History,
    size_bytes: u64,
) -> Vec<Method> {
    let fits = |method: Method| match (method, source, target) {
        (Method::Reflink | Method::CopyFileRange, Port::File, Port::File) => !transform.digest,
        (Method::Sendfile, Port::File, Port::Socket)
        | (Method::Splice, Port::Socket, Port::File)
        | (Method::Pump, ..) => true,
        _ => false,
    };
    let mut ranked: Vec<(Method, Duration)> = PRIORS
        .iter()
        .filter(|(method, _)| fits(*method))
        .map(|(method, prior)| {
            let guess = Cost {
                bytes_per_sec: *prior,
                ..Cost::default()
            };
            let cost = history.cost(*method, size_bytes).unwrap_or(guess);
            (*method, cost.estimate(1, size_bytes))
        })
        .collect();
    let least = ranked.iter().map(|(_, estimate)| *estimate).min();
    let least = least.unwrap_or_default();
    // Stable: what is equal stays in the order of the priors.
    ranked.sort_by_key(|(_, estimate)| (*estimate).max(least.mul_f64(EQUAL)));
    ranked.into_iter().map(|(method, _)| method).collect()
}

/// Whether the kernel is to move a file of that size between a file and a lane that lends its socket.
fn leads(kernel: Method, history: &dyn History, size_bytes: u64) -> bool {
    let (source, target) = match kernel {
        Method::Sendfile => (Port::File, Port::Socket),
        _ => (Port::Socket, Port::File),
    };
    let ranked = candidates(source, target, Transform::default(), history, size_bytes);
    ranked.first() == Some(&kernel)
}

/// Moves files, and remembers which methods two file systems do not support between them.
#[derive(Debug, Default)]
pub struct Mover {
    unsupported: Mutex<HashSet<(Method, u64)>>,
}

/// What moved, and how.
#[derive(Debug)]
pub struct Moved {
    /// The method that moved all of it.
    pub method: Method,
    /// The digest of what was read, if it was asked for and the whole file moved.
    pub digest: Option<[u8; 32]>,
}

impl Mover {
    /// Copies the range of the reader to the same place in the writer. Holes stay holes.
    ///
    /// # Errors
    /// `Changed` if the source ends before the range does; whatever reading or writing says.
    pub async fn copy(
        &self,
        step: &Step<'_>,
        transform: Transform,
        history: &dyn History,
    ) -> Result<Moved> {
        let (reader, range) = (step.reader, &step.range);
        let size = range.end - range.start;
        let is_whole = range.start == 0 && range.end == reader.entry().size;
        let device = reader.entry().identity.device;
        let (from, to) = (port_of_reader(reader), port_of_writer(step.writer));
        for method in candidates(from, to, transform, history, size) {
            if self.unsupported.lock().contains(&(method, device)) {
                continue;
            }
            let moved = match method {
                Method::Reflink if is_whole && size > 0 => kernel::reflink(step).await,
                Method::Reflink => continue,
                Method::CopyFileRange => kernel::copy_file_range(step).await,
                _ => {
                    let digest = pump::pump(step, transform.digest && is_whole).await?;
                    return Ok(Moved { method, digest });
                }
            };
            match moved {
                Ok(()) => {
                    let digest = None;
                    return Ok(Moved { method, digest });
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    self.unsupported.lock().insert((method, device));
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Bug, "copy").because("no method to move a file"))
    }
}

/// What is to move: bytes `range` of a file, from where to where.
pub struct Step<'a> {
    /// What may cancel it.
    pub cx: &'a Cx,
    /// How fast it may go.
    pub pace: &'a Pace,
    /// From where.
    pub reader: &'a dyn Reader,
    /// To where: the same place in the file.
    pub writer: &'a dyn Writer,
    /// Which bytes.
    pub range: Range<u64>,
    /// Told of every piece that has moved.
    pub on_bytes: &'a (dyn Fn(u64) + Send + Sync),
}

#[cfg(unix)]
fn port_of_reader(reader: &dyn Reader) -> Port {
    reader.fd().map_or(Port::Chunks, |_| Port::File)
}

#[cfg(unix)]
fn port_of_writer(writer: &dyn Writer) -> Port {
    writer.fd().map_or(Port::Chunks, |_| Port::File)
}

#[cfg(not(unix))]
fn port_of_reader(_: &dyn Reader) -> Port {
    Port::Chunks
}

#[cfg(not(unix))]
fn port_of_writer(_: &dyn Writer) -> Port {
    Port::Chunks
}

/// The run of data at or after `at`, cut at `end`; `None` if nothing but holes follows before it.
///
/// # Errors
/// What the reader says.
pub async fn next_data(reader: &dyn Reader, at: u64, end: u64) -> Result<Option<Range<u64>>> {
    let data = if reader.entry().may_have_holes() {
        reader.extent(at).await?
    } else {
        return Ok((at < end).then_some(at..end));
    };
    Ok(data
        .map(|extent| extent.start.max(at)..extent.end.min(end))
        .filter(|data| data.start < data.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use blit_contract::NoHistory;

    /// A history in which one method ran at that many bytes per second.
    struct Measured(Method, f64);

    impl History for Measured {
        fn cost(&self, method: Method, _size_bytes: u64) -> Option<Cost> {
            (method == self.0).then(|| Cost {
                bytes_per_sec: self.1,
                ..Cost::default()
            })
        }
    }

    fn ranked(source: Port, target: Port, digest: bool, history: &dyn History) -> Vec<Method> {
        candidates(source, target, Transform { digest }, history, 1 << 30)
    }

    #[test]
    fn a_cold_start_prefers_sharing_blocks_then_the_kernel_then_the_pump() {
        assert_eq!(
            ranked(Port::File, Port::File, false, &NoHistory),
            [Method::Reflink, Method::CopyFileRange, Method::Pump]
        );
    }

    #[test]
    fn measured_history_overrules_the_prior() {
        let slow_kernel = Measured(Method::CopyFileRange, 1e8);
        assert_eq!(
            ranked(Port::File, Port::File, false, &slow_kernel),
            [Method::Reflink, Method::Pump, Method::CopyFileRange]
        );
    }

    #[test]
    fn without_descriptors_or_with_a_digest_only_the_pump_fits() {
        assert_eq!(
            ranked(Port::File, Port::Chunks, false, &NoHistory),
            [Method::Pump]
        );
        assert_eq!(
            ranked(Port::Chunks, Port::File, false, &NoHistory),
            [Method::Pump]
        );
        assert_eq!(
            ranked(Port::File, Port::File, true, &NoHistory),
            [Method::Pump]
        );
    }

    #[test]
    fn a_lane_that_lends_its_socket_is_served_by_the_kernel_until_that_was_slower() {
        assert!(leads(Method::Sendfile, &NoHistory, 1 << 30));
        assert!(leads(Method::Splice, &NoHistory, 1 << 30));
        // Through the network both are as fast as it is: the kernel costs less.
        assert!(leads(
            Method::Sendfile,
            &Measured(Method::Sendfile, 3.1e9),
            1 << 30
        ));
        assert!(!leads(
            Method::Sendfile,
            &Measured(Method::Sendfile, 2.5e9),
            1 << 30
        ));
        assert!(leads(Method::Splice, &Measured(Method::Pump, 1e9), 1 << 30));
    }
}
