//! Where a program is asked whose port other programs may have too, by the sockets that wait there.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

use crate::document::instance::Port;

/// Where a program is asked first: almost every one accepts it there.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The sockets at the port of a program, as far as they tell which are its own.
#[derive(Debug, Default)]
pub struct OwnSockets {
    /// Those that waited for peers before it was started, so that they are of others.
    others: BTreeSet<u64>,
    /// Where it was asked last and something listened, if this is known.
    asked: Option<SocketAddr>,
}

impl OwnSockets {
    /// Returns what is known of a program that was started beside those sockets of others.
    #[must_use]
    pub fn beside(others: BTreeSet<u64>) -> Self {
        Self { others, asked: None }
    }

    /// Notes where the program was asked, so that who listens need not be asked at every probe.
    pub fn note(&mut self, asked: Option<SocketAddr>) {
        self.asked = asked;
    }

    /// Returns where the program was asked last at this port, which a change of its probe replaces.
    /// Where nobody else listened before its start, that is [`LOCALHOST`] at first, where almost every
    /// program answers, so that who listens is not asked for meanwhile.
    #[must_use]
    pub fn asked(&self, port: Port) -> Option<SocketAddr> {
        let asked = self.asked.filter(|address| address.port() == port.number);
        let is_alone = self.others.is_empty();
        asked.or_else(|| is_alone.then(|| (LOCALHOST, port.number).into()))
    }

    /// Returns the addresses at which the program may be asked, in this order. At [`LOCALHOST`] it
    /// is asked first, unless it is not bound there, where another one may be. Returns `None` if
    /// only a program of others would answer.
    #[must_use]
    pub fn addresses(&self, waiting: BTreeMap<u64, IpAddr>, port: Port) -> Option<Vec<SocketAddr>> {
        let (others, own): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(inode, _)| self.others.contains(inode));
        let is_localhost = |(_, address): &(u64, IpAddr)| *address == LOCALHOST;
        let reach = |it: &(u64, IpAddr)| is_localhost(it) || it.1.is_unspecified();
        let own_addresses = by_preference(own.iter().map(|(_, address)| *address));
        // A socket of that very address gets what is sent there: the other one takes IPv6 only, or
        // shares the port.
        let is_hidden = others.iter().any(is_localhost) && !own.iter().any(is_localhost);
        let is_reached = own.iter().any(reach) && !is_hidden;
        let first = match (is_reached, others.iter().any(reach)) {
            (false, true) if own_addresses.is_empty() => {
                return None;
            }
            (false, _) if !own_addresses.is_empty() => None,
            (true | false, _) => Some(LOCALHOST),
        };
        let all = first.into_iter().chain(own_addresses);
        Some(all.map(|address| (address, port.number).into()).collect())
    }
}

/// Returns the addresses of this host among those to which a program is bound, in the order in
/// which it is asked. Left out are [`LOCALHOST`], further loopback addresses, where programs of
/// the host itself have ports of the same number, and link-local ones, which say nothing without
/// the interface.
fn by_preference(bound: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    // A program at every address that refused 127.0.0.1 takes IPv6 only.
    let place = |address: IpAddr| match address {
        IpAddr::V6(v6) if v6.is_unspecified() => V6,
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    };
    let is_asked = |address: &IpAddr| match *address {
        V6 => true,
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_multicast(),
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_multicast() || v4.is_unspecified()),
    };
    let mut addresses: Vec<IpAddr> = bound.map(place).filter(is_asked).collect();
    addresses.sort_by_key(|address| (*address != V6, *address));
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use crate::document::instance::Protocol;

    use super::*;

    fn asked(bound: &[&str]) -> Vec<String> {
        let bound = bound.iter().map(|address| address.parse().unwrap());
        by_preference(bound).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_program_that_refuses_localhost_is_asked_where_it_is_bound() {
        for (bound, expected) in [
            (&[][..], &[][..]),
            (&["127.0.0.1", "127.0.0.53", "fe80::5", "224.0.0.251"], &[]),
            (&["10.0.0.5"], &["10.0.0.5"]),
            (&["2001:db8::5"], &["2001:db8::5"]),
            (&["::"], &["::1"]),
            (&["10.0.0.9", "::1", "10.0.0.5", "10.0.0.9"], &["::1", "10.0.0.5", "10.0.0.9"]),
        ] {
            assert_eq!(asked(bound), expected, "{bound:?}");
        }
    }

    /// Returns where a program is asked that is bound to those addresses beside others.
    fn asked_beside(own: &[&str], others: &[&str]) -> Vec<String> {
        let port = Port { number: 80, protocol: Protocol::Tcp };
        let bound = others.iter().chain(own).map(|address| address.parse().unwrap());
        let waiting: BTreeMap<u64, IpAddr> = (1..).zip(bound).collect();
        let others = waiting.keys().take(others.len()).copied().collect();
        let asked = OwnSockets::beside(others).addresses(waiting, port).unwrap_or_default();
        asked.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn a_program_beside_another_one_at_localhost_is_asked_where_only_it_is_bound() {
        for (own, others, expected) in [
            (&["0.0.0.0"][..], &[][..], &["127.0.0.1"][..]),
            (&["127.0.0.1"], &["10.0.0.5"], &["127.0.0.1"]),
            (&["10.0.0.5"], &["127.0.0.1"], &["10.0.0.5"]),
            (&["::"], &["127.0.0.1"], &["::1"]),
            (&["0.0.0.0"], &["127.0.0.1"], &[]),
            (&[], &["0.0.0.0"], &[]),
            (&[], &["10.0.0.5"], &["127.0.0.1"]),
        ] {
            assert_eq!(asked_beside(own, others), expected, "{own:?} beside {others:?}");
        }
    }
}
