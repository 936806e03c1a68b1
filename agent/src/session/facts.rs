//! What a host says of itself in its greeting.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// Longest look-up of the controller's name, beside the connection's own.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Finds out the host's own address for the controller at an address (`host:port`).
pub type OwnAddress = Box<dyn Fn(String) -> BoxFuture<'static, io::Result<IpAddr>> + Send + Sync>;

/// The facts of a host that no setting and no clock tells.
pub struct HostFacts {
    /// The host's machine id (`machine-id(5)`); empty where it has none.
    pub machine_id: String,
    pub own_address: OwnAddress,
}

impl HostFacts {
    /// Those of the host that this process runs on.
    #[must_use]
    pub fn of_host() -> Self {
        let machine_id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let own_address: OwnAddress =
            Box::new(|endpoint| Box::pin(async move { own_address(&endpoint).await }));
        Self { machine_id: machine_id.trim().to_owned(), own_address }
    }

    /// Those of a simulated host, which asks nobody for its address.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn simulated(machine_id: &str, address: IpAddr) -> Self {
        let own_address: OwnAddress =
            Box::new(move |_endpoint| Box::pin(std::future::ready(Ok(address))));
        Self { machine_id: machine_id.to_owned(), own_address }
    }
}

/// The address by which packets to the controller leave; nothing is sent.
async fn own_address(endpoint: &str) -> io::Result<IpAddr> {
    let looked_up = timeout(LOOKUP_TIMEOUT, lookup_host(endpoint)).await;
    let mut found = looked_up.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))?;
    let target = found.next().ok_or(io::ErrorKind::NotFound)?;
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}
