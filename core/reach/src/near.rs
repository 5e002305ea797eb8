//! Machines that the local network tells of.

use std::time::Duration;

use blit_control::NodeId;
use blit_discover::{Neighbour, scan};

/// How long the local network may take to answer: a question is asked again after a second.
const WAIT: Duration = Duration::from_secs(3);

/// Where the machine with that key says on the local network that it is; nowhere, if nobody says so.
/// Whoever is there has its key proved before anything else.
pub async fn near(id: &NodeId) -> Vec<String> {
    let short = id.short();
    let known = short.clone();
    let found = scan(WAIT, move |it: &Neighbour| it.may_hold(&known)).await;
    let Ok(found) = found else {
        return Vec::new();
    };
    let alike = found.iter().filter(|it| it.may_hold(&short));
    alike.flat_map(Neighbour::places).collect()
}

/// Whether `host` is a name that the local network could know: neither an address nor this machine.
pub(crate) fn is_bare_name(host: &str) -> bool {
    let is_name = |it: char| it.is_alphanumeric() || matches!(it, '-' | '_');
    !host.is_empty() && host.chars().all(is_name) && host != "localhost"
}

/// Whether a machine that was at that address could be at another: what is on this machine stays here.
pub(crate) fn may_have_moved(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    let ip = host.parse::<std::net::IpAddr>();
    host != "localhost" && !ip.is_ok_and(|it| it.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_asked_only_about_what_it_could_know() {
        for (host, expected) in [
            ("nas", true),
            ("nas:9031", false),
            ("192.0.2.1", false),
            ("nas.example", false),
            ("localhost", false),
            ("", false),
        ] {
            assert_eq!(is_bare_name(host), expected, "{host}");
        }
        for (address, expected) in [
            ("nas:9031", true),
            ("192.0.2.1:9031", true),
            ("[fd00::1]:9031", true),
            ("localhost:9031", false),
            ("127.0.0.1:9031", false),
            ("[::1]:9031", false),
        ] {
            assert_eq!(may_have_moved(address), expected, "{address}");
        }
    }
}
