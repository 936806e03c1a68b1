//! One container, as an engine reports it and by its id acts on it.

use std::time::Duration;

use async_trait::async_trait;
use oml_common::decide::drift::ContainerSettings;
use oml_common::decide::observed::ContainerState;
use oml_common::document::ReadError;
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::id::{ComponentName, ContentHash, Digest, TenantId, Version};
use oml_common::time::Timestamp;

use super::{ContainerEvents, ExecOutput, RuntimeError};

/// The grace in milliseconds of a container whose document cannot be read.
const STOP_GRACE_MS: u64 = 10_000;

/// A container that bears our mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub id: String,
    pub name: String,
    pub tenant: TenantId,
    pub component: ComponentName,
    /// The workload that it was created for.
    pub hash: ContentHash,
    /// That workload's version.
    pub version: Version,
    /// That workload's image.
    pub digest: Digest,
    pub created: Timestamp,
    /// It was running when the engine was asked.
    pub is_running: bool,
    /// It was never started when the engine was asked.
    pub is_new: bool,
    /// The text of the instance document that it was created from.
    pub document: String,
}

impl Marked {
    /// Reads as much of its instance as a supervisor needs to hold it.
    ///
    /// # Errors
    /// A label that is damaged, or of a later version of documents.
    pub fn held(&self) -> Result<HeldInstance, ReadError> {
        HeldInstance::read(&self.document)
    }

    /// Reads its instance; none if its label is damaged or only a later release can read it.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceDocument> {
        InstanceDocument::read(&self.document).ok()
    }

    /// Returns the milliseconds from its stop signal to its kill.
    #[must_use]
    pub fn stop_grace_ms(&self) -> u64 {
        self.held().map_or(STOP_GRACE_MS, |instance| instance.timing.stop_grace_ms)
    }
}

/// The state of a container, as far as a decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    pub state: ContainerState,
    /// When its program was last started; none if it never was.
    pub started: Option<Timestamp>,
    /// The engine's message about a failed start; otherwise empty.
    pub error: String,
    pub settings: ContainerSettings,
}

/// The result of a wait for the end of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The container ended with this status.
    Ended(i64),
    /// The engine went away; nothing is known of the container.
    Lost,
}

/// The calls on one container by its id. Each is bounded in time unless it says otherwise.
#[async_trait]
pub trait ContainerCalls: Send + Sync + 'static {
    /// Reads the state of a container; none if it does not exist.
    async fn inspect(&self, id: &str) -> Result<Option<Inspected>, RuntimeError>;

    /// Starts a container. One that runs already is no error.
    async fn start(&self, id: &str) -> Result<(), RuntimeError>;

    /// Stops a container, which is killed after its grace. One that is stopped or does not
    /// exist is no error.
    async fn stop(&self, id: &str, grace_ms: u64) -> Result<(), RuntimeError>;

    /// Sends a signal, such as `SIGHUP`, to the first process of a running container.
    async fn signal(&self, id: &str, signal: &str) -> Result<(), RuntimeError>;

    /// Waits without limit for a container's end.
    async fn wait(&self, id: &str) -> Result<Waited, RuntimeError>;

    /// Reads the last lines that a container's program wrote since then, oldest first; at most
    /// 5 lines of 200 characters.
    async fn last_lines(&self, id: &str, since: Timestamp) -> Result<Vec<String>, RuntimeError>;

    /// Gives the lines that a container's program writes to `line`, one at a time and without the
    /// first `skip`, until the program ends, without limit. One that does not run gives what it
    /// wrote. Each is safe for a terminal and has at most 400 characters.
    async fn follow(
        &self,
        id: &str,
        skip: u64,
        line: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), RuntimeError>;

    /// Runs a command inside a running container. A command that takes longer than `limit`
    /// keeps running; the same command is not started again before it has ended.
    async fn exec(
        &self,
        id: &str,
        command: &[String],
        limit: Duration,
    ) -> Result<ExecOutput, RuntimeError>;

    /// Reads what was done to a container from `since` to `until`. If `until` is in the
    /// future, the call waits for it.
    async fn container_events(
        &self,
        id: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<ContainerEvents, RuntimeError>;
}
