//! The model of systemd: unit files, jobs and services, as far as a host agent needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::{Daemon, Fault, HostModel, Verb};

mod condition;
mod enable;
mod file;
mod job;
mod life;
mod process;
mod queue;
mod transient;

pub use condition::{TestedLine, Tests};
pub(crate) use file::Definition;
pub use job::{Job, JobEvent};
pub use process::{Notifier, Process, Signal};

/// The number of job ends that are kept for a slow client.
const JOB_ENDS_MAX: usize = 1_024;

/// The state of a unit, in systemd's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActiveState {
    /// It does not run.
    #[default]
    Inactive,
    /// It is being started, or waits to be started again.
    Activating,
    Active,
    /// It is being stopped.
    Deactivating,
    /// It does not run, because of an error.
    Failed,
}

/// The end of a main process (waitid(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCause {
    /// It ended with this status.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

/// A unit as systemd has it in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitState {
    /// "loaded", "not-found" or "masked".
    pub load_state: String,
    pub active: ActiveState,
    /// The path of the unit file; empty if there is none.
    pub fragment_path: String,
    pub drop_in_paths: Vec<String>,
    /// "enabled", "disabled" or "static".
    pub file_state: String,
    /// The files of the unit have changed since systemd read them.
    pub needs_reload: bool,
    /// The time at which it last became active, in milliseconds since the epoch; 0 for never.
    pub active_enter_ms: u64,
    /// The time at which it last stopped being active; 0 for never.
    pub active_exit_ms: u64,
    /// The time at which it last became inactive or failed; 0 for never.
    pub inactive_enter_ms: u64,
    /// The time at which it last stopped being inactive or failed; 0 for never.
    pub inactive_exit_ms: u64,
    pub job: Option<u32>,
    /// The type of that job, if it has not begun.
    pub waits_for: Option<&'static str>,
    /// The result of the last run: "success", "exit-code", "timeout", "start-limit-hit" …
    pub result: String,
    /// The number of restarts by systemd itself since the last requested start.
    pub restarts: u32,
    /// Its type, such as "simple" or "notify".
    pub kind: String,
    /// Its conditions at the last start.
    pub conditions: Tests,
    /// Its assertions at the last start of which the conditions held.
    pub assertions: Tests,
    /// The start of its main process in microseconds since the epoch; 0 for never.
    pub main_start_us: u64,
    /// The end of its main process.
    pub exit: Option<ExitCause>,
    /// The time of that end in microseconds since the epoch; 0 while the process runs.
    pub main_exit_us: u64,
    /// The status text that its main process sent.
    pub status_text: String,
    /// Names its last life, as an `InvocationID` does; 0 if it never started.
    pub invocation: u64,
}

/// An error of systemd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A requested fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The unit has no unit file.
    #[error("Unit {0} not found.")]
    NoSuchUnit(String),
    /// Somebody masked the unit.
    #[error("Unit {0} is masked.")]
    Masked(String),
    /// A transient unit cannot have the name of a unit that exists.
    #[error("Unit {0} was already loaded or has a fragment file.")]
    Exists(String),
    /// The name is that of a template, of which only instances are units (systemd.unit(5)).
    #[error("Unit name {0} is missing the instance name.")]
    Template(String),
}

pub(crate) struct Units {
    units: BTreeMap<String, Unit>,
    /// The units of packages.
    vendor: BTreeSet<String>,
    masked: BTreeSet<String>,
    enabled: BTreeSet<String>,
    /// Those that have nothing to enable.
    statics: BTreeSet<String>,
    ends: broadcast::Sender<u32>,
    events: broadcast::Sender<JobEvent>,
}

impl Default for Units {
    fn default() -> Self {
        let (units, vendor, masked, enabled, statics) = Default::default();
        let (ends, _) = broadcast::channel(JOB_ENDS_MAX);
        let (events, _) = broadcast::channel(JOB_ENDS_MAX);
        Self { units, vendor, masked, enabled, statics, ends, events }
    }
}

/// A unit in memory.
#[derive(Default)]
struct Unit {
    definition: Definition,
    state: UnitState,
    job: Option<job::Pending>,
    process: Option<process::Running>,
    /// Counts the states it entered, so that what was due for an earlier one is void.
    epoch: u64,
    /// The starts that count towards the limit.
    starts: Vec<Instant>,
    /// A stop was requested while its process still runs.
    stops: bool,
    /// The result that the unit will have when its process has ended.
    verdict: Option<&'static str>,
}

/// The calls of systemd's clients.
impl HostModel {
    /// Returns the state of a unit, and loads the unit if it is not in memory.
    ///
    /// # Errors
    /// A requested fault, or the name of a template.
    pub async fn load_unit(&self, name: &str) -> Result<UnitState, UnitError> {
        self.enter(Daemon::Systemd, Verb::Read).await?;
        if name.contains("@.") {
            return Err(UnitError::Template(name.to_owned()));
        }
        let on_disk = self.read_definition(name);
        let mut state = self.state();
        let is_masked = state.units.masked.contains(name);
        let file_state = match state.units.enabled.contains(name) {
            true => "enabled",
            false if state.units.statics.contains(name) => "static",
            false => "disabled",
        };
        state.units.unload(name);
        let unit = state.units.unit(name, &on_disk);
        let mut view = unit.state.clone();
        view.load_state = match (is_masked, unit.definition.is_there()) {
            (true, _) => "masked",
            (false, true) => "loaded",
            (false, false) => "not-found",
        }
        .to_owned();
        view.kind = unit.definition.kind().to_owned();
        view.fragment_path.clone_from(&unit.definition.fragment_path);
        view.drop_in_paths.clone_from(&unit.definition.drop_in_paths);
        file_state.clone_into(&mut view.file_state);
        view.needs_reload = unit.definition != on_disk;
        view.job = unit.job.as_ref().map(|job| job.id);
        view.waits_for = unit.waits_for();
        let is_known = unit.definition.is_there() || !unit.is_at_rest();
        if !is_known {
            // systemd keeps no unit in memory that has no file and does nothing.
            state.units.units.remove(name);
        }
        Ok(view)
    }

    /// Returns the last lines that the program of a unit wrote.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn unit_log(&self, name: &str) -> Result<Vec<String>, UnitError> {
        self.enter(Daemon::Systemd, Verb::Logs).await?;
        Ok(vec![format!("the last line of {name}")])
    }

    /// Starts a unit and returns the job.
    ///
    /// # Errors
    /// No such unit, a masked one, or a fault that was asked for.
    pub async fn start_unit(&self, name: &str) -> Result<Job, UnitError> {
        self.enter(Daemon::Systemd, Verb::Start).await?;
        self.begin_job(name, job::Kind::Start)
    }

    /// Stops a unit if it runs, starts it, and returns the job.
    ///
    /// # Errors
    /// As [`HostModel::start_unit`].
    pub async fn restart_unit(&self, name: &str) -> Result<Job, UnitError> {
        self.enter(Daemon::Systemd, Verb::Start).await?;
        self.begin_job(name, job::Kind::Restart)
    }

    /// Stops a unit and returns the job.
    ///
    /// # Errors
    /// As [`HostModel::start_unit`].
    pub async fn stop_unit(&self, name: &str) -> Result<Job, UnitError> {
        self.enter(Daemon::Systemd, Verb::Stop).await?;
        self.begin_job(name, job::Kind::Stop)
    }

    /// Returns a receiver of the numbers of jobs that end from now on.
    #[must_use]
    pub fn job_ends(&self) -> broadcast::Receiver<u32> {
        self.state().units.ends.subscribe()
    }

    /// Returns a receiver of what systemd announces about jobs from now on.
    #[must_use]
    pub fn job_events(&self) -> broadcast::Receiver<JobEvent> {
        self.state().units.events.subscribe()
    }

    /// Reads all unit files again.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn reload_units(&self) -> Result<(), UnitError> {
        self.enter(Daemon::Systemd, Verb::Reload).await?;
        let names: Vec<String> = self.state().units.units.keys().cloned().collect();
        for name in names {
            let definition = self.read_definition(&name);
            let mut state = self.state();
            let keeps = {
                let unit = state.units.unit(&name, &definition);
                if !unit.definition.is_transient() {
                    unit.definition = definition;
                }
                unit.definition.is_there() || !unit.is_at_rest()
            };
            if !keeps {
                state.units.units.remove(&name);
            }
        }
        self.notify(Daemon::Systemd);
        Ok(())
    }

    /// Clears the failure of a unit and its count of recent starts.
    ///
    /// # Errors
    /// No such unit, or a fault that was asked for.
    pub async fn reset_failed(&self, name: &str) -> Result<(), UnitError> {
        self.enter(Daemon::Systemd, Verb::Read).await?;
        let mut state = self.state();
        let unit = state.units.units.get_mut(name);
        let unit = unit.ok_or_else(|| UnitError::NoSuchUnit(name.to_owned()))?;
        unit.starts.clear();
        unit.state.restarts = 0;
        "success".clone_into(&mut unit.state.result);
        if unit.state.active == ActiveState::Failed {
            unit.state.active = ActiveState::Inactive;
        }
        drop(state);
        self.notify(Daemon::Systemd);
        Ok(())
    }
}

/// Manual actions on the host, and events of it.
impl HostModel {
    /// Installs a package, which brings a unit and starts it.
    pub fn install_package(&self, name: &str) {
        let is_new = self.state().units.vendor.insert(name.to_owned());
        if is_new {
            let definition = self.read_definition(name);
            let mut state = self.state();
            state.units.unit(name, &definition).definition = definition.clone();
            state.units.enabled.insert(name.to_owned());
            drop(state);
            self.start_now(name);
        }
    }

    /// Removes a package and its unit.
    pub fn remove_package(&self, name: &str) {
        let mut state = self.state();
        state.units.vendor.remove(name);
        state.units.enabled.remove(name);
    }

    /// Runs `systemctl start`, `restart`, `try-restart` or `stop` without waiting for the job.
    ///
    /// # Errors
    /// No such unit, or a masked one.
    pub fn systemctl(&self, verb: &str, name: &str) -> Result<Job, UnitError> {
        let kind = match verb {
            "stop" => job::Kind::Stop,
            "restart" => job::Kind::Restart,
            "try-restart" => job::Kind::TryRestart,
            _ => job::Kind::Start,
        };
        self.begin_job(name, kind)
    }

    /// Returns the names and states of all units in memory.
    #[must_use]
    pub fn units(&self) -> Vec<(String, UnitState)> {
        let state = self.state();
        let units = state.units.units.iter();
        units.map(|(name, unit)| (name.clone(), unit.state.clone())).collect()
    }

    pub(crate) fn start_enabled_units(&self) {
        let names: Vec<String> = self.state().units.enabled.iter().cloned().collect();
        for name in names {
            let definition = self.read_definition(&name);
            if definition.is_there() {
                let mut state = self.state();
                let unit = state.units.unit(&name, &definition);
                unit.definition = definition;
                drop(state);
                self.start_now(&name);
            }
        }
    }
}

impl Units {
    /// Returns the unit of that name, and loads it if it is not in memory.
    fn unit(&mut self, name: &str, on_disk: &Definition) -> &mut Unit {
        self.units.entry(name.to_owned()).or_insert_with(|| Unit {
            definition: on_disk.clone(),
            state: UnitState { result: "success".to_owned(), ..UnitState::default() },
            ..Unit::default()
        })
    }
}

impl Unit {
    fn is_at_rest(&self) -> bool {
        matches!(self.state.active, ActiveState::Inactive | ActiveState::Failed)
    }

    /// Enters a state and voids what was due in the previous one.
    fn enter(&mut self, active: ActiveState, now_ms: u64) {
        self.epoch += 1;
        let before = self.state.active;
        if before == active {
            return;
        }
        let rests = |state| matches!(state, ActiveState::Inactive | ActiveState::Failed);
        if before == ActiveState::Active {
            self.state.active_exit_ms = now_ms;
        }
        if rests(before) && !rests(active) {
            self.state.inactive_exit_ms = now_ms;
        }
        if active == ActiveState::Active {
            self.state.active_enter_ms = now_ms;
        }
        if rests(active) && !rests(before) {
            self.state.inactive_enter_ms = now_ms;
        }
        self.state.active = active;
    }
}

/// Converts a time from a unit file.
fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}
