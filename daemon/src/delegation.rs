//! What this machine fetches for others, and from where.

use std::net::SocketAddr;

use blit_control::KnownPeer;

use crate::{access::Networks, settings::DelegationSettings, special::is_special};

/// What was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delegation {
    /// Whether anything is done on behalf of another machine.
    pub(crate) allow: bool,
    /// Names of paired machines.
    names: Vec<String>,
    networks: Networks,
}

impl Delegation {
    pub(crate) fn read(settings: &DelegationSettings) -> Result<Self, String> {
        let mut read = Self {
            allow: settings.allow,
            ..Self::default()
        };
        for word in &settings.sources {
            match read.networks.add(word.clone()) {
                Ok(()) => {}
                Err(_) if is_name(word) => read.names.push(word.clone()),
                Err(_) => {
                    return Err(format!(
                        "{word:?} is neither the name of a machine nor a network such as 192.0.2.0/24"
                    ));
                }
            }
        }
        Ok(read)
    }

    /// Where that machine may be fetched from: at `own`, which are its addresses as they are known here; or
    /// where whoever asks has met it (`told`). Nobody has this machine dial what was not allowed here.
    pub(crate) fn addresses(
        &self,
        known: &KnownPeer,
        own: &[SocketAddr],
        told: Option<SocketAddr>,
    ) -> Vec<SocketAddr> {
        let is_named = self.names.contains(&known.name);
        let is_allowed = |address: &SocketAddr| self.networks.contain(address.ip());
        let own = own.iter().copied();
        let mut addresses: Vec<_> = own.filter(|it| is_named || is_allowed(it)).collect();
        let told = told.filter(|it| is_allowed(it) && !is_special(it.ip()) && it.port() != 0);
        addresses.extend(told.filter(|it| !addresses.contains(it)));
        addresses
    }
}

/// Whether a machine can be called so. What could be a mistyped address is no name.
fn is_name(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_number = word.chars().all(|c| c.is_ascii_digit() || c == '.');
    !word.is_empty() && word.chars().all(plain) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delegation(sources: &[&str]) -> Result<Delegation, String> {
        Delegation::read(&DelegationSettings {
            allow: true,
            sources: sources.iter().map(|it| (*it).to_owned()).collect(),
        })
    }

    fn known(name: &str) -> KnownPeer {
        KnownPeer {
            name: name.to_owned(),
            id: blit_control::NodeId::from_bytes([7; 32]),
            addresses: Vec::new(),
            how: String::new(),
            added: String::new(),
        }
    }

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[test]
    fn a_machine_is_fetched_from_where_it_is_known_or_in_an_allowed_network() {
        let own = sockets(&["127.0.0.1:9031", "10.0.0.5:9031"]);
        let elsewhere = sockets(&["192.168.1.5:9031"]);
        let told = Some(elsewhere[0]);
        for (sources, found) in [
            (&[][..], vec![]),
            (&["other"], vec![]),
            (&["nas"], own.clone()),
            (&["10.0.0.0/8"], own[1..].to_vec()),
            (&["192.168.1.0/24"], elsewhere.clone()),
            (&["nas", "192.168.1.5"], [&own[..], &elsewhere].concat()),
        ] {
            let delegation = delegation(sources).unwrap();
            let addresses = delegation.addresses(&known("nas"), &own, told);
            assert_eq!(addresses, found, "{sources:?}");
        }
    }

    #[test]
    fn nobody_has_this_machine_dial_a_special_address() {
        let any = delegation(&["any"]).unwrap();
        for (told, is_dialled) in [
            ("127.0.0.1:9031", false),
            ("169.254.169.254:80", false),
            ("[::1]:9031", false),
            ("[::ffff:127.0.0.1]:9031", false),
            ("[fe80::1]:9031", false),
            ("224.0.0.1:9031", false),
            ("0.0.0.0:9031", false),
            ("192.168.1.5:0", false),
            ("192.168.1.5:9031", true),
        ] {
            let told = told.parse().unwrap();
            let addresses = any.addresses(&known("nas"), &[], Some(told));
            assert_eq!(addresses.len(), usize::from(is_dialled), "{told}");
        }
    }

    #[test]
    fn what_is_neither_a_name_nor_a_network_is_refused() {
        for word in ["", "10.0.0.0/33", "10.0.0.300", "a b", "nas:9031", "*"] {
            assert!(delegation(&[word]).is_err(), "{word}");
        }
        assert!(delegation(&["nas-2", "lan", "fd00::/8"]).is_ok());
    }
}
