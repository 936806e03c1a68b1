//! What a supervisor is given from outside: the engine, the prober, the line to
//! systemd, its signals and the clock. The program takes those of the host; tests
//! bring their own.

use std::sync::Arc;
use std::time::Duration;

use oml_common::id::ComponentName;
use oml_daemon::env::Env;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal as OsSignal, SignalKind, signal};
use tokio::sync::mpsc;

use super::SuperviseError;
use crate::paths::Paths;
use crate::probe::{LocalProber, Prober};
use crate::runtime::ContainerEngine;
use crate::runtime::docker::Docker;

/// Everything a supervisor is given.
pub struct Surroundings {
    /// Where things are on the host.
    pub paths: Paths,
    pub engine: Arc<dyn ContainerEngine>,
    pub prober: Arc<dyn Prober>,
    /// The line to systemd.
    pub notify: Box<dyn Notify>,
    pub signals: ProcessSignals,
    /// The host's clock and randomness.
    pub env: Env,
    /// Is called when a component's status file has been written.
    pub status_written: Box<dyn Fn(&ComponentName) + Send + Sync>,
}

/// What a supervisor says to systemd (`sd_notify(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The program answers.
    Ready,
    Stopping,
    /// The line for `systemctl status`.
    Status(&'a str),
    /// The start needs that much more time.
    Extend(Duration),
    /// The process is not stuck.
    Alive,
}

/// The line to systemd.
pub trait Notify: Send + Sync {
    /// Sends a notice; it is fine when nobody listens.
    fn say(&self, notice: Notice<'_>);

    /// The longest time between two [`Notice::Alive`]; none where no watchdog waits.
    fn watchdog(&self) -> Option<Duration>;
}

/// The line of a process that systemd started. Without systemd, notices are lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemdSocket;

impl Notify for SystemdSocket {
    fn say(&self, notice: Notice<'_>) {
        let state = match notice {
            Notice::Ready => NotifyState::Ready,
            Notice::Stopping => NotifyState::Stopping,
            Notice::Status(line) => NotifyState::Status(line),
            Notice::Alive => NotifyState::Watchdog,
            Notice::Extend(by) => {
                let microseconds = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
                NotifyState::ExtendTimeoutUsec(microseconds)
            }
        };
        // systemd may be restarting itself; it hears the next one.
        if let Err(error) = sd_notify::notify(&[state]) {
            eprintln!("cannot notify systemd: {error}");
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

/// The signals that a supervisor acts on.
pub struct ProcessSignals {
    /// systemd stops the unit.
    pub stop: SignalStream,
    /// Somebody ends the process.
    pub terminate: SignalStream,
    /// The document is to be read again.
    pub hangup: SignalStream,
}

/// Signals of one kind.
pub enum SignalStream {
    Process(OsSignal),
    /// Those that somebody sends in their place.
    Channel(mpsc::UnboundedReceiver<()>),
}

impl ProcessSignals {
    fn of_process() -> Result<Self, SuperviseError> {
        let listen =
            |kind| signal(kind).map(SignalStream::Process).map_err(SuperviseError::ProcessSignals);
        Ok(Self {
            stop: listen(SignalKind::user_defined2())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}

impl SignalStream {
    /// Waits for the next one; for ever where none can come any more.
    pub(super) async fn recv(&mut self) {
        let received = match self {
            Self::Process(signal) => signal.recv().await,
            Self::Channel(receiver) => receiver.recv().await,
        };
        if received.is_none() {
            std::future::pending().await
        }
    }
}

impl Surroundings {
    /// Those of this process on this host.
    ///
    /// # Errors
    /// The process's own signals cannot be had.
    pub fn of_process(paths: Paths, env: Env) -> Result<Self, SuperviseError> {
        Ok(Self {
            engine: Arc::new(Docker::new(paths.clone(), Vec::new())),
            prober: Arc::new(LocalProber),
            notify: Box::new(SystemdSocket),
            signals: ProcessSignals::of_process()?,
            env,
            // The agent hears of it from the file system.
            status_written: Box::new(|_component| {}),
            paths,
        })
    }
}
