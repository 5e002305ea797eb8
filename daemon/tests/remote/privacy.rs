//! What somebody on the line can see.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use crate::bench::{HOST, Two, contents, there};

/// Passes everything on, and keeps it.
struct Tap {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn before(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (address, kept) = (address.to_owned(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let near = socket.unwrap();
                let far = TcpStream::connect(&address).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let kept = Arc::clone(&kept);
                    std::thread::spawn(move || pass(from, to, &kept));
                }
            }
        });
        Self { port, heard }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..size]);
        if to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    // The other direction may have ended it already.
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn neither_content_nor_names_nor_modules_cross_in_clear() {
    let two = Two::strangers();
    let tap = Tap::before(&two.daemon.address);
    let host = format!("{HOST}:{}", tap.port);
    two.blit(&["pair", &host, &two.daemon.invitation])
        .succeeds();
    let source = two.scratch.directory("source");
    let content = "marker-of-content ".repeat(10_000);
    std::fs::write(source.join("marker-of-name"), &content).unwrap();
    let words = [
        "copy".into(),
        contents(&source),
        there("m/marker-of-path/").into(),
    ];
    two.blit(&words).succeeds();
    two.blit(&["copy", &there("m/marker-of-path/"), "back/"])
        .succeeds();
    let heard = tap.heard.lock().unwrap();
    assert!(heard.len() > 2 * content.len(), "the tap heard too little");
    let holds = |text: &str| heard.windows(text.len()).any(|at| at == text.as_bytes());
    assert!(!holds("marker-of"), "something crossed in clear");
}
