//! The host: its settings, its clock, and events that affect all of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::faults::Faults;
use crate::{Behaviour, Daemon, ExecAnswer, Registry};

mod calls;
mod engine;
mod units;

pub use calls::Call;
pub use engine::{
    Container, ContainerSettings, ContainerState, EngineError, Event, EventAction, NewContainer,
    WaitEnd,
};
pub use units::{
    ActiveState, ExitCause, Job, JobEvent, Notifier, Process, Signal, TestedLine, Tests, UnitError,
    UnitState,
};

use self::engine::Engine;
use self::units::Units;

/// The time from power-off to the start of the first unit.
const BOOT: Duration = Duration::from_secs(10);

/// The behaviour of the programs inside containers. The code that embeds the model implements it.
pub trait Programs: Send + Sync {
    /// Returns how the program of a container behaves when it is started.
    fn behaviour(&self, container: &Container) -> Behaviour;

    /// Returns the result of a command inside a running container.
    fn exec(&self, container: &Container, command: &[String]) -> ExecAnswer;
}

/// The settings of a host.
pub struct HostSettings {
    /// The registry of images.
    pub registry: Registry,
    /// The behaviour of programs in containers.
    pub programs: Arc<dyn Programs>,
    /// The folder of unit files, like `/etc/systemd/system`.
    pub unit_files: PathBuf,
    /// The folder in which the engine claims to keep images and containers; none for a disk of
    /// another host.
    pub storage: Option<PathBuf>,
    /// Returns the time of the host's clock in milliseconds since the epoch.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Runs the main process of a unit.
    pub launch: Arc<dyn Fn(Process) + Send + Sync>,
}

/// A host. A clone is the same host.
#[derive(Clone)]
pub struct HostModel(Arc<Shared>);

struct Shared {
    settings: HostSettings,
    state: Mutex<State>,
    containers: watch::Sender<u64>,
    units: watch::Sender<u64>,
    calls_made: watch::Sender<usize>,
}

/// The mutable state of a host.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) serial: u64,
    pub(crate) engine: Engine,
    pub(crate) units: Units,
    pub(crate) faults: Faults,
    calls: Vec<Call>,
    /// The instant of the last call, and the number of calls in it.
    moment: Option<(Instant, usize)>,
}

impl HostModel {
    /// Creates a host on which nothing runs.
    #[must_use]
    pub fn new(settings: HostSettings) -> Self {
        let (containers, _) = watch::channel(0);
        let (units, _) = watch::channel(0);
        let (calls_made, _) = watch::channel(0);
        Self(Arc::new(Shared { settings, state: Mutex::default(), containers, units, calls_made }))
    }

    /// Returns the settings of the host.
    #[must_use]
    pub fn settings(&self) -> &HostSettings {
        &self.0.settings
    }

    /// Returns a counter that grows when a container changed, or when the engine stopped
    /// answering or answers again.
    #[must_use]
    pub fn container_changes(&self) -> watch::Receiver<u64> {
        self.0.containers.subscribe()
    }

    /// Returns a counter that grows when a unit changed, or when systemd stopped answering or
    /// answers again.
    #[must_use]
    pub fn unit_changes(&self) -> watch::Receiver<u64> {
        self.0.units.subscribe()
    }

    /// Powers the host off and on again: everything that runs is killed, and
    /// after a while the enabled units start.
    pub fn reboot(&self) {
        self.kill_all_processes();
        self.end_all_containers();
        let host = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(BOOT).await;
            host.start_enabled_units();
        });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        (self.0.settings.now_ms)()
    }

    pub(crate) fn notify(&self, daemon: Daemon) {
        let counter = match daemon {
            Daemon::Engine => &self.0.containers,
            Daemon::Systemd => &self.0.units,
        };
        counter.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Runs an action after a pause, unless the host is dropped before.
    pub(crate) fn later(&self, pause: Duration, action: impl FnOnce(&HostModel) + Send + 'static) {
        let host = Arc::downgrade(&self.0);
        // At the end of a test there is no runtime that could run it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(host) = host.upgrade() {
                action(&HostModel(host));
            }
        });
    }
}

impl State {
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

impl std::fmt::Debug for HostModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostModel")
    }
}
