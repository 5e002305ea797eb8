//! Which addresses may connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks(Vec<Network>);

impl std::fmt::Display for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let networks = self.0.iter();
        let networks: Vec<_> = networks
            .map(|it| format!("{}/{}", it.base, it.bits))
            .collect();
        f.write_str(&networks.join(", "))
    }
}

impl Networks {
    /// `lan`, `any`, an address, or an address with the length of its prefix.
    pub(crate) fn read(words: &[String]) -> Result<Self, String> {
        let mut networks = Vec::new();
        for word in words {
            match word.as_str() {
                "any" => networks.extend([Network::new(ANY_4, 0), Network::new(ANY_6, 0)]),
                "lan" => networks.extend(LAN.iter().map(|(base, bits)| Network::new(*base, *bits))),
                _ => networks.push(Network::read(word)?),
            }
        }
        Ok(Self(networks))
    }

    /// Adds another one, as `read` takes it.
    pub(crate) fn add(&mut self, word: String) -> Result<(), String> {
        self.0.extend(Self::read(&[word])?.0);
        Ok(())
    }

    /// Whether the address is in one of them. An IPv4 address that comes over an IPv6 socket is one of
    /// IPv4.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

const ANY_4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Loopback, private and link-local addresses, and those of carriers' own networks.
const LAN: [(IpAddr, u8); 9] = [
    (v4(127, 0), 8),
    (v4(10, 0), 8),
    (v4(172, 16), 12),
    (v4(192, 168), 16),
    (v4(169, 254), 16),
    (v4(100, 64), 10),
    (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    (v6(0xfc00), 7),
    (v6(0xfe80), 10),
];

const fn v4(first: u8, second: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(first, second, 0, 0))
}

const fn v6(first: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    const fn new(base: IpAddr, bits: u8) -> Self {
        Self { base, bits }
    }

    fn read(word: &str) -> Result<Self, String> {
        let wrong =
            || format!("{word:?} is no network: write \"lan\", \"192.0.2.0/24\" or \"any\"");
        let (base, bits) = match word.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (word, None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most),
            None => Some(most),
        };
        let network = Self::new(base, bits.ok_or_else(wrong)?);
        if network.masked(base) != Some(base) {
            // Half a typing error would let others in than was meant.
            return Err(format!("{word:?}: the address has bits beyond the prefix"));
        }
        Ok(network)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.masked(address) == Some(self.base)
    }

    /// The part of `address` that the network decides; `None` for one of the other kind.
    fn masked(&self, address: IpAddr) -> Option<IpAddr> {
        match (self.base, address) {
            (IpAddr::V4(_), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                Some(Ipv4Addr::from_bits(address.to_bits() & mask).into())
            }
            (IpAddr::V6(_), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or(0);
                Some(Ipv6Addr::from_bits(address.to_bits() & mask).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(words: &[&str]) -> Result<Networks, String> {
        let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        Networks::read(&words)
    }

    #[test]
    fn the_lan_is_what_cannot_be_reached_from_the_internet() {
        let lan = networks(&["lan"]).unwrap();
        for (address, is_in) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("100.127.1.1", true),
            ("100.128.1.1", false),
            ("169.254.9.9", true),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("::2", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(lan.contain(address.parse().unwrap()), is_in, "{address}");
        }
    }

    #[test]
    fn a_network_is_its_prefix_and_nothing_lets_nobody_in() {
        let some = networks(&["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]).unwrap();
        for (address, is_in) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("2001:db8:1::", true),
            ("2001:db9::", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
        ] {
            assert_eq!(some.contain(address.parse().unwrap()), is_in, "{address}");
        }
        assert!(
            networks(&["any"])
                .unwrap()
                .contain("8.8.8.8".parse().unwrap())
        );
        assert!(!networks(&[]).unwrap().contain("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for word in [
            "",
            "lna",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "host.example",
            "10.0.0.0/-1",
            "::/129",
        ] {
            assert!(networks(&[word]).is_err(), "{word}");
        }
    }
}
