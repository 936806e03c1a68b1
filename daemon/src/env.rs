//! The environment of a program as a value: its clocks, its randomness, the ids that it
//! makes, and the ports on which it listens.
//!
//! Programs use [`Env::system`]. Tests use [`Simulated`]: its time is tokio's, which can
//! be paused, and its randomness follows from a seed, so that a failed test fails again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use oml_common::time::Timestamp;
use tokio::net::TcpListener;
use uuid::Uuid;

mod clock;
mod ids;
mod listen;
mod random;
mod simulated;

pub use clock::Clock;
pub use listen::Listen;
pub use random::{Random, RandomError};
pub use simulated::Simulated;

use self::ids::Ids;

/// Everything that a program gets from outside, apart from messages and files. It is
/// cheap to clone, and all clones are one environment.
#[derive(Debug, Clone)]
pub struct Env {
    clock: Clock,
    random: Random,
    ids: Arc<Ids>,
    listen: Listen,
}

impl Env {
    /// Returns the environment of this process.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Clock::system(), Random::system(), Listen::system())
    }

    /// Makes an environment of these parts.
    #[must_use]
    pub fn new(clock: Clock, random: Random, listen: Listen) -> Self {
        Self { clock, random, ids: Arc::default(), listen }
    }

    /// Returns the same environment with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Returns the same environment with other ports.
    #[must_use]
    pub fn with_listen(self, listen: Listen) -> Self {
        Self { listen, ..self }
    }

    /// Returns the host's clocks.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the source of randomness.
    #[must_use]
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// Makes a new UUID of version 7, for an operation, a store or anything else that
    /// needs a name at once. Within this process, later ids are higher even if the clock
    /// is set back. They are not higher after a restart, so nothing may depend on their
    /// order.
    ///
    /// # Errors
    /// Returns [`RandomError`] if the system has no randomness.
    pub fn uuid(&self) -> Result<Uuid, RandomError> {
        self.ids.next(self.now(), &self.random)
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// Returns the system's error, for example that the port is in use.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.listen.tcp(address).await
    }
}

#[cfg(test)]
mod tests;
