//! The host: its settings, its clock, and events that affect all of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::faults::Faults;
use crate::units::{Process, Units};
use crate::{Behaviour, Container, Daemon, ExecAnswer, Registry};

mod calls;

pub use calls::Call;

/// The time from power-off to the start of the first unit.
const BOOT: Duration = Duration::from_secs(10);

/// What the programs inside containers do; implemented by whoever embeds the model.
pub trait Programs: Send + Sync {
    /// How the program of a container behaves when it is started.
    fn behaviour(&self, container: &Container) -> Behaviour;

    /// What a command inside a running container gives.
    fn exec(&self, container: &Container, command: &[String]) -> ExecAnswer;
}

/// The settings of a host.
pub struct HostSettings {
    /// The registry of images.
    pub registry: Registry,
    /// The behaviour of programs in containers.
    pub programs: Arc<dyn Programs>,
    /// Folder of unit files, as `/etc/systemd/system` is.
    pub unit_files: PathBuf,
    /// The folder in which the engine claims to keep images and containers; none for a disk of
    /// another host.
    pub storage: Option<PathBuf>,
    /// Milliseconds since the epoch.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Runs the main process of a unit.
    pub launch: Arc<dyn Fn(Process) + Send + Sync>,
}

/// A host; clones are the same host.
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
    /// The moment of the last call, and how many were made in it.
    moment: Option<(Instant, usize)>,
}

impl HostModel {
    /// A host on which nothing runs.
    #[must_use]
    pub fn new(settings: HostSettings) -> Self {
        let (containers, _) = watch::channel(0);
        let (units, _) = watch::channel(0);
        let (calls_made, _) = watch::channel(0);
        Self(Arc::new(Shared { settings, state: Mutex::default(), containers, units, calls_made }))
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &HostSettings {
        &self.0.settings
    }

    /// Counts up whenever a container has changed, or the engine went away or came back.
    #[must_use]
    pub fn container_changes(&self) -> watch::Receiver<u64> {
        self.0.containers.subscribe()
    }

    /// Counts up whenever a unit has changed, or systemd went away or came back.
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

    /// Does something later, unless the host is dropped before.
    pub(crate) fn later(&self, pause: Duration, deed: impl FnOnce(&HostModel) + Send + 'static) {
        let host = Arc::downgrade(&self.0);
        // At the end of a test no runtime is left that could do anything later.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(host) = host.upgrade() {
                deed(&HostModel(host));
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
