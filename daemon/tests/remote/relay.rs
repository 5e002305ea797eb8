//! Something between the two machines.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Passes everything on, and keeps it.
pub(crate) struct Relay {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Relay {
    /// Before the daemon at `address`.
    pub(crate) fn before(address: &str) -> Self {
        Self::start(address, |_| true)
    }

    /// Before the daemon at `address`; sockets that are to be encrypted lanes meet silence.
    pub(crate) fn without_lanes(address: &str) -> Self {
        // A greeting of TLS says in clear what is to be spoken.
        const LANE: &[u8] = b"blit-lane/1";
        Self::start(address, |first| {
            !first.windows(LANE.len()).any(|at| at == LANE)
        })
    }

    fn start(address: &str, passes: fn(&[u8]) -> bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            connections: Arc::default(),
        };
        let address = address.to_owned();
        let (kept, connections) = (Arc::clone(&relay.heard), Arc::clone(&relay.connections));
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for socket in listener.incoming() {
                let near = socket.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let mut first = [0; 2 << 10];
                let size = near.peek(&mut first).unwrap();
                if !passes(&first[..size]) {
                    silent.push(near);
                    continue;
                }
                let far = TcpStream::connect(&address).unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let kept = Arc::clone(&kept);
                    std::thread::spawn(move || pass(from, to, &kept));
                }
            }
        });
        relay
    }

    /// How many bytes passed.
    pub(crate) fn heard_bytes(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Whether that text passed as it is.
    pub(crate) fn heard(&self, text: &str) -> bool {
        let heard = self.heard.lock().unwrap();
        heard.windows(text.len()).any(|at| at == text.as_bytes())
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
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
    let _ = to.shutdown(Shutdown::Write);
}
