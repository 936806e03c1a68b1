//! The operations on a host: one trait for the container engine, one for the manager of
//! its units.
//!
//! A runtime decides nothing: it knows no assignment, no session and no controller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use oml_common::decide::difference::{Difference, ForeignObject};
use oml_common::decide::observed::{ObservedContainer, ObservedUnit, UnseenContainer};
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::document::operation::RunOrder;
use oml_common::document::status::Status;
use oml_common::id::{ComponentName, ContentHash, Digest, RunId};
use oml_common::text::printable::printable_lines;
use oml_common::time::Timestamp;
use tokio::sync::watch;

mod container;
pub mod docker;
mod instance;
pub mod systemd;

pub use container::{ContainerCalls, Inspected, Marked, Waited};
pub use instance::ContainerInstance;
pub use oml_common::decide::exit::ContainerEvents;

#[cfg(test)]
mod contract;

/// The time limit of a call that lists what a host has. Nobody waits longer to hear that a daemon hangs.
pub(crate) const LIST_LIMIT: Duration = Duration::from_secs(15);

/// What an engine has of ours, and what is in the way of the desired instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerListing {
    /// The containers with our mark.
    pub containers: Vec<(ComponentName, ObservedContainer)>,
    /// The instance that each component's running container was created from; none if its
    /// label cannot be read.
    pub labels: BTreeMap<ComponentName, Option<HeldInstance>>,
    /// The containers that have a desired name but not our mark.
    pub foreign: Vec<(ComponentName, ForeignObject)>,
    /// What differs from what we created and is left as it is: containers that only bear our
    /// labels, and settings that others changed.
    pub differs: Vec<(ComponentName, Difference)>,
    /// The containers at which the engine could not look.
    pub unseen: Vec<(ComponentName, UnseenContainer)>,
    /// The images that are completely present.
    pub images: BTreeSet<Digest>,
}

/// What a manager of units has of ours, and what is in the way of the desired instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitListing {
    /// The units with our mark, and the packaged units that are desired.
    pub units: Vec<(ComponentName, ObservedUnit)>,
    /// The units and drop-ins that have a desired name and not our mark, or that cannot be read.
    pub foreign: Vec<(ComponentName, ForeignObject)>,
    /// What differs from what we wrote and is left as it is: units that are masked or replaced,
    /// drop-ins of others, and files with our mark that are copies, edited or of another tenant.
    pub differs: Vec<(ComponentName, Difference)>,
    /// The recent ends of packaged units, as a supervisor would note them.
    pub ends: Vec<(ComponentName, Status)>,
}

/// The progress of a pull.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    pub bytes_done: u64,
    /// The size of the image; 0 if it is not known yet.
    pub bytes_total: u64,
}

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitReport {
    /// The exit status, if the program ended.
    pub exit_code: Option<i64>,
    /// The last lines that it wrote, oldest first; at most 20 lines of 400 characters.
    pub log_tail: Vec<String>,
}

/// The result of a command inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    pub exit_code: i64,
    /// The standard output, at most 64 KiB.
    pub stdout: String,
    /// The standard error, at most 64 KiB.
    pub stderr: String,
}

/// The reason why a call of a runtime failed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The daemon cannot be reached or does not answer in time.
    #[error("{daemon} does not answer: {}", printable_lines(detail))]
    Unavailable {
        /// "docker" or "systemd".
        daemon: &'static str,
        detail: String,
    },
    /// An object of that name exists and is not ours.
    #[error("{} exists on the host and is not ours", printable_lines(&.0.to_string()))]
    Foreign(ForeignObject),
    /// The daemon refused the call.
    #[error("could not {verb} {object}: {}", printable_lines(detail))]
    Refused {
        /// The operation: "pull", "create", "start" …
        verb: &'static str,
        object: String,
        /// The daemon's message.
        detail: String,
        /// Another attempt may succeed later.
        transient: bool,
    },
}

impl RuntimeError {
    /// Marks a refusal as transient.
    pub(crate) fn made_transient(self) -> Self {
        match self {
            RuntimeError::Refused { verb, object, detail, transient: _ } => {
                RuntimeError::Refused { verb, object, detail, transient: true }
            }
            RuntimeError::Unavailable { .. } | RuntimeError::Foreign(_) => self,
        }
    }

    /// Returns true if another attempt may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            RuntimeError::Unavailable { .. } => true,
            RuntimeError::Refused { transient, .. } => *transient,
            RuntimeError::Foreign(_) => false,
        }
    }
}

/// The engine that holds images and containers: Docker, or a model of it.
///
/// Every verb is idempotent, bounded in time, and touches nothing without our mark. It
/// names components and workloads; a container is started only through [`ContainerCalls`],
/// which only a supervisor does.
#[async_trait]
pub trait ContainerEngine: Send + Sync + 'static {
    /// Lists everything of ours, and what has a name of `desired` without being ours.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<ContainerListing, RuntimeError>;

    /// Returns true if the instance's image is completely present.
    async fn has_image(&self, instance: ContainerInstance<'_>) -> Result<bool, RuntimeError>;

    /// Pulls the instance's image by its digest.
    async fn pull(
        &self,
        instance: ContainerInstance<'_>,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError>;

    /// Creates the instance's container beside the one that runs; it is not started.
    async fn create(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError>;

    /// Stops the running containers of the component, each with its grace.
    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Renames the running container to the name of its instance, and the previous one to
    /// `…-prev`.
    async fn promote(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError>;

    /// Removes the component's containers that do not run, except those whose workload is
    /// in `keep`. It removes no volume.
    async fn remove(
        &self,
        component: &ComponentName,
        keep: &[ContentHash],
    ) -> Result<(), RuntimeError>;

    /// Reports how the container of that workload ended. What it did before `since` is not part
    /// of it.
    async fn exit_report(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
        since: Timestamp,
    ) -> Result<ExitReport, RuntimeError>;

    /// Reads the document that the container of that workload was created from.
    async fn document(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<Option<InstanceDocument>, RuntimeError>;

    /// Asks the engine for the folders of images and containers that are on disks of this host.
    async fn storage(&self) -> Result<Vec<PathBuf>, RuntimeError>;

    /// Runs a command inside the component's running container.
    async fn exec(
        &self,
        component: &ComponentName,
        command: &[String],
        timeout_ms: u64,
    ) -> Result<ExecOutput, RuntimeError>;

    /// Lists the containers of a component, newest first. One that is shown as running
    /// does run.
    async fn containers_of(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError>;

    /// Lists the containers of a component, newest first, each in its true state.
    async fn looked_at(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError>;

    /// Checks that the instance's container could be created: its image is present, and this host
    /// allows its rights and mounts and has its secrets. Nothing is made.
    async fn may_create(&self, instance: ContainerInstance<'_>) -> Result<(), RuntimeError>;

    /// Creates the instance's container again after it was removed, and returns its id. The
    /// container has its own name if that is free, and is not started.
    async fn restore(&self, instance: ContainerInstance<'_>) -> Result<String, RuntimeError>;

    /// Creates the container of a run, which is not started. One that exists already is no error.
    async fn create_run(&self, order: &RunOrder) -> Result<(), RuntimeError>;

    /// Returns the id of the container of a run, if it exists.
    async fn run_container(&self, id: RunId) -> Result<Option<String>, RuntimeError>;

    /// Stops the container of a run within its grace, and removes it. It removes no volume.
    async fn remove_run(&self, id: RunId) -> Result<(), RuntimeError>;

    /// Removes the containers of checks that an agent before this one left. None that this one
    /// makes is touched, however often and whenever this is called.
    async fn remove_left_checks(&self) -> Result<(), RuntimeError>;

    /// Returns the calls on one container by its id, which is how a supervisor names it.
    fn calls(&self) -> &dyn ContainerCalls;

    /// Returns a counter that grows when something on the engine changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The manager of services: systemd, or a model of it.
///
/// Every verb is idempotent, bounded in time, and touches nothing without our
/// mark.
#[async_trait]
pub trait UnitManager: Send + Sync + 'static {
    /// Lists the units with our mark, the packaged units that are desired, and what has a
    /// name of `desired` without being ours.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<UnitListing, RuntimeError>;

    /// Writes the instance's unit file or drop-in, and loads it.
    async fn write(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Restarts the instance's unit, and returns when its program answers or its start has
    /// failed.
    async fn start(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Restarts the unit of an instance that a later release wrote, and leaves the unit file
    /// as it is.
    async fn start_held(&self, instance: &HeldInstance) -> Result<(), RuntimeError>;

    /// Ends the main process of the component's unit, a supervisor, so that systemd
    /// starts the program that is installed now. Its container runs on.
    async fn replace_supervisor(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Stops the component's units.
    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Returns true if none of the component's units runs or is being started or stopped.
    async fn rests(&self, component: &ComponentName) -> Result<bool, RuntimeError>;

    /// Removes the component's unit files and drop-ins, unless their unit runs.
    async fn remove(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Starts the transient unit of a run, in which `omlagent operate` runs it once. Returns when
    /// systemd has the unit.
    async fn start_run(&self, order: &RunOrder) -> Result<(), RuntimeError>;

    /// Returns true if the unit of a run runs, or is being started or stopped.
    async fn run_is_up(&self, id: RunId) -> Result<bool, RuntimeError>;

    /// Returns a counter that grows when the unit of a run changed, or may have.
    fn run_changes(&self) -> watch::Receiver<u64>;

    /// Reports how the program of the component's unit ended. One that was started before `since` is
    /// not part of it.
    async fn exit_report(
        &self,
        component: &ComponentName,
        since: Timestamp,
    ) -> Result<ExitReport, RuntimeError>;

    /// Returns a counter that grows when one of our units changed.
    fn changes(&self) -> watch::Receiver<u64>;
}
