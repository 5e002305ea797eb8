//! What anybody on the local network can announce.

use std::net::{IpAddr, Ipv6Addr};

use blit_discover::{ID_CHARACTERS, Neighbour, Neighbours, Record};

/// Two bytes of port, sixteen of an address, and then the name and pairs of keys and values, each with its
/// length in one byte before it.
fn record(bytes: &[u8]) -> Option<Record> {
    let (port, rest) = bytes.split_first_chunk::<2>()?;
    let (address, mut rest) = rest.split_first_chunk::<16>()?;
    let mut next = || {
        let (length, behind) = rest.split_first()?;
        let (piece, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        Some(piece)
    };
    let text = |piece: &[u8]| String::from_utf8_lossy(piece).into_owned();
    let name = text(next()?);
    let mut record = Record {
        fullname: format!("{name}._blit._tcp.local."),
        port: u16::from_be_bytes(*port),
        addresses: vec![IpAddr::V6(Ipv6Addr::from(*address))],
        text: Vec::new(),
    };
    while let (Some(key), Some(value)) = (next(), next()) {
        record.text.push((text(key), value.to_vec()));
    }
    Some(record)
}

pub(crate) fn run(bytes: &[u8]) {
    let Some(record) = record(bytes) else {
        return;
    };
    let mut neighbours = Neighbours::default();
    let Some(found) = neighbours.add(&record).cloned() else {
        assert_eq!(neighbours.left_out, 1);
        return;
    };
    assert_eq!(Neighbour::read(&record).as_ref(), Some(&found));
    assert!((1..=63).contains(&found.name.len()), "{found:?}");
    assert!(
        !found
            .to_string()
            .replace('\t', "")
            .contains(char::is_control),
        "{found:?}"
    );
    assert!(found.id.len() == ID_CHARACTERS && found.port != 0 && !found.places().is_empty());
    assert!(found.versions.0 <= found.versions.1);
    assert!(found.may_hold(&found.id));
}
