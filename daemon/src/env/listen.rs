//! The source of the ports on which a program listens.

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
    /// Opens ports of this host.
    #[must_use]
    pub fn system() -> Self {
        Self { origin: Origin::System }
    }

    /// Returns only these ports, which were opened before, each once and under the
    /// address that the program asks for. Without any, the program cannot listen.
    #[must_use]
    pub fn given(listeners: impl IntoIterator<Item = (SocketAddr, TcpListener)>) -> Self {
        let listeners = listeners.into_iter().collect();
        Self { origin: Origin::Given(Arc::new(Mutex::new(listeners))) }
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// Returns the system's error, or that the port was not given or is in use already.
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
