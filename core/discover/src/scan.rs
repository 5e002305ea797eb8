//! Who is there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

use crate::{DiscoverError, Neighbour, Record, SERVICE};

/// So many are remembered; whoever answers later is only counted.
pub const NEIGHBOURS_MAX: usize = 256;

/// Who answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbours {
    found: BTreeMap<(String, String), Neighbour>,
    /// How many answers were left out: those that no daemon gives, and those that were too many.
    pub left_out: u64,
}

impl Neighbours {
    /// Takes one more answer. A name is nobody's: two that call themselves the same are two.
    pub fn add(&mut self, record: &Record) -> Option<&Neighbour> {
        let found = Neighbour::read(record).filter(|neighbour| {
            let key = (neighbour.name.clone(), neighbour.id.clone());
            self.found.len() < NEIGHBOURS_MAX || self.found.contains_key(&key)
        });
        let Some(neighbour) = found else {
            self.left_out += 1;
            return None;
        };
        let key = (neighbour.name.clone(), neighbour.id.clone());
        let entry = self.found.entry(key);
        // A later answer tells more addresses, or new ones.
        Some(entry.insert_entry(neighbour).into_mut())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.found.values()
    }

    /// Those that call themselves `name`.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Neighbour> {
        self.iter().filter(move |neighbour| neighbour.name == name)
    }
}

/// Asks the local network for daemons, and listens for `wait`, or until one of them is `enough`.
///
/// # Errors
/// [`DiscoverError`]
pub async fn scan(
    wait: Duration,
    enough: impl Fn(&Neighbour) -> bool + Send + 'static,
) -> Result<Neighbours, DiscoverError> {
    let scanning = tokio::task::spawn_blocking(move || listen(wait, enough));
    scanning.await.map_err(|_| DiscoverError::Ended)?
}

fn listen(
    wait: Duration,
    enough: impl Fn(&Neighbour) -> bool,
) -> Result<Neighbours, DiscoverError> {
    let asker = ServiceDaemon::new()?;
    let answers = asker.browse(SERVICE)?;
    let until = Instant::now() + wait;
    let mut neighbours = Neighbours::default();
    while let Ok(event) = answers.recv_deadline(until) {
        if let ServiceEvent::ServiceResolved(service) = event
            && neighbours.add(&record(&service)).is_some_and(&enough)
        {
            break;
        }
    }
    // Nobody waits for it.
    drop(asker.shutdown());
    Ok(neighbours)
}

fn record(service: &ResolvedService) -> Record {
    let text = service.txt_properties.iter();
    Record {
        fullname: service.fullname.clone(),
        port: service.port,
        addresses: service
            .addresses
            .iter()
            .map(mdns_sd::ScopedIp::to_ip_addr)
            .collect(),
        text: text
            .map(|it| (it.key().to_owned(), it.val().unwrap_or_default().to_vec()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, id: &str) -> Record {
        let text = Neighbour::text(id, (1, 1)).into_iter();
        Record {
            fullname: format!("{name}.{SERVICE}"),
            port: 9_031,
            addresses: vec![[192, 0, 2, 7].into()],
            text: text
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect(),
        }
    }

    #[test]
    fn ten_thousand_neighbours_are_a_limited_list() {
        let mut neighbours = Neighbours::default();
        assert!(neighbours.add(&record("nas", "AAAAAAAA")).is_some());
        for number in 0..10_000 {
            neighbours.add(&record(&format!("fake{number}"), "BBBBBBBB"));
        }
        assert_eq!(neighbours.iter().count(), NEIGHBOURS_MAX);
        assert_eq!(neighbours.left_out, 10_001 - NEIGHBOURS_MAX as u64);
        // Who is known is heard also when the list is full.
        let mut moved = record("nas", "AAAAAAAA");
        moved.port = 9_032;
        assert_eq!(neighbours.add(&moved).unwrap().port, 9_032);
    }

    #[test]
    fn whoever_takes_the_name_of_another_does_not_take_its_place() {
        let mut neighbours = Neighbours::default();
        neighbours.add(&record("nas", "AAAAAAAA"));
        neighbours.add(&record("nas", "BBBBBBBB"));
        let ids: Vec<&str> = neighbours.named("nas").map(|it| &*it.id).collect();
        assert_eq!(ids, ["AAAAAAAA", "BBBBBBBB"]);
        neighbours.add(&record("nas", "no key"));
        assert_eq!(neighbours.left_out, 1);
    }
}
