//! Strangers who come in crowds: sockets that say nothing, that say nonsense, and keys that nobody knows. A
//! machine that is paired is served all the while.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use blit_conform::{assert_same, scaled};
use socket2::{Domain, Socket, Type};

use crate::{
    bench::{Daemon, Two, contents, there},
    matrix::tls_of_stranger,
};

/// A socket to the daemon from that address of this machine.
fn from(address: &str, daemon: &Daemon) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let address: SocketAddr = format!("{address}:0").parse().unwrap();
    socket.bind(&address.into())?;
    let there: SocketAddr = daemon.address.parse().unwrap();
    socket.connect(&there.into())?;
    Ok(socket.into())
}

/// How many it has open.
pub(crate) fn descriptors(daemon: &Daemon) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
    open.count()
}

/// How much memory it has.
pub(crate) fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// What may be open beside what was before: the half-open ones, and what a session takes.
const DESCRIPTORS_MORE: usize = 256 + 64;

/// What they may take of memory.
const KIB_MORE: u64 = 64 << 10;

#[test]
fn sockets_that_say_nothing_keep_nobody_out_and_take_no_memory() {
    let two = Two::new();
    two.blit(&["ls", &there("m")]).succeeds();
    let (before, memory) = (descriptors(&two.daemon), resident_kib(&two.daemon));
    // Of each network as many as one may have, and more; the client's own network is among them.
    let crowd = scaled(600, 10_000);
    let mut held = Vec::new();
    for number in 0..crowd {
        let address = format!("127.0.{}.{}", number / 100 % 250, number % 100 + 1);
        held.push(from(&address, &two.daemon).unwrap());
        if number % (crowd / 4) == 0 {
            two.blit(&["ls", &there("m")]).succeeds();
        }
    }
    two.blit(&["ls", &there("m")]).succeeds();
    let more = descriptors(&two.daemon).saturating_sub(before);
    assert!(more <= DESCRIPTORS_MORE, "{more} descriptors more");
    let taken = resident_kib(&two.daemon).saturating_sub(memory);
    assert!(taken <= KIB_MORE, "{taken} KiB more");
    // When they go, all of it is as it was.
    drop(held);
    comes_to_be("their descriptors are closed", || {
        descriptors(&two.daemon) <= before + 8
    });
}

/// Waits until `is_so`, or fails: what the daemon does by itself takes a moment.
fn comes_to_be(what: &str, is_so: impl Fn() -> bool) {
    let came = (0..6_000).any(|_| {
        thread::sleep(Duration::from_millis(10));
        is_so()
    });
    assert!(came, "it never came to be that {what}");
}

#[test]
fn sockets_that_begin_to_greet_keep_nobody_out() {
    let two = Two::new();
    let mut held = Vec::new();
    for number in 0..scaled(300, 3_000) {
        let address = format!("127.1.{}.{}", number / 60 % 250, number % 60 + 1);
        let mut socket = from(&address, &two.daemon).unwrap();
        // The beginning of a greeting of TLS, and of a hello of a lane.
        let begun: &[u8] = if number % 2 == 0 {
            &[22, 3, 1, 2, 0, 1]
        } else {
            b"blit"
        };
        // It may have been dismissed already.
        let _ = socket.write_all(begun);
        held.push(socket);
    }
    two.blit(&["ls", &there("m")]).succeeds();
}

#[test]
fn a_transfer_ends_exactly_while_nonsense_comes_without_end() {
    let two = Two::new();
    let source = two.scratch.directory("source");
    for number in 0..200_u8 {
        std::fs::write(source.join(format!("f{number}")), vec![number; 9_000]).unwrap();
    }
    let (over, came) = (
        Arc::new(AtomicBool::new(false)),
        Arc::<AtomicUsize>::default(),
    );
    let flooding: Vec<_> = (0..2_u8)
        .map(|network| {
            let (over, came) = (Arc::clone(&over), Arc::clone(&came));
            let address = two.daemon.address.clone();
            thread::spawn(move || flood(&address, network, &over, &came))
        })
        .collect();
    let words = ["copy".into(), contents(&source), there("m/").into()];
    // It goes on for as long as it takes until many have come.
    let wanted = scaled(300, 20_000);
    let mut rounds = 0;
    while rounds == 0 || came.load(Ordering::Relaxed) < wanted {
        rounds += 1;
        two.blit(&words).succeeds();
        assert_same(&source, &two.module());
        std::fs::remove_file(two.module().join("f7")).unwrap();
    }
    over.store(true, Ordering::Relaxed);
    flooding.into_iter().for_each(|it| it.join().unwrap());
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
}

/// Says nonsense, each time on a new socket from another network.
fn flood(daemon: &str, network: u8, over: &AtomicBool, came: &AtomicUsize) {
    let daemon: SocketAddr = daemon.parse().unwrap();
    let mut number = 0_u8;
    while !over.load(Ordering::Relaxed) {
        number = number.wrapping_add(1);
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address: SocketAddr = format!("127.{}.{number}.1:0", network + 2).parse().unwrap();
        // Ports run out now and then.
        if socket.bind(&address.into()).is_err() || socket.connect(&daemon.into()).is_err() {
            continue;
        }
        let mut socket = TcpStream::from(socket);
        let _ = socket.write_all(&[22, 3, 1, 0, 200, 0xff, 0xff, 0xff, number]);
        came.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn machines_that_are_not_known_have_to_go_and_keep_nobody_out() {
    let two = Two::new();
    let before = descriptors(&two.daemon);
    // More than one network may have on their way to a key that is known.
    let mut held: Vec<_> = (0..scaled(70, 400))
        .map(|number| {
            let address = format!("127.8.0.{}", number % 250 + 1);
            greeted(from(&address, &two.daemon).unwrap())
        })
        .collect();
    two.blit(&["ls", &there("m")]).succeeds();
    let more = descriptors(&two.daemon).saturating_sub(before);
    assert!(more <= DESCRIPTORS_MORE, "{more} descriptors more");
    // The first is hung up on because others came, and all of them in the end.
    let end = scaled(1, held.len());
    for stranger in &mut held[..end] {
        drop(stranger.read_to_end(&mut Vec::new()));
    }
    two.blit(&["ls", &there("m")]).succeeds();
}

/// A connection on which a key is proved that nobody knows, and nothing is asked.
fn greeted(mut socket: TcpStream) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let config = tls_of_stranger();
    let name = rustls::pki_types::ServerName::try_from("blit").unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    rustls::StreamOwned::new(connection, socket)
}
