//! The facts about itself that a host puts into its greeting.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// The longest time for looking up the controller's name; the connection looks it up on its own.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A function that finds out the host's own address towards a controller (`host:port`).
pub type OwnAddress = Box<dyn Fn(String) -> BoxFuture<'static, io::Result<IpAddr>> + Send + Sync>;

/// The facts about a host that come from no setting and no clock.
pub struct HostFacts {
    /// The host's machine id (`machine-id(5)`); empty if it has none.
    pub machine_id: String,
    pub own_address: OwnAddress,
}

impl HostFacts {
    /// Reads the facts of the host that this process runs on.
    #[must_use]
    pub fn of_host() -> Self {
        let machine_id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let own_address: OwnAddress =
            Box::new(|endpoint| Box::pin(async move { own_address(&endpoint).await }));
        Self { machine_id: machine_id.trim().to_owned(), own_address }
    }

    /// Returns the facts of a simulated host, which has a fixed address.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn simulated(machine_id: &str, address: IpAddr) -> Self {
        let own_address: OwnAddress =
            Box::new(move |_endpoint| Box::pin(std::future::ready(Ok(address))));
        Self { machine_id: machine_id.to_owned(), own_address }
    }
}

/// Returns the local address of packets to the controller. It sends none.
async fn own_address(endpoint: &str) -> io::Result<IpAddr> {
    let looked_up = timeout(LOOKUP_TIMEOUT, lookup_host(endpoint)).await;
    let mut found = looked_up.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))?;
    let target = found.next().ok_or(io::ErrorKind::NotFound)?;
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}
