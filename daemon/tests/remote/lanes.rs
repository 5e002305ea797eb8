//! Lanes: which way data goes, and what becomes of sockets that are none.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use blit_conform::assert_same;

use crate::{
    bench::{HOST, Two, Way, contents, there},
    refusals::golden,
    relay::Relay,
};

/// A source with something in it.
fn source(two: &Two) -> std::path::PathBuf {
    let source = two.scratch.directory("source");
    std::fs::write(source.join("small"), "small").unwrap();
    std::fs::write(source.join("large"), vec![9; 5 << 20]).unwrap();
    source
}

#[test]
fn where_lanes_are_swallowed_data_goes_over_the_control_connection_and_mount_namespaces_are_told() {
    let two = Two::strangers();
    let relay = Relay::without_lanes(&two.daemon.address);
    let host = format!("{HOST}:{}", relay.port);
    two.blit(&["pair", &host, &two.daemon.invitation])
        .succeeds();
    let source = source(&two);
    let words = ["copy".into(), contents(&source), there("m/").into()];
    let before = relay.connections();
    let ran = two.elsewhere(&words).exits(0).says("over grpc, encrypted");
    assert!(relay.connections() > before + 1, "no lane was tried");
    assert_same(&source, &two.module());
    let json = [&words[..], &["--checksum".into(), "--json".into()]].concat();
    std::fs::remove_file(two.module().join("large")).unwrap();
    let (_, after) = ran.stderr.split_once(" s (").unwrap();
    let rate = after.split_once(')').unwrap().0;
    golden(
        "net.fallback",
        &ran,
        &two.elsewhere(&json),
        &[(rate, "RATE")],
    );
}

#[test]
fn data_crosses_in_clear_only_if_both_sides_say_so() {
    let two = Two::over(Way::Encrypted);
    let source = source(&two);
    // The module would, the user does not say it.
    let words = ["copy".into(), contents(&source), there("m/").into()];
    let _ = two.blit(&words).exits(0).says("over tcp, encrypted");
    // The user would, the module does not.
    let words = [
        "copy".into(),
        "--allow-cleartext".into(),
        there("ro/").into(),
        contents(&two.scratch.path("back")),
    ];
    std::fs::write(two.scratch.path("ro/f"), "f").unwrap();
    let _ = two.blit(&words).exits(0).says("over tcp, encrypted");
}

#[test]
fn garbage_on_the_port_closes_that_socket_and_nothing_else() {
    let two = Two::new();
    let source = source(&two);
    let mut hello = b"blit-ln1".to_vec();
    hello.extend_from_slice(&[0x55; 112]);
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"blit",
        b"blit-xx1................................",
        &hello,
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
    ];
    for bytes in garbage {
        let mut socket = TcpStream::connect(&two.daemon.address).unwrap();
        // The daemon may have closed it already.
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        // A nonce for whoever says the preface, an alert of TLS; never more.
        assert!(answer.len() <= 32, "{bytes:?} was answered {answer:?}");
    }
    let words = ["copy".into(), contents(&source), there("m/").into()];
    two.blit(&words).succeeds();
    assert_same(&source, &two.module());
}
