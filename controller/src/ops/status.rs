//! How tenants and their nodes stand, for people and for Prometheus. Reads only.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::id::{ComponentName, NodeName, RevisionNumber, TenantId, Version};
use oml_common::plan::Plan;
use oml_common::rollout::Rollout;

use super::snapshot::NodeSnapshot;
use super::{Ops, OpsError, Result};
use crate::clock;
use crate::records::keys;
use crate::store::{Changes, StoreError};

/// How one tenant stands.
#[derive(Debug)]
pub struct TenantStatus {
    /// The tenant.
    pub tenant: TenantId,
    /// The revision wanted; 0 before the first.
    pub revision: RevisionNumber,
    /// Its rollout, and what that waits for.
    pub rollout: Option<(Rollout, String)>,
    /// Its nodes.
    pub nodes: BTreeMap<NodeName, NodeStatus>,
}

/// How one node stands.
#[derive(Debug)]
pub struct NodeStatus {
    /// What is recorded and known of it.
    pub snapshot: NodeSnapshot,
    /// Its pointer.
    pub target: Option<RevisionNumber>,
    /// Components that should run and have not been reported.
    pub expected: BTreeMap<ComponentName, Option<Version>>,
    /// What should run on it.
    pub plan: Option<Arc<Plan>>,
}

impl NodeStatus {
    /// The newest revision whose share the node has applied. One that asks
    /// nothing new of it makes no new assignment, so the report may name an older.
    #[must_use]
    pub fn revision(&self, name: &NodeName) -> RevisionNumber {
        let report = self.snapshot.presence.report.as_deref();
        let reported = report.map(|report| report.revision).unwrap_or_default();
        let (Some(target), Some(assigned)) = (self.target, &self.snapshot.assigned) else {
            return reported;
        };
        let assigned = &assigned.assignment;
        let is_applied = report.is_some_and(|r| r.applied == Some(assigned.generation));
        let plan = self.plan.as_ref().filter(|plan| plan.revision == target);
        let share = plan.and_then(|plan| plan.nodes.get(name));
        let is_same = share.is_some_and(|share| share.instances == assigned.content.instances);
        if is_applied && is_same { target } else { reported }
    }
}

/// Wakes when a status may differ.
#[derive(Debug)]
pub struct StatusChanges {
    presence: tokio::sync::watch::Receiver<u64>,
    stored: Vec<Changes>,
}

impl StatusChanges {
    /// Returns after the next change; several in between are one.
    pub async fn next(&mut self) {
        let stored = self.stored.iter_mut().map(|changes| Box::pin(changes.next()));
        let stored = futures_util::future::select_all(stored);
        // Both only observe: what is not returned now is returned at the next call.
        tokio::select! {
            _ended = self.presence.changed() => {}
            _one = stored => {}
        }
    }
}

impl Ops {
    /// How one tenant stands, or all of them.
    pub async fn status(&self, tenant: Option<&TenantId>) -> Result<Vec<TenantStatus>> {
        let tenants = self.tenants().await?;
        let wanted: Vec<&TenantId> = match tenant {
            None => tenants.iter().collect(),
            Some(tenant) if tenants.contains(tenant) => vec![tenant],
            Some(tenant) => return Err(self.unknown_tenant(tenant).await),
        };
        let mut statuses = Vec::with_capacity(wanted.len());
        for name in wanted {
            match self.tenant_status(name).await {
                Ok(status) => statuses.push(status),
                // Asked for all, the others are told all the same.
                Err(OpsError::Store(error @ StoreError::Damaged { .. })) if tenant.is_none() => {
                    tracing::error!(tenant = %name, %error, "the status of a tenant cannot be told");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(statuses)
    }

    /// Wakes when the status of a tenant, or of any, may differ.
    #[must_use]
    pub fn status_changes(&self, tenant: Option<&TenantId>) -> StatusChanges {
        let records = &self.parts.records;
        let presence = self.parts.presence.changed(tenant);
        let stored = match tenant {
            Some(tenant) => vec![
                records.changed_at(&keys::rollout(tenant)),
                records.changed(&keys::targets(tenant)),
                records.changed(&keys::assignments(tenant)),
                records.changed(&keys::nodes(tenant)),
            ],
            None => vec![
                records.changed(&keys::rollouts()),
                records.changed(&keys::all_targets()),
                records.changed(&keys::all_assignments()),
                records.changed(&keys::all_nodes()),
            ],
        };
        StatusChanges { presence, stored }
    }

    async fn tenant_status(&self, tenant: &TenantId) -> Result<TenantStatus> {
        let tenant_id = tenant.clone();
        let Some(snapshot) = self.tenant_snapshot(tenant).await? else {
            let node_snapshots = self.node_snapshots(tenant).await?.into_iter();
            let nodes =
                node_snapshots.map(|(name, s)| (name.clone(), node_status(&name, s, None, None)));
            let (revision, rollout) = (RevisionNumber::default(), None);
            return Ok(TenantStatus {
                tenant: tenant_id,
                revision,
                rollout,
                nodes: nodes.collect(),
            });
        };
        let next = snapshot.step(clock::now());
        let revision = snapshot.head.value.present(Some(&snapshot.rollout.value));
        let plan = if revision == snapshot.rollout.value.to {
            Some(Arc::clone(&snapshot.to))
        } else {
            self.plan_of(tenant, revision).await?
        };
        let targets = &snapshot.targets;
        let nodes = snapshot.nodes.into_iter().map(|(name, snapshot)| {
            let target = targets.get(&name).map(|target| target.value);
            (name.clone(), node_status(&name, snapshot, target, plan.as_ref()))
        });
        Ok(TenantStatus {
            tenant: tenant_id,
            revision,
            nodes: nodes.collect(),
            rollout: Some((snapshot.rollout.value, next.waits_for)),
        })
    }
}

fn node_status(
    name: &NodeName,
    snapshot: NodeSnapshot,
    target: Option<RevisionNumber>,
    plan: Option<&Arc<Plan>>,
) -> NodeStatus {
    let share = plan.and_then(|plan| plan.nodes.get(name));
    let wanted = share.into_iter().flat_map(|share| &share.instances);
    let report = snapshot.presence.report.as_deref();
    let is_reported =
        |component: &ComponentName| report.is_some_and(|r| r.instances.contains_key(component));
    let expected = wanted
        .filter(|(component, _)| !is_reported(component))
        .map(|(component, desired)| (component.clone(), desired.instance.version().cloned()))
        .collect();
    NodeStatus { snapshot, target, expected, plan: plan.cloned() }
}
