//! What a neighbour says of itself, as far as it may.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use crate::SERVICE;

/// How many characters of a key are announced: enough to recognise one that is known, too few to be
/// taken for it.
pub const ID_CHARACTERS: usize = 8;

/// No name of a daemon is longer.
const NAME_BYTES_MAX: usize = 63;

/// No machine that means well has more.
const ADDRESSES_MAX: usize = 8;

/// The form of the text that is announced.
const FORM: &str = "1";

/// What came from the network, taken apart by the resolver and judged by nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The name of the instance, with what it is an instance of.
    pub fullname: String,
    /// Where it says that it listens.
    pub port: u16,
    /// Where it says that it is.
    pub addresses: Vec<IpAddr>,
    /// What it says besides.
    pub text: Vec<(String, Vec<u8>)>,
}

/// A daemon on the local network, by its own account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// What it calls itself: 1 to 63 bytes that steer no terminal.
    pub name: String,
    /// The first characters of its key: capital letters and digits.
    pub id: String,
    /// The oldest and the newest version of the session that it speaks.
    pub versions: (u32, u32),
    /// Where it listens.
    pub port: u16,
    /// Its addresses; at least one.
    pub addresses: BTreeSet<IpAddr>,
}

impl Neighbour {
    /// What a record says; `None` for one that says what no daemon says.
    #[must_use]
    pub fn read(record: &Record) -> Option<Self> {
        let name = unescaped(record.fullname.strip_suffix(SERVICE)?.strip_suffix('.')?)?;
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(steers);
        let text = |key: &str| {
            let mut values = record.text.iter().filter(|(it, _)| it == key);
            let value = values.next().map(|(_, value)| value)?;
            values.next().is_none().then_some(())?;
            std::str::from_utf8(value).ok()
        };
        let id = text("id")?;
        let is_id = id.len() == ID_CHARACTERS && id.bytes().all(is_of_key);
        let versions = versions(text("proto")?)?;
        let addresses: BTreeSet<IpAddr> = record
            .addresses
            .iter()
            .map(IpAddr::to_canonical)
            .filter(is_of_a_neighbour)
            .take(ADDRESSES_MAX)
            .collect();
        let is_whole = is_name && is_id && record.port != 0 && !addresses.is_empty();
        (is_whole && text("txtvers")? == FORM).then(|| Self {
            name,
            id: id.to_owned(),
            versions,
            port: record.port,
            addresses,
        })
    }

    /// What a daemon announces to be read so.
    pub(crate) fn text(id: &str, versions: (u32, u32)) -> [(&'static str, String); 3] {
        [
            ("txtvers", FORM.to_owned()),
            ("proto", format!("{}-{}", versions.0, versions.1)),
            ("id", id.to_owned()),
        ]
    }

    /// Where to knock, `ADDRESS:PORT` each; what is nearer comes first.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let places = self.addresses.iter();
        places
            .map(|address| std::net::SocketAddr::new(*address, self.port).to_string())
            .collect()
    }

    /// Whether a key that is known could be its key. Only a connection proves it.
    #[must_use]
    pub fn may_hold(&self, short_id: &str) -> bool {
        let known = short_id.chars().filter(|it| *it != '-');
        known.take(ID_CHARACTERS).eq(self.id.chars())
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\t{}\t{}",
            self.name,
            self.id,
            self.places().join(", ")
        )
    }
}

/// An instance may have dots and backslashes in its name, with a backslash before each.
fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::new();
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => characters.next()?,
            '.' => return None,
            other => other,
        });
    }
    Some(plain)
}

/// Control characters, and those that turn the direction of text around.
fn steers(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7')
}

/// `4-6`.
fn versions(text: &str) -> Option<(u32, u32)> {
    let (oldest, newest) = text.split_once('-')?;
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|it| it.is_ascii_digit()) && !digits.starts_with('0');
        digits.parse::<u32>().ok().filter(|_| is_number)
    };
    let (oldest, newest) = (number(oldest)?, number(newest)?);
    (oldest <= newest).then_some((oldest, newest))
}

/// Not this machine, nobody, or everybody. Addresses that hold on one link only would need its name.
fn is_of_a_neighbour(address: &IpAddr) -> bool {
    let is_of_link = matches!(address, IpAddr::V6(it) if it.is_unicast_link_local());
    let is_everybody = address.is_multicast() || *address == IpAddr::from([255; 4]);
    !address.is_loopback() && !address.is_unspecified() && !is_everybody && !is_of_link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        let text = Neighbour::text("QU5Z5BBQ", (4, 6));
        Record {
            fullname: format!("{name}.{SERVICE}"),
            port: 9_031,
            addresses: vec![[192, 0, 2, 7].into()],
            text: text
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into_bytes()))
                .collect(),
        }
    }

    fn with_text(key: &str, value: &str) -> Record {
        let mut record = record("nas");
        record.text.retain(|(it, _)| it != key);
        record.text.push((key.to_owned(), value.into()));
        record
    }

    #[test]
    fn what_a_daemon_announces_is_read_as_it_was_meant() {
        let found = Neighbour::read(&record("nas")).unwrap();
        assert_eq!(found.to_string(), "nas\tQU5Z5BBQ\t192.0.2.7:9031");
        assert_eq!(found.versions, (4, 6));
        assert!(found.may_hold("QU5Z-5BBQ-M6AT") && !found.may_hold("QU5Z-5BBR-M6AT"));
        assert!(!found.may_hold("QU5Z"));
        let dotted = Neighbour::read(&record("my\\.nas \\\\ größe")).unwrap();
        assert_eq!(dotted.name, "my.nas \\ größe");
    }

    #[test]
    fn names_that_steer_a_terminal_or_are_none_are_not_read() {
        let long = "n".repeat(64);
        for name in ["", "a\u{1b}[2J", "a\nb", "\u{202e}san", "a.b", "a\\", &long] {
            assert_eq!(Neighbour::read(&record(name)), None, "{name:?}");
        }
        let mut other = record("nas");
        other.fullname = "nas._ssh._tcp.local.".to_owned();
        assert_eq!(Neighbour::read(&other), None);
    }

    #[test]
    fn what_no_daemon_says_is_not_read() {
        for (key, value) in [
            ("txtvers", "2"),
            ("id", "QU5Z5BB"),
            ("id", "QU5Z5BBQM"),
            ("id", "qu5z5bbq"),
            ("id", "QU5Z\u{1b}BBQ"),
            ("proto", "6-4"),
            ("proto", "4"),
            ("proto", "+4-6"),
            ("proto", "4-99999999999"),
        ] {
            assert_eq!(
                Neighbour::read(&with_text(key, value)),
                None,
                "{key}={value}"
            );
        }
        let mut twice = record("nas");
        twice.text.push(("id".to_owned(), b"AAAAAAAA".to_vec()));
        assert_eq!(Neighbour::read(&twice), None);
        let mut nowhere = record("nas");
        nowhere.port = 0;
        assert_eq!(Neighbour::read(&nowhere), None);
    }

    #[test]
    fn addresses_that_are_no_neighbours_are_left_out_and_the_rest_is_limited() {
        let mut record = record("nas");
        record.addresses = [
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "224.0.0.251",
            "255.255.255.255",
            "fe80::1",
            "::ffff:127.0.0.1",
        ]
        .map(|it| it.parse().unwrap())
        .to_vec();
        assert_eq!(Neighbour::read(&record), None);
        record
            .addresses
            .extend((0..200).map(|last| IpAddr::from([192, 0, 2, last])));
        let found = Neighbour::read(&record).unwrap();
        assert_eq!(found.addresses.len(), ADDRESSES_MAX);
    }
}
