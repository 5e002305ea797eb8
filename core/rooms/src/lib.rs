//! Buffers that are used again and again.
//!
//! A new buffer has to be cleared, and its pages come from the kernel one fault at a time: of a stream that
//! TLS hands out at two gigabytes a second, that took a tenth.

#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;

/// Space for one run of bytes.
pub type Room = Box<[u8]>;

/// Rooms of about one size. One that was handed out comes back once nobody has a part of it any more. A clone
/// has the same rooms.
#[derive(Debug, Clone, Default)]
pub struct Rooms {
    empty: Arc<Mutex<Vec<Room>>>,
}

/// How many rooms wait: as many as are on their way to the disk at a time.
const EMPTY_MAX: usize = 8;

/// A room on loan.
struct Loan {
    room: Room,
    home: Weak<Mutex<Vec<Room>>>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.room
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else {
            return;
        };
        let mut empty = home.lock();
        if empty.len() < EMPTY_MAX {
            empty.push(std::mem::take(&mut self.room));
        }
    }
}

impl Rooms {
    /// A room of at least `bytes`; what is in it means nothing.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Room {
        let waiting = self.empty.lock().pop();
        waiting
            .filter(|room| room.len() >= bytes)
            .unwrap_or_else(|| vec![0; bytes].into_boxed_slice())
    }

    /// The first `bytes` of `room`, which comes back after them.
    ///
    /// # Panics
    /// When the room is smaller.
    #[must_use]
    pub fn lend(&self, room: Room, bytes: usize) -> Bytes {
        let home = Arc::downgrade(&self.empty);
        Bytes::from_owner(Loan { room, home }).slice(..bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_comes_back_when_the_last_part_of_it_is_gone() {
        let rooms = Rooms::default();
        let mut room = rooms.take(64);
        room[63] = 7;
        let mut whole = rooms.lend(room, 10);
        let part = whole.split_to(4);
        drop(whole);
        assert_eq!(rooms.take(64)[63], 0, "a new one");
        drop(part);
        assert_eq!(rooms.take(64)[63], 7, "the same");
    }

    #[test]
    fn a_room_that_is_too_small_makes_way_for_a_larger_one() {
        let rooms = Rooms::default();
        drop(rooms.lend(rooms.take(8), 8));
        assert_eq!(rooms.take(64).len(), 64);
        drop(rooms.lend(vec![7; 64].into_boxed_slice(), 1));
        assert_eq!(rooms.take(8)[..], [7; 64]);
    }

    #[test]
    fn no_more_rooms_wait_than_are_used_at_a_time() {
        let rooms = Rooms::default();
        let lent: Vec<_> = (0..EMPTY_MAX + 3)
            .map(|_| rooms.lend(vec![0; 8].into_boxed_slice(), 8))
            .collect();
        drop(lent);
        assert_eq!(rooms.empty.lock().len(), EMPTY_MAX);
    }

    #[test]
    fn what_outlives_its_rooms_is_let_go() {
        let rooms = Rooms::default();
        let lent = rooms.lend(rooms.take(8), 8);
        drop(rooms);
        assert_eq!(&lent[..], [0; 8]);
    }
}
