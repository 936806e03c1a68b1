//! The addresses of this host at which a program is asked, and from which.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use oml_common::document::instance::Port;
use tokio::net::{TcpSocket, TcpStream, UdpSocket, lookup_host};
use tokio::task::spawn_blocking;

use super::silence::{HostError, Silence};
use crate::sockets::waiting_at;

/// Looks up the addresses of a host name or IP address.
pub(super) async fn of_host(host: &str, port: Port) -> Result<Vec<SocketAddr>, Silence> {
    let unknown = |why| Silence::NotFound { host: host.to_owned(), why };
    let found = lookup_host((host, port.number)).await;
    let found: Vec<SocketAddr> =
        found.map_err(|error| unknown(HostError::System(error)))?.collect();
    if found.is_empty() { Err(unknown(HostError::NoAddress)) } else { Ok(found) }
}

/// Reads the sockets of this host that wait for peers at the port.
pub(super) async fn waiting(port: Port, proc: &Path) -> BTreeMap<u64, IpAddr> {
    let proc = proc.to_owned();
    // Only a runtime that shuts down ends a read, and then nobody waits for an answer.
    spawn_blocking(move || waiting_at(&proc, port)).await.unwrap_or_default()
}

/// Connects from the [`own_end`].
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Silence> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // No other host can answer at a loopback address, and the kernel finds a free port more easily.
    if !address.ip().is_loopback() {
        socket.bind(own_end(address)).map_err(|error| not_bound(address, error))?;
    }
    connect_from(socket, address).await
}

async fn connect_from(socket: TcpSocket, address: SocketAddr) -> Result<TcpStream, Silence> {
    let stream = socket.connect(address).await?;
    if stream.local_addr()? == address {
        // The kernel had chosen the very port, where nothing listens, and connected it to itself.
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
    }
    Ok(stream)
}

/// Opens a socket of UDP from the [`own_end`]. It is connected, so that a closed port is reported at
/// once, and the answer's way back is known.
pub(super) async fn connect_udp(address: SocketAddr) -> Result<UdpSocket, Silence> {
    let bound = UdpSocket::bind(own_end(address)).await;
    let socket = bound.map_err(|error| not_bound(address, error))?;
    socket.connect(address).await?;
    Ok(socket)
}

/// The end from which an address is asked, so that no other host can answer: a port of the same
/// address. An address that moved to another host, as that of a pair does, cannot be bound; or,
/// with `ip_nonlocal_bind` (ip(7)), its new host ignores what claims to come from itself.
fn own_end(address: SocketAddr) -> SocketAddr {
    (address.ip(), 0).into()
}

/// Returns why nothing can be asked from the [`own_end`].
fn not_bound(address: SocketAddr, error: io::Error) -> Silence {
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return Silence::AddressOfAnother { address: address.ip() };
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_no_program_that_listens() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let own = socket.local_addr().unwrap();
        let silence = connect_from(socket, own).await.unwrap_err();
        assert!(matches!(silence, Silence::Refused) && silence.is_elsewhere(), "{silence}");
    }
}
