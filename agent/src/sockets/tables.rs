//! The kernel's tables of sockets as files (proc_net_tcp(5)).

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use oml_common::document::instance::{Port, Protocol};

use super::{Listener, Socket};
use crate::files::FileError;

/// The state of a TCP socket that listens (`tcp_states.h`).
const LISTENING: &str = "0A";
/// The state of a UDP socket that is bound to no peer (`tcp_states.h`).
const UNCONNECTED: &str = "07";

/// A table of sockets. The kernel prints the TCP sockets that listen before all others
/// (`tcp_get_idx`), so that the connections of a busy host are not read.
struct Table {
    name: &'static str,
    protocol: Protocol,
    /// The state of a socket that waits for peers.
    waiting: &'static str,
}

const TABLES: [Table; 4] = [
    Table { name: "tcp", protocol: Protocol::Tcp, waiting: LISTENING },
    Table { name: "tcp6", protocol: Protocol::Tcp, waiting: LISTENING },
    Table { name: "udp", protocol: Protocol::Udp, waiting: UNCONNECTED },
    Table { name: "udp6", protocol: Protocol::Udp, waiting: UNCONNECTED },
];

/// A row of a table.
struct Row {
    socket: Socket,
    waits: bool,
}

/// The bytes read of a table. A socket has a line of at most 200 bytes.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Reads the sockets of a protocol that wait for peers. A host without IPv6 has no table of it.
pub(super) fn waiting(
    proc: &Path,
    protocol: Protocol,
    mut take: impl FnMut(Socket),
) -> Result<(), FileError> {
    for table in TABLES.iter().filter(|table| table.protocol == protocol) {
        let path = proc.join("net").join(table.name);
        table.read(&path, &mut take).map_err(FileError::of("read", &path))?;
    }
    Ok(())
}

impl Table {
    fn read(&self, path: &Path, take: &mut impl FnMut(Socket)) -> io::Result<()> {
        let file = match File::open(path) {
            Ok(file) => file,
            // Without IPv6 there is no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut table = BufReader::new(file.take(TABLE_BYTES_MAX));
        let mut line = String::new();
        while table.read_line(&mut line)? > 0 {
            match self.row(&line) {
                Some(Row { waits: true, socket }) => take(socket),
                Some(Row { waits: false, .. }) if self.protocol == Protocol::Tcp => break,
                Some(Row { .. }) | None => {}
            }
            line.clear();
        }
        match table.get_ref().limit() {
            0 => Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 64 MiB")),
            _ => Ok(()),
        }
    }

    fn row(&self, line: &str) -> Option<Row> {
        let mut words = line.split_whitespace();
        let (address, port) = words.nth(1)?.split_once(':')?;
        let waits = words.nth(1)? == self.waiting;
        let number = u16::from_str_radix(port, 16).ok()?;
        let port = Port { number, protocol: self.protocol };
        let local = Listener { port, address: parse_address(address)? };
        // A table without numbers, as in a test, has no owners either.
        let inode = words.nth(5).and_then(|number| number.parse().ok()).unwrap_or(0);
        Some(Row { socket: Socket { local, inode }, waits })
    }
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
