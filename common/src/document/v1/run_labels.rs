//! The labels of a container in which an operation runs once, by which an agent finds, stops and
//! removes it again. They are others than those of a component's container, so that none is taken
//! for one.

use std::collections::{BTreeMap, HashMap};

use crate::id::{ComponentName, OperationName, RunId, TenantId};

const RUN: &str = "io.oml.run";
const TENANT: &str = "io.oml.run.tenant";
const COMPONENT: &str = "io.oml.run.component";
const OPERATION: &str = "io.oml.run.operation";
const STOP_GRACE: &str = "io.oml.run.stop-grace-ms";

/// The grace of a container whose label does not say it.
const STOP_GRACE_MS: u64 = 10_000;

/// The labels of the container of a run.
///
/// They have no version of their own: these names with these meanings are version 1. A later
/// release may add labels, which this one ignores, and gives none of these another meaning, because
/// the agent that removes a container may be another one than the agent that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLabels {
    pub id: RunId,
    pub tenant: TenantId,
    /// The component, which is for people.
    pub component: ComponentName,
    /// The operation, which is for people.
    pub operation: OperationName,
    /// The time from the stop signal to the kill.
    pub stop_grace_ms: u64,
}

impl RunLabels {
    /// The label that the container of every run has, with the number of the run.
    pub const RUN: &str = RUN;

    /// Writes the labels.
    #[must_use]
    pub fn write(&self) -> BTreeMap<String, String> {
        let Self { id, tenant, component, operation, stop_grace_ms } = self;
        let labels = [
            (RUN, id.to_string()),
            (TENANT, tenant.to_string()),
            (COMPONENT, component.to_string()),
            (OPERATION, operation.to_string()),
            (STOP_GRACE, stop_grace_ms.to_string()),
        ];
        labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// As much of the labels of a run's container as it takes to stop and to remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRun {
    pub id: RunId,
    /// None if there is no such label, or none that can be read.
    pub tenant: Option<TenantId>,
    /// The time from the stop signal to the kill; the engine's usual one if no label says it.
    pub stop_grace_ms: u64,
}

impl FoundRun {
    /// Reads the labels of a container; none if it is not that of a run.
    #[must_use]
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let text = |name: &str| labels.get(name).map(String::as_str);
        Some(Self {
            id: text(RUN)?.parse().ok()?,
            tenant: text(TENANT).and_then(|tenant| tenant.parse().ok()),
            stop_grace_ms: text(STOP_GRACE)
                .and_then(|grace| grace.parse().ok())
                .unwrap_or(STOP_GRACE_MS),
        })
    }
}

#[cfg(test)]
mod tests;
