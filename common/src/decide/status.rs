//! What is shown of a tenant: the revision that each node runs, the components that it
//! has not reported yet, its rollout in short, and whether all is well.

use std::collections::BTreeMap;

use crate::decide::rollout::WaitsFor;
use crate::document::Share;
use crate::document::assignment::Assignment;
use crate::document::plan::Plan;
use crate::document::report::{InstanceReport, Phase, Report};
use crate::document::rollout::{Rollout, State};
use crate::document::status::Health;
use crate::id::{ComponentName, NodeName, RevisionNumber, Version};

/// Everything that is shown of a node follows from this.
#[derive(Debug, Clone, Copy)]
pub struct NodeProgress<'a> {
    pub node: &'a NodeName,
    /// The plan of the revision that its tenant should run; `None` before the first.
    pub plan: Option<&'a Plan>,
    /// The revision that its pointer names.
    pub target: Option<RevisionNumber>,
    pub assigned: Option<&'a Assignment>,
    /// Its last report.
    pub report: Option<&'a Report>,
}

/// A rollout in the numbers and words that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutSummary {
    /// The number of waves that have passed; 0 for a rollout that ended without success.
    pub wave: usize,
    pub waves: usize,
    /// Why it was paused or rolled back, and what it waits for; empty if there is nothing
    /// to say.
    pub reason: String,
}

/// Whether all is well, of one tenant or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverallHealth {
    /// Everything is readable, every node is connected, and everything that should run on
    /// it was reported as ready and healthy.
    Healthy,
    NotHealthy,
}

/// What the overall health depends on at one node.
#[derive(Debug, Clone, Copy)]
pub struct NodeCondition<'a> {
    pub is_connected: bool,
    /// Whether everything that should run on the node was reported.
    pub is_complete: bool,
    /// Its last report.
    pub report: Option<&'a Report>,
}

/// Decides whether all is well. `unreadable` counts the catalogs and tenants that cannot be
/// read: what is not known is not healthy.
#[must_use]
pub fn overall_health<'a>(
    unreadable: usize,
    nodes: impl IntoIterator<Item = NodeCondition<'a>>,
) -> OverallHealth {
    let is_well = unreadable == 0 && nodes.into_iter().all(is_node_well);
    if is_well { OverallHealth::Healthy } else { OverallHealth::NotHealthy }
}

fn is_node_well(node: NodeCondition<'_>) -> bool {
    let is_well = |instance: &InstanceReport| {
        instance.phase == Phase::Ready && instance.health == Health::Healthy
    };
    let mut instances = node.report.into_iter().flat_map(|report| report.instances.values());
    node.is_connected && node.is_complete && instances.all(is_well)
}

impl NodeProgress<'_> {
    /// Returns the newest revision whose share the node has applied. A revision that
    /// changes nothing on the node makes no new assignment, so the report may name an
    /// earlier revision than the one returned.
    #[must_use]
    pub fn applied_revision(&self) -> RevisionNumber {
        let reported = self.report.map(|report| report.revision).unwrap_or_default();
        let (Some(target), Some(assigned)) = (self.target, self.assigned) else {
            return reported;
        };
        let is_applied = self.report.is_some_and(|r| r.applied == Some(assigned.generation));
        let plan = self.plan.filter(|plan| plan.revision == target);
        let share = plan.and_then(|plan| plan.nodes.get(self.node));
        let is_same = share.is_some_and(|share| *share == assigned.content.share);
        if is_applied && is_same { target } else { reported }
    }

    /// Returns the components that should run on the node and that it has not reported,
    /// each with its version if it has one.
    #[must_use]
    pub fn unreported(&self) -> BTreeMap<ComponentName, Option<Version>> {
        let is_reported = |component: &ComponentName| {
            self.report.is_some_and(|report| report.instances.contains_key(component))
        };
        let Some(share) = self.share() else { return BTreeMap::new() };
        let version = |component| share.instances.get(component)?.instance.version().cloned();
        share
            .components()
            .filter(|component| !is_reported(component))
            .map(|component| (component.clone(), version(component)))
            .collect()
    }

    fn share(&self) -> Option<&Share> {
        self.plan.and_then(|plan| plan.nodes.get(self.node))
    }
}

/// Returns the summary of a rollout that waits for `waits_for`.
#[must_use]
pub fn summary(rollout: &Rollout, waits_for: &WaitsFor) -> RolloutSummary {
    let waves = rollout.waves.len();
    let wave = match rollout.state {
        State::Progressing { wave } => wave.min(waves),
        State::Completed => waves,
        State::Paused { .. }
        | State::RollingBack { .. }
        | State::RolledBack { .. }
        | State::Superseded => 0,
    };
    let (why, waits_for) = (rollout.state.why(), waits_for.to_string());
    let reason = match (why.is_empty(), waits_for.is_empty()) {
        (true, _) => waits_for,
        (false, true) => why,
        (false, false) => format!("{why}; waits for {waits_for}"),
    };
    RolloutSummary { wave, waves, reason }
}

#[cfg(test)]
mod tests;
