//! What can be done to a host, one trait for the engine and for systemd.
//!
//! A runtime does what it is told and decides nothing: it knows no
//! assignment, no session and no controller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use oml_common::decide::observed::{ObservedContainer, ObservedUnit};
use oml_common::document::instance::InstanceDocument;
use oml_common::id::{ComponentName, ContentHash, Digest};
use tokio::sync::watch;

pub mod docker;
pub mod systemd;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod fake;

/// What a runtime found of ours, and what stands in the way of `desired`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Containers with our mark.
    pub containers: Vec<(ComponentName, ObservedContainer)>,
    /// What each component's running container was made from; none where its
    /// label makes no sense.
    pub labels: BTreeMap<ComponentName, Option<InstanceDocument>>,
    /// Units with our mark, and packaged units that are desired.
    pub units: Vec<(ComponentName, ObservedUnit)>,
    /// Objects that bear a desired name without our mark, as noun phrases.
    pub foreign: Vec<(ComponentName, String)>,
    /// Images that are completely present.
    pub images: BTreeSet<Digest>,
}

/// Bytes of an image that are here, and in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// Already here.
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
    /// Exit status.
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
        /// What was tried.
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
        /// On what.
        object: String,
        /// The daemon's words.
        detail: String,
        /// Trying again later may help.
        transient: bool,
    },
    /// This runtime has no such verb.
    #[error("{0} is not something this runtime can do")]
    Unsupported(&'static str),
}

impl RuntimeError {
    /// The same, as something that may pass.
    pub(crate) fn made_transient(self) -> Self {
        match self {
            RuntimeError::Refused { verb, object, detail, transient: _ } => {
                RuntimeError::Refused { verb, object, detail, transient: true }
            }
            RuntimeError::Unavailable { .. }
            | RuntimeError::Foreign(_)
            | RuntimeError::Unsupported(_) => self,
        }
    }

    /// Whether trying again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            RuntimeError::Unavailable { .. } => true,
            RuntimeError::Refused { transient, .. } => *transient,
            RuntimeError::Foreign(_) | RuntimeError::Unsupported(_) => false,
        }
    }
}

/// A daemon that runs instances: Docker, systemd, or the fake of the tests.
///
/// Every verb is idempotent, bounded in time, and touches nothing without our
/// mark.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Everything of ours, and what bears a name of `desired` without being ours.
    async fn list(&self, desired: &[InstanceDocument]) -> Result<Listing, RuntimeError>;

    /// Brings what the instance needs onto the host: the image, by digest.
    async fn fetch(
        &self,
        instance: &InstanceDocument,
        progress: &watch::Sender<FetchProgress>,
    ) -> Result<(), RuntimeError>;

    /// Makes the instance ready beside whatever runs: a container that is not
    /// started, a unit file that is loaded.
    async fn put(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Makes the instance the running one and returns when it answers or its
    /// start has failed. What ran before under that name is stopped first.
    async fn start(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Stops the component, with its grace.
    async fn stop(&self, component: &ComponentName) -> Result<(), RuntimeError>;

    /// Gives the running object its own name; the one before becomes `…-prev`.
    async fn promote(&self, instance: &InstanceDocument) -> Result<(), RuntimeError>;

    /// Removes the component's objects that do not run, except those of `keep`.
    /// Volumes stay.
    async fn remove(
        &self,
        component: &ComponentName,
        keep: &[ContentHash],
    ) -> Result<(), RuntimeError>;

    /// How the program of that workload ended.
    async fn exit_report(
        &self,
        component: &ComponentName,
        hash: &ContentHash,
    ) -> Result<ExitReport, RuntimeError>;

    /// The instance that the object of that workload was made from, where the
    /// object itself carries it.
    async fn document(
        &self,
        _component: &ComponentName,
        _hash: &ContentHash,
    ) -> Result<Option<InstanceDocument>, RuntimeError> {
        Ok(None)
    }

    /// Where it keeps images and containers, if that is on a disk of this host.
    async fn storage(&self) -> Result<Option<PathBuf>, RuntimeError> {
        Ok(None)
    }

    /// Runs a command inside the running instance.
    async fn exec(
        &self,
        component: &ComponentName,
        command: &[String],
        timeout_ms: u64,
    ) -> Result<ExecOutput, RuntimeError>;

    /// A number that grows when something changed; says nothing of what.
    fn changes(&self) -> watch::Receiver<u64>;
}
