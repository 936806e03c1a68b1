//! The inputs of a supervisor: the engine, the prober, the socket of systemd, the signals and
//! the clock. The program uses those of the host, and tests replace them.

use std::sync::Arc;
use std::time::Duration;

use oml_common::id::{ComponentName, TenantId};
use oml_common::text::printable::printable;
use oml_daemon::env::Env;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal as OsSignal, SignalKind, signal};
use tokio::sync::mpsc;

use super::SuperviseError;
use super::own_unit::unit_of_process;
use crate::documents;
use crate::identity::IdentityFiles;
use crate::paths::Paths;
use crate::probe::{LocalProber, Prober};
use crate::runtime::ContainerEngine;
use crate::runtime::docker::Docker;

/// The inputs of a supervisor.
pub struct Surroundings {
    /// The paths of the host.
    pub paths: Paths,
    /// The systemd unit of this process; none if that is not known.
    pub unit: Option<String>,
    pub engine: Arc<dyn ContainerEngine>,
    pub prober: Arc<dyn Prober>,
    /// The socket to systemd.
    pub notify: Box<dyn Notify>,
    pub signals: ProcessSignals,
    /// The host's clock and randomness.
    pub env: Env,
    /// Called after the status file of a component was written.
    pub status_written: Box<dyn Fn(&ComponentName) + Send + Sync>,
}

/// A notice from a supervisor to systemd (`sd_notify(3)`).
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

/// The socket to systemd.
pub trait Notify: Send + Sync {
    /// Sends a notice. A missing listener is no error.
    fn say(&self, notice: Notice<'_>);

    /// Returns the longest time between two [`Notice::Alive`]; none without a watchdog.
    fn watchdog(&self) -> Option<Duration>;
}

/// The socket of a process that systemd started. Without systemd, notices are lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemdSocket;

impl Notify for SystemdSocket {
    fn say(&self, notice: Notice<'_>) {
        let shown: String;
        let state = match notice {
            Notice::Ready => NotifyState::Ready,
            Notice::Stopping => NotifyState::Stopping,
            Notice::Status(line) => {
                shown = printable(line);
                NotifyState::Status(&shown)
            }
            Notice::Alive => NotifyState::Watchdog,
            Notice::Extend(by) => {
                let microseconds = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
                NotifyState::ExtendTimeoutUsec(microseconds)
            }
        };
        // systemd may be restarting itself; the next notice reaches it.
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
    /// SIGUSR2: systemd stops the unit.
    pub stop: SignalStream,
    /// SIGTERM: somebody ends the process.
    pub terminate: SignalStream,
    /// SIGHUP: the document has to be read again.
    pub hangup: SignalStream,
}

/// Signals of one kind.
pub enum SignalStream {
    Process(OsSignal),
    /// Signals that a test sends.
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
    /// Waits for the next signal, or for ever if none can come any more.
    pub(crate) async fn recv(&mut self) {
        let received = match self {
            Self::Process(signal) => signal.recv().await,
            Self::Channel(receiver) => receiver.recv().await,
        };
        if received.is_none() {
            std::future::pending().await
        }
    }
}

/// Returns the tenant of this host as a supervisor knows it: that of its document or, where the
/// document is lost, that of the host's certificate.
#[must_use]
pub fn tenant_of(paths: &Paths, component: &ComponentName) -> Option<TenantId> {
    let document = documents::read_held(paths, component).ok().flatten();
    let identity = || IdentityFiles::new(paths).load().ok().flatten();
    document.map(|document| document.tenant).or_else(|| Some(identity()?.tenant))
}

impl Surroundings {
    /// Creates the inputs of the process that supervises a component of this host.
    ///
    /// # Errors
    /// A failure to listen for signals.
    pub fn of_process(
        paths: Paths,
        component: &ComponentName,
        env: Env,
    ) -> Result<Self, SuperviseError> {
        let tenant = tenant_of(&paths, component);
        Ok(Self {
            unit: unit_of_process(&paths.proc),
            engine: Arc::new(Docker::new(paths.clone(), Vec::new(), tenant)),
            prober: Arc::new(LocalProber::new(paths.proc.clone())),
            notify: Box::new(SystemdSocket),
            signals: ProcessSignals::of_process()?,
            env,
            // The agent watches the file system instead.
            status_written: Box::new(|_component| {}),
            paths,
        })
    }
}
