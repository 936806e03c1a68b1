//! The addresses of this host at which a program is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use oml_common::document::instance::{Port, Protocol};
use tokio::net::lookup_host;

use super::Silence;
use crate::sockets::listeners;

/// Returns the addresses to try, in this order: those of the host that the document says, or
/// else those that a program is bound to. If there is none, 127.0.0.1 is asked, where the answer
/// is that nothing listens.
pub(super) async fn candidates(
    said: Option<&str>,
    port: Port,
    proc: &Path,
) -> Result<Vec<SocketAddr>, Silence> {
    let Some(host) = said else {
        let bound = listeners(proc).into_iter().filter(|listener| listener.port == port);
        let addresses = by_preference(bound.map(|listener| listener.address));
        return Ok(addresses.into_iter().map(|address| (address, port.number).into()).collect());
    };
    let unknown = |why: String| Silence::plain(format!("cannot look up {host}: {why}"));
    let found = lookup_host((host, port.number)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| unknown(error.to_string()))?.collect();
    if found.is_empty() { Err(unknown("it has no address".to_owned())) } else { Ok(found) }
}

/// Orders the addresses that programs are bound to: localhost first, then those that only
/// programs of the host itself could reach last.
fn by_preference(bound: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let mut addresses = Vec::new();
    for address in bound {
        match (address.is_unspecified(), address.is_ipv4()) {
            (true, true) => addresses.push(V4),
            // This program accepts 127.0.0.1 as well, unless it takes IPv6 only.
            (true, false) => addresses.extend([V4, V6]),
            (false, _) => addresses.push(address),
        }
    }
    let rank = |address: &IpAddr| match *address {
        V4 => 0,
        V6 => 1,
        address if address.is_loopback() => 3,
        IpAddr::V4(_) | IpAddr::V6(_) => 2,
    };
    addresses.sort_by_key(|address| (rank(address), *address));
    addresses.dedup();
    if addresses.is_empty() { vec![V4] } else { addresses }
}

/// Returns a TCP port.
pub(super) fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

/// Returns a UDP port.
pub(super) fn udp(number: u16) -> Port {
    Port { number, protocol: Protocol::Udp }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(bound: &[&str]) -> Vec<String> {
        let bound = bound.iter().map(|address| address.parse().unwrap());
        by_preference(bound).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_program_is_asked_where_it_is_bound() {
        for (bound, expected) in [
            (&[][..], &["127.0.0.1"][..]),
            (&["0.0.0.0"], &["127.0.0.1"]),
            (&["10.0.0.5"], &["10.0.0.5"]),
            (&["2001:db8::5"], &["2001:db8::5"]),
            (&["::"], &["127.0.0.1", "::1"]),
            (&["0.0.0.0", "::"], &["127.0.0.1", "::1"]),
            (&["127.0.0.53", "10.0.0.5", "127.0.0.1"], &["127.0.0.1", "10.0.0.5", "127.0.0.53"]),
        ] {
            assert_eq!(asked(bound), expected, "{bound:?}");
        }
    }
}
