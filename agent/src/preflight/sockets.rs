//! Reads the kernel's tables of sockets (proc_net_tcp(5)) for ports that are in the way.

/// The state of a TCP socket that listens (`tcp_states.h`).
pub(super) const LISTENING: &str = "0A";
/// The state of a UDP socket that is bound to no peer (`tcp_states.h`).
pub(super) const UNCONNECTED: &str = "07";

/// Every address, and 127.0.0.1, which probes use; each as IPv4 and as IPv6. Only a socket that
/// is bound to one of them is certain to be a conflict.
const IN_THE_WAY: [&str; 4] = [
    "00000000",
    "0100007F",
    "00000000000000000000000000000000",
    "0000000000000000FFFF00000100007F",
];

/// Returns the ports of a table's sockets that are in that state and in the way.
pub(super) fn in_the_way<'a>(table: &'a str, state: &'a str) -> impl Iterator<Item = u16> + 'a {
    table.lines().filter_map(move |line| bound(line, state))
}

fn bound(line: &str, state: &str) -> Option<u16> {
    let mut words = line.split_whitespace();
    let (address, port) = words.nth(1)?.split_once(':')?;
    let is_bound = words.nth(1)? == state && IN_THE_WAY.contains(&address);
    u16::from_str_radix(port, 16).ok().filter(|_| is_bound)
}

#[cfg(test)]
mod tests;
