//! The environment of a program as a value: what time it is, what nobody can
//! guess, ids made of both, and the ports that are listened on.
//!
//! [`Env::system`] is what programs use. [`Simulated`] is what tests use: its
//! time is tokio's, which can be paused, and its randomness follows from a seed,
//! so that a test that failed fails again.

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

/// Everything a program gets from outside that is no message and no file. Cheap
/// to clone; all clones are one environment.
#[derive(Debug, Clone)]
pub struct Env {
    clock: Clock,
    random: Random,
    ids: Arc<Ids>,
    listen: Listen,
}

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Clock::system(), Random::system(), Listen::system())
    }

    /// An environment of these parts.
    #[must_use]
    pub fn new(clock: Clock, random: Random, listen: Listen) -> Self {
        Self { clock, random, ids: Arc::default(), listen }
    }

    /// The same environment with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The same environment with other ports.
    #[must_use]
    pub fn with_listen(self, listen: Listen) -> Self {
        Self { listen, ..self }
    }

    /// The host's clocks.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The source of randomness.
    #[must_use]
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// A UUID of version 7 that nobody had before: an id of an operation, a store
    /// or anything else that is named before anybody else knows of it. Within this
    /// process later ids are higher, even when the clock is set back; over a restart
    /// they are not, so no order may be read from them.
    ///
    /// # Errors
    /// [`RandomError`] where the system has no randomness.
    pub fn uuid(&self) -> Result<Uuid, RandomError> {
        self.ids.next(self.now(), &self.random)
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// What the system says, such as that the port is taken.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.listen.tcp(address).await
    }
}

#[cfg(test)]
mod tests;
