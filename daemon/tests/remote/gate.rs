//! A gate between a client and a daemon: it counts what crosses, and holds it at a chosen byte, so that a
//! test can end one side in the middle of a transfer without looking at a clock.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// Listens for clients of one daemon, for as long as the test runs.
#[derive(Debug)]
pub(crate) struct Gate {
    port: u16,
    bar: Arc<Bar>,
}

#[derive(Debug, Default)]
struct Bar {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    crossed: u64,
    /// From this byte on nothing passes.
    shut_at: Option<u64>,
}

impl State {
    fn is_shut(&self) -> bool {
        self.shut_at.is_some_and(|shut_at| self.crossed >= shut_at)
    }
}

impl Bar {
    fn pass(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap();
        state.crossed += bytes as u64;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.is_shut()));
    }
}

impl Gate {
    /// A gate before the daemon at that port.
    pub(crate) fn before(port: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            bar: Arc::default(),
        };
        let (bar, there) = (Arc::clone(&gate.bar), format!("127.0.0.1:{port}"));
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // A daemon that is gone refuses, and the gate hangs up.
                if let Ok(daemon) = TcpStream::connect(&there) {
                    both_ways(&client, &daemon, &bar);
                }
            }
        });
        gate
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many bytes have crossed since it was last asked.
    pub(crate) fn crossed(&self) -> u64 {
        std::mem::take(&mut self.bar.state.lock().unwrap().crossed)
    }

    /// Holds everything back once so many bytes have crossed from now on.
    pub(crate) fn shut_after(&self, bytes: u64) {
        let mut state = self.bar.state.lock().unwrap();
        state.shut_at = Some(state.crossed + bytes);
    }

    /// Waits until everything is held back.
    pub(crate) fn wait_until_shut(&self) {
        let state = self.bar.state.lock().unwrap();
        let waited = self.bar.changed.wait_while(state, |it| !it.is_shut());
        drop(waited.unwrap());
    }

    /// Lets everything pass again.
    pub(crate) fn open(&self) {
        self.bar.state.lock().unwrap().shut_at = None;
        self.bar.changed.notify_all();
    }
}

fn both_ways(client: &TcpStream, daemon: &TcpStream, bar: &Arc<Bar>) {
    for (from, to) in [(client, daemon), (daemon, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let bar = Arc::clone(bar);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(bytes @ 1..) = from.read(&mut buffer) {
                bar.pass(bytes);
                if to.write_all(&buffer[..bytes]).is_err() {
                    break;
                }
            }
            // One side is gone: the other hears of it. It may be gone, too.
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
}
