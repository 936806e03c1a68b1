//! Reads everything that a decision about a tenant's rollout needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::rollout::{self, Next, NodeView};
use oml_common::document::plan::Plan;
use oml_common::document::rollout::Rollout;
use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;

use super::Result;
use super::presence::NodePresence;
use super::reader::StatusReader;
use crate::records::values::{Assigned, Head, NodeRecord, Target};
use crate::records::{Entry, keys};

/// A tenant with a rollout at one moment.
#[derive(Debug)]
pub struct TenantSnapshot {
    /// The wall time at which it was read.
    pub at: Timestamp,
    /// The current, last and good revisions.
    pub head: Entry<Head>,
    pub rollout: Entry<Rollout>,
    /// The plan of the wanted revision.
    pub to: Arc<Plan>,
    /// The plan of the revision before.
    pub from: Option<Arc<Plan>>,
    pub targets: BTreeMap<NodeName, Entry<Target>>,
    pub nodes: BTreeMap<NodeName, NodeSnapshot>,
}

/// A node at one moment.
#[derive(Debug)]
pub struct NodeSnapshot {
    pub node: NodeRecord,
    /// Whether it is connected, and its last report.
    pub presence: NodePresence,
    pub assigned: Option<Arc<Assigned>>,
}

impl StatusReader {
    /// Reads a tenant's snapshot; `None` if there is no revision yet.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Option<TenantSnapshot>> {
        let records = &self.records;
        let head = records.get(&keys::head(tenant)).await?;
        let rollout = records.get(&keys::rollout(tenant)).await?;
        let (Some(head), Some(rollout)) = (head, rollout) else { return Ok(None) };
        let Some(to) = self.tenants.plan_of(tenant, rollout.value.to).await? else {
            return Ok(None);
        };
        let from = match rollout.value.from {
            Some(from) => self.tenants.plan_of(tenant, from).await?,
            None => None,
        };
        let targets = self.targets(tenant).await?;
        let nodes = self.nodes(tenant).await?;
        let at = self.env.now();
        Ok(Some(TenantSnapshot { at, head, rollout, to, from, targets, nodes }))
    }

    /// Reads the pointers of a tenant's nodes.
    pub(super) async fn targets(
        &self,
        tenant: &TenantId,
    ) -> Result<BTreeMap<NodeName, Entry<Target>>> {
        let all = keys::targets(tenant);
        let targets = self.records.list(&all).await?.into_iter();
        Ok(targets.filter_map(|(rest, target)| Some((all.name(&rest)?, target))).collect())
    }

    /// Reads a tenant's nodes, without the removed ones.
    pub async fn nodes(&self, tenant: &TenantId) -> Result<BTreeMap<NodeName, NodeSnapshot>> {
        let records = &self.records;
        let assignments = records.list_cached(&keys::assignments(tenant)).await?;
        let mut assignments: BTreeMap<String, Arc<Assigned>> =
            assignments.into_iter().map(|(name, entry)| (name, entry.value)).collect();
        let mut presences = self.presence.of_tenant(tenant);
        let all = keys::nodes(tenant);
        let nodes = records.list(&all).await?;
        let present = nodes.into_iter().filter(|(_, node)| node.value.is_enrolled());
        let node_snapshots = present.filter_map(|(rest, node)| {
            let name: NodeName = all.name(&rest)?;
            let presence = presences.remove(&name).unwrap_or_default();
            let assigned = assignments.remove(&rest);
            Some((name, NodeSnapshot { node: node.value, presence, assigned }))
        });
        Ok(node_snapshots.collect())
    }
}

impl TenantSnapshot {
    /// Returns the next step of the rollout without writing anything.
    #[must_use]
    pub fn step(&self) -> Next {
        let targets =
            self.targets.iter().map(|(node, t)| (node.clone(), t.value.revision)).collect();
        let nodes = self.nodes.iter().map(|(name, snapshot)| (name.clone(), snapshot.view()));
        rollout::step(rollout::Input {
            rollout: &self.rollout.value,
            targets: &targets,
            to: &self.to,
            from: self.from.as_deref(),
            nodes: &nodes.collect(),
            now: self.at,
        })
    }
}

impl NodeSnapshot {
    fn view(&self) -> NodeView<'_> {
        NodeView {
            // A report of an earlier session says nothing about the node now.
            connected: self.presence.connected && self.presence.has_reported,
            assigned: self
                .assigned
                .as_ref()
                .map(|assigned| (assigned.assignment.generation, &assigned.hash)),
            report: self.presence.report.as_deref(),
        }
    }
}
