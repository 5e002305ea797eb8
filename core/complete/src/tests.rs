use std::{net::TcpListener, path::Path};

use blit_contract::{Connection, SessionGrant};
use blit_control::{Identity, KnownPeer, NodeId};
use blit_lanes::Ways;

use super::*;

/// Nothing that is asked here needs a lane.
#[derive(Debug)]
struct NoLanes;

impl MakeLanes for NoLanes {
    fn connection(&self, _: &SessionGrant, _: Ways) -> Box<dyn Connection> {
        unreachable!("a completion began a session")
    }
}

fn completer(state: &Path) -> Completer {
    Completer {
        state: state.to_owned(),
        cache: None,
        lanes: Arc::new(NoLanes),
    }
}

fn know(state: &Path, name: &str, key: u8, address: &str) {
    let mut peers = Peers::load(state).unwrap();
    let peer = KnownPeer {
        name: name.to_owned(),
        id: NodeId::from_bytes([key; 32]),
        addresses: vec![address.to_owned()],
        how: "fingerprint".to_owned(),
        added: String::new(),
    };
    peers.add(peer).unwrap();
}

#[test]
fn machines_are_completed_without_asking_anybody() {
    let state = tempfile::tempdir().unwrap();
    let completer = completer(state.path());
    assert!(completer.places("".as_ref()).is_empty());
    know(state.path(), "nas", 1, "127.0.0.1:1");
    know(state.path(), "laptop", 2, "127.0.0.1:1");
    assert_eq!(completer.places("".as_ref()), ["laptop:", "nas:"]);
    assert_eq!(completer.places("n".as_ref()), ["nas:"]);
    assert_eq!(completer.machines("n".as_ref()), ["nas"]);
    assert!(completer.places("./n".as_ref()).is_empty());
}

#[test]
fn a_machine_that_is_not_paired_is_never_dialled() {
    let state = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for typed in [
        format!("localhost:{port}:/m/"),
        format!("127.0.0.1:{port}:/"),
        format!("ssh://127.0.0.1:{port}/"),
    ] {
        assert!(completer(state.path()).places(typed.as_ref()).is_empty());
    }
    let nobody = listener.accept().map(drop).unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    assert!(!state.path().join("identity").exists(), "a key was made");
    // The same listener, once it is a paired machine's; whoever is paired has a key.
    Identity::load_or_create(state.path()).unwrap();
    know(state.path(), "nas", 1, &format!("127.0.0.1:{port}"));
    assert!(completer(state.path()).places("nas:/".as_ref()).is_empty());
    listener.accept().map(drop).unwrap();
}

#[test]
fn names_that_steer_a_terminal_or_cannot_be_typed_are_left_out() {
    for name in [
        &b"\x1b[2J"[..],
        b"a\nb",
        b"\xff",
        b"",
        "\u{202e}gpj.exe".as_bytes(),
    ] {
        assert_eq!(Found::new(name, false), None, "{name:?}");
    }
    assert!(Found::new("größe 1:2".as_bytes(), true).is_some());
}
