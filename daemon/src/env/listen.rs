//! Where the ports come from that a program listens on.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;

/// Opens the ports that a daemon listens on.
#[derive(Debug, Clone)]
pub struct Listen {
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    System,
    Given(Arc<Mutex<BTreeMap<SocketAddr, TcpListener>>>),
}

impl Listen {
    /// Ports of this host.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: Origin::System }
    }

    /// Only these ports, opened before, under the addresses that a program asks
    /// for; each can be had once. Without any a program listens nowhere.
    #[must_use]
    pub fn given(listeners: impl IntoIterator<Item = (SocketAddr, TcpListener)>) -> Self {
        let listeners = listeners.into_iter().collect();
        Self { origin: Origin::Given(Arc::new(Mutex::new(listeners))) }
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// What the system says, or that the port was not given or was taken before.
    #[expect(clippy::disallowed_methods, reason = "the one place that listens")]
    pub(super) async fn tcp(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match &self.origin {
            Origin::System => TcpListener::bind(address).await,
            Origin::Given(listeners) => {
                let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
                listeners.remove(&address).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
            }
        }
    }
}

#[cfg(test)]
mod tests;
