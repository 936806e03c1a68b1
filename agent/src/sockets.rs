//! The sockets of the host that wait for peers.

mod diag;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use oml_common::document::instance::{Port, Protocol};
use oml_common::text::error::chain;
use tracing::{debug, warn};

use crate::files::FileError;

/// Where the kernel shows this host. Its sockets need not be read there, as they must be in the
/// copy of a test.
const PROC: &str = "/proc";

/// A port on which some program waits for peers, with the address that it is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    pub(crate) port: Port,
    /// The unspecified address stands for every address of the host.
    pub(crate) address: IpAddr,
}

/// A socket that waits for peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    local: Listener,
    /// The number by which the kernel knows it, and which no later one gets soon.
    inode: u64,
}

/// Reads all listeners of the host. What cannot be read of a protocol is logged and left out.
pub(crate) fn listeners(proc: &Path) -> BTreeSet<Listener> {
    let mut found = BTreeSet::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let read = waiting(proc, protocol, None, |socket| _ = found.insert(socket.local));
        if let Err(error) = read {
            warn!(error = chain(&error), "cannot read which ports are in use");
        }
    }
    found
}

/// Reads the sockets that wait for peers at a port: the number of each and its address. What
/// cannot be read is left out.
pub(crate) fn waiting_at(proc: &Path, port: Port) -> BTreeMap<u64, IpAddr> {
    let mut found = BTreeMap::new();
    let read = waiting(proc, port.protocol, Some(port.number), |Socket { local, inode }| {
        found.insert(inode, local.address);
    });
    if let Err(error) = read {
        debug!(error = chain(&error), "cannot read who listens at a port");
    }
    found
}

/// Passes on the sockets of a protocol that wait for peers, of all ports or of one. The kernel is
/// asked, and its files are read where it does not answer: for these it goes through all
/// connections that it has room for, which takes about ten milliseconds on a host without any.
fn waiting(
    proc: &Path,
    protocol: Protocol,
    port: Option<u16>,
    mut take: impl FnMut(Socket),
) -> Result<(), FileError> {
    if proc == Path::new(PROC) {
        match diag::waiting(protocol, port) {
            Ok(sockets) => {
                sockets.into_iter().for_each(take);
                return Ok(());
            }
            Err(error) => debug!(error = chain(&error), "the kernel does not say who listens"),
        }
    }
    tables::waiting(proc, protocol, |socket| {
        if port.is_none_or(|port| port == socket.local.port.number) {
            take(socket);
        }
    })
}

#[cfg(test)]
mod tests;
