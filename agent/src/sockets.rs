//! The sockets of the host that wait for peers, from the kernel's tables (proc_net_tcp(5)).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use oml_common::document::instance::{Port, Protocol};
use oml_common::text::error::chain;
use tracing::warn;

use crate::files;

/// The state of a TCP socket that listens (`tcp_states.h`).
const LISTENING: &str = "0A";
/// The state of a UDP socket that is bound to no peer (`tcp_states.h`).
const UNCONNECTED: &str = "07";

/// The tables, each with the state of a socket that waits for peers.
const TABLES: [(&str, Protocol, &str); 4] = [
    ("tcp", Protocol::Tcp, LISTENING),
    ("tcp6", Protocol::Tcp, LISTENING),
    ("udp", Protocol::Udp, UNCONNECTED),
    ("udp6", Protocol::Udp, UNCONNECTED),
];

/// A port on which some program waits for peers, with the address that it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    pub(crate) port: Port,
    /// The unspecified address stands for every address of the host.
    pub(crate) address: IpAddr,
}

/// Reads all listeners of the host. A table that cannot be read is logged and left out.
pub(crate) fn listeners(proc: &Path) -> BTreeSet<Listener> {
    let mut found = BTreeSet::new();
    for (table, protocol, state) in TABLES {
        // Without IPv6 there is no such table.
        match files::read_if_there(&proc.join("net").join(table)) {
            Ok(text) => {
                let text = text.unwrap_or_default();
                found.extend(text.lines().filter_map(|line| listener(line, protocol, state)));
            }
            Err(error) => warn!(error = chain(&error), "cannot read which ports are in use"),
        }
    }
    found
}

fn listener(line: &str, protocol: Protocol, state: &str) -> Option<Listener> {
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    if words.nth(1)? != state {
        return None;
    }
    let number = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { port: Port { number, protocol }, address: parse_address(address)? })
}

/// Reads an address, which the kernel prints as one or four words in the byte order of the
/// machine. An IPv4 address in a table of IPv6 is returned as what it is.
fn parse_address(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| {
        let word = std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?;
        Some(u32::from_str_radix(word, 16).ok()?.to_ne_bytes())
    });
    match words.collect::<Option<Vec<[u8; 4]>>>()?.as_slice() {
        [v4] => Some(Ipv4Addr::from(*v4).into()),
        words @ [_, _, _, _] => {
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
