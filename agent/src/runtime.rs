//! What can be done to a host: one trait for the container engine, one for the
//! manager of its units.
//!
//! A runtime decides nothing: it knows no assignment, no session and no controller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use oml_common::decide::observed::{ObservedContainer, ObservedUnit};
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::id::{ComponentName, ContentHash, Digest};
use tokio::sync::watch;

mod container;
pub mod docker;
pub mod systemd;

pub use container::{ContainerCalls, Inspected, Marked, Waited};
pub use oml_common::decide::exit::ContainerEvents;

#[cfg(test)]
mod contract;

/// What a runtime found of ours, and what stands in the way of `desired`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Containers with our mark.
    pub containers: Vec<(ComponentName, ObservedContainer)>,
    /// What each component's running container was made from; none where its
    /// label makes no sense.
    pub labels: BTreeMap<ComponentName, Option<HeldInstance>>,
    /// Units with our mark, and packaged units that are desired.
    pub units: Vec<(ComponentName, ObservedUnit)>,
    /// Objects that bear a desired name without our mark, as noun phrases.
    pub foreign: Vec<(ComponentName, String)>,
    /// Images that are completely present.
    pub images: BTreeSet<Digest>,
}

/// Bytes of an image that are here, and in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullProgress {
    pub bytes_done: u64,
    /// In all; 0 when not known yet.
    pub bytes_total: u64,
}

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExitReport {
    /// Exit status, if it ended.
    pub exit_code: Option<i64>,
    /// Last lines it wrote, oldest first; at most 20 lines of 400 characters.
    pub log_tail: Vec<String>,
}

/// What a command inside a container gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    pub exit_code: i64,
    /// Standard output, at most 64 KiB.
    pub stdout: String,
}

/// Why a runtime could not do it.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The daemon cannot be reached or does not answer in time.
    #[error("{daemon} does not answer: {detail}")]
    Unavailable {
        /// "docker" or "systemd".
        daemon: &'static str,
        detail: String,
    },
    /// Something of that name exists that is not ours.
    #[error("{0} exists on the host and is not ours")]
    Foreign(String),
    /// The daemon answered, and refused.
    #[error("could not {verb} {object}: {detail}")]
    Refused {
        /// What was tried: "pull", "create", "start" …
        verb: &'static str,
        object: String,
        /// The daemon's message.
        detail: String,
        /// Trying again later may help.
        transient: bool,
    },
}

impl RuntimeError {
    /// The same, as something that may pass.
    pub(crate) fn made_transient(self) -> Self {
        match self {
            RuntimeError::Refused { verb, object, detail, transient: _ } => {
                RuntimeError::Refused { verb, object, detail, transient: true }
            }
            RuntimeError::Unavailable { .. } | RuntimeError::Foreign(_) => self,
        }
    }

    /// Whether trying again later may help.
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
    /// Everything of ours, and what bears a name of `desired` without being ours.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Listing, RuntimeError>;

    /// Pulls the instance's image by its digest.
    async fn pull(
        &self,
        instance: &InstanceDocument,
        progress: &watch::Sender<PullProgress>,
    ) -> Result<(), RuntimeError>;

    /// Creates the instance's container beside the one that runs; it is not started.
    async fn create(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Stops what runs of the component, with its grace.
    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Gives the running container its own name; the one before becomes `…-prev`.
    async fn promote(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Removes the component's containers that do not run, except those whose
    /// workload is in `keep`. Volumes stay.
    async fn remove(
        &self,
        component: &ComponentName,
        keep: &[ContentHash],
    ) -> Result<(), RuntimeError>;

    /// Tells how the container of that workload ended.
    async fn exit_report(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<ExitReport, RuntimeError>;

    /// Reads the document that the container of that workload was created from.
    async fn document(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<Option<InstanceDocument>, RuntimeError>;

    /// Tells where images and containers are kept, if that is on a disk of this host.
    async fn storage(&self) -> Result<Option<PathBuf>, RuntimeError>;

    /// Runs a command inside the component's running container.
    async fn exec(
        &self,
        component: &ComponentName,
        command: &[String],
        timeout_ms: u64,
    ) -> Result<ExecOutput, RuntimeError>;

    /// The containers of a component, newest first.
    async fn containers_of(&self, component: &ComponentName) -> Result<Vec<Marked>, RuntimeError>;

    /// Creates the instance's container again when it was removed, not started; under
    /// its own name if that is free. Gives its id.
    async fn restore(&self, instance: &InstanceDocument) -> Result<String, RuntimeError>;

    /// Gives the calls on one container by its id, which is how a supervisor names it.
    fn calls(&self) -> &dyn ContainerCalls;

    /// A number that grows when something changed; says nothing of what.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The manager of services: systemd, or a model of it.
///
/// Every verb is idempotent, bounded in time, and touches nothing without our
/// mark.
#[async_trait]
pub trait UnitManager: Send + Sync + 'static {
    /// Units with our mark, packaged units that are desired, and what bears a
    /// name of `desired` without being ours.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Listing, RuntimeError>;

    /// Writes the instance's unit file or drop-in, and loads it.
    async fn write(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Restarts the instance's unit and returns when its program answers or its
    /// start has failed. What ran under it before is stopped first.
    async fn start(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Does the same for an instance that a later release wrote, by the unit as it is.
    async fn start_held(&self, instance: &HeldInstance) -> Result<(), RuntimeError>;

    /// Ends the main process of the component's unit, a supervisor, so that systemd
    /// starts the program that is installed now. Its container runs on.
    async fn replace_supervisor(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Stops the component's units.
    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Removes the component's unit files and drop-ins, unless their unit runs.
    async fn remove(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Tells how the component's unit ended.
    async fn exit_report(&self, component: &ComponentName) -> Result<ExitReport, RuntimeError>;

    /// A number that grows when something changed; says nothing of what.
    fn changes(&self) -> watch::Receiver<u64>;
}
