//! Addresses that this machine dials for nobody: what answers there is no machine that somebody met, or
//! answers only this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of IPv4, each with the length of its prefix.
const V4: [(Ipv4Addr, u8); 15] = [
    // This network, loopback, link-local with the metadata service of most clouds.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Metadata services elsewhere.
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Protocol assignments, and what only documents and measurements use.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Many at once; reserved, and everybody.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The same of IPv6.
const V6: [(Ipv6Addr, u8); 12] = [
    // Nowhere, loopback, and IPv4 in an old spelling.
    (Ipv6Addr::UNSPECIFIED, 96),
    // Gateways to IPv4, where what is refused above would be reached.
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    // Nothing; protocol assignments with Teredo.
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documents.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // A metadata service.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128),
    // Link-local, site-local, many at once.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// Whether it is one of them, also as an IPv4 address in the clothes of IPv6.
pub(crate) fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => V4.iter().any(|(base, bits)| {
            let differs = address.to_bits() ^ base.to_bits();
            differs.leading_zeros() >= u32::from(*bits)
        }),
        IpAddr::V6(address) => V6.iter().any(|(base, bits)| {
            let differs = address.to_bits() ^ base.to_bits();
            differs.leading_zeros() >= u32::from(*bits)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_at_both_ends_of_a_special_range_are_special_and_those_beyond_are_not() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("224.0.0.0", "255.255.255.255"),
            ("100.100.100.200", "100.100.100.200"),
            ("168.63.129.16", "168.63.129.16"),
        ] {
            let number = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
            let (first, last) = (number(first), number(last));
            let is_special = |number: u32| is_special(Ipv4Addr::from_bits(number).into());
            assert!(is_special(first) && is_special(last));
            assert!(first == 0 || !is_special(first - 1), "{first}");
            assert!(last == u32::MAX || !is_special(last + 1), "{last}");
        }
        for (first, last) in [
            ("64:ff9b::", "64:ff9b::ffff:ffff"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fd00:ec2::254", "fd00:ec2::254"),
            ("fe80::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let number = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
            let (first, last) = (number(first), number(last));
            let is_special = |number: u128| is_special(Ipv6Addr::from_bits(number).into());
            assert!(is_special(first) && is_special(last));
            let is_next = |number: u128| number >> 112 == 0xff00 || number >> 112 == 0xfeff;
            assert!(is_next(first - 1) || !is_special(first - 1), "{first:x}");
            let beyond = last.checked_add(1).filter(|it| !is_next(*it));
            assert!(beyond.is_none_or(|it| !is_special(it)), "{last:x}");
        }
    }

    #[test]
    fn no_spelling_of_a_special_address_is_another_one() {
        for text in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:0:0:0:0:0:7f00:1",
        ] {
            assert!(is_special(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn where_people_have_their_machines_is_not_special() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.20",
            "100.64.0.1",
            "8.8.8.8",
            "::ffff:10.0.0.1",
            "fd12:3456::1",
            "2a00:1450::1",
        ] {
            assert!(!is_special(text.parse().unwrap()), "{text}");
        }
    }
}
