//! Runs of operations: the order that a host gets, its result, and the record of both.
//!
//! An operation is the image of a component, with its mounts, limits and secrets, and with another
//! command. It runs once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::instance::{
    Container, ContainerOptions, Instance, InstanceDocument, Network, Workload,
};
pub use crate::document::instance::{OperationCommand, OperationStep};
use crate::document::{Document, Verbatim, is_default};
use crate::id::{
    ComponentName, ContainerName, ContentHash, NodeName, OperationName, OperationValue, RunId,
    ValueName, Version,
};
use crate::time::Timestamp;

/// The order to run an operation once on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOrder {
    pub id: RunId,
    pub operation: OperationName,
    /// The instance whose image, mounts, limits and secrets it has.
    pub instance: InstanceDocument,
    pub run: OperationCommand,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum RunOutcome {
    /// Its program ended by itself with this status; one of 128 and more is 128 plus the signal
    /// that killed it.
    Exited { status: i64 },
    /// It was stopped because it ran longer than its deadline.
    DeadlineExceeded,
    /// It began and did not end by itself: the host was restarted, or somebody stopped it. How far
    /// it came is not known.
    Interrupted,
    /// It never began.
    NotStarted,
    /// A way to end that only a later release knows. It is no success, and what the controller keeps of
    /// it is replaced when it can read what the host says.
    #[serde(other)]
    Unknown,
}

/// The result of a run, as the host keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    pub outcome: RunOutcome,
    /// When its program was started; none if it was not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: Option<Timestamp>,
    pub ended: Timestamp,
    /// Why it ended so, if there is more to say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: String,
    /// The last lines that its program wrote, oldest first; at most
    /// [`RunResult::LINES_MAX`] lines.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_lines: Vec<String>,
}

/// A run as the controller keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    pub id: RunId,
    pub component: ComponentName,
    pub operation: OperationName,
    pub node: NodeName,
    /// The version of the component whose image it has. The text itself has a version too.
    #[serde(default, rename = "component_version", skip_serializing_if = "is_default")]
    pub version: Option<Version>,
    /// The workload of the component on which it is based.
    pub workload: ContentHash,
    /// The operator who asked for it.
    pub who: String,
    pub asked: Timestamp,
    /// The values that the operator gave.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values: BTreeMap<ValueName, OperationValue>,
    pub deadline_ms: u64,
    /// The order, until the host has taken it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: Option<Verbatim<RunOrder>>,
    /// When the host said that it has the order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub taken: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub result: Option<RunResult>,
}

impl RunResult {
    /// The most lines that are kept of a run.
    pub const LINES_MAX: usize = 20;

    /// Returns whether its program ended by itself and said that all is well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome == RunOutcome::Exited { status: 0 }
    }
}

impl RunOrder {
    /// Returns the container of the run; none if the component is a packaged unit. It is the
    /// component's own with another command and another name, and no port leads to it.
    #[must_use]
    pub fn container(&self) -> Option<Container> {
        let own = self.instance.container()?;
        let OperationCommand { command, entrypoint, env, deadline_ms: _ } = &self.run;
        let mut all = own.env.clone();
        all.extend(env.clone());
        let network = match &own.options.network {
            Network::Host => Network::Host,
            Network::Bridge { .. } => Network::Bridge { published: Vec::new() },
        };
        let entrypoint = match entrypoint.as_slice() {
            [] => own.options.entrypoint.clone(),
            given => given.to_vec(),
        };
        let options = ContainerOptions { network, entrypoint, ..(*own.options).clone() };
        Some(Container {
            name: self.container_name(&own.name)?,
            env: all,
            command: if command.is_empty() { own.command.clone() } else { command.clone() },
            options: Box::new(options),
            ..own.clone()
        })
    }

    /// Returns the instance that the run is based on, with the container of the run in its place.
    #[must_use]
    pub fn as_instance(&self) -> Option<InstanceDocument> {
        let workload = Verbatim::seal(Workload::Container(self.container()?));
        Some(Verbatim::seal(Instance { workload, ..(*self.instance).clone() }))
    }

    /// Returns the name of the run's container, cut to the length that engines accept.
    fn container_name(&self, own: &ContainerName) -> Option<ContainerName> {
        const LENGTH_MAX: usize = 128;
        let end = format!("-run-{}", self.id);
        // These names have no character of more than one byte.
        let kept = own.as_str().get(..own.as_str().len().min(LENGTH_MAX - end.len()))?;
        format!("{kept}{end}").parse().ok()
    }
}

impl Document for RunOrder {
    const KIND: &'static str = "an order to run an operation";
    const VERSION: Option<u32> = Some(1);
}

impl Document for RunResult {
    const KIND: &'static str = "the result of a run";
    const VERSION: Option<u32> = Some(1);
}

impl Document for RunRecord {
    const KIND: &'static str = "the record of a run";
    const VERSION: Option<u32> = Some(1);
}

#[cfg(test)]
mod tests;
