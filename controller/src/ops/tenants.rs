//! Reads the recorded tenants, revisions and plans.

use std::sync::Arc;

use oml_common::decide::verdict::InstancePlace;
use oml_common::document::plan::Plan;
use oml_common::id::{NodeName, RevisionNumber, TenantId};
use oml_common::text::problem::{Problem, Problems};

use super::{OpsError, Result, UnreadablePlan};
use crate::records::values::Revision;
use crate::records::{Entry, Records, keys};
use crate::store::StoreError;

/// Reads tenants, revisions and plans. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Tenants {
    records: Records,
}

impl Tenants {
    /// Makes a reader of these records.
    #[must_use]
    pub fn new(records: Records) -> Self {
        Self { records }
    }

    pub(super) async fn revision(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Revision>>> {
        let found = self.records.get_cached(&keys::revision(tenant, number)).await?;
        Ok(found.map(|entry| entry.value))
    }

    /// Returns the plan of a revision.
    ///
    /// # Errors
    /// Returns [`OpsError::UnreadablePlan`] if this release cannot read all of it. A plan is
    /// never used in part: what is left out would count as removed.
    pub async fn plan_of(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Plan>>> {
        let unreadable_record = |error: StoreError| match error {
            StoreError::NeedsNewer { reason: why, .. } => {
                let (tenant, revision) = (tenant.clone(), number);
                OpsError::from(UnreadablePlan { tenant, revision, instance: None, why })
            }
            StoreError::Conflict { .. }
            | StoreError::Refused(_)
            | StoreError::Full { .. }
            | StoreError::Damaged { .. }
            | StoreError::Stopped { .. } => OpsError::from(error),
        };
        let revision = self.records.get_cached(&keys::revision(tenant, number)).await;
        let Some(revision) = revision.map_err(unreadable_record)? else { return Ok(None) };
        let key = keys::plan(tenant, number, &revision.value.plan);
        let plan = self.records.get_cached(&key).await.map_err(unreadable_record)?;
        let Some(Entry { value: plan, .. }) = plan else { return Ok(None) };
        match unreadable(&plan) {
            Some(unreadable) => Err(unreadable.into()),
            None => Ok(Some(plan)),
        }
    }

    /// Returns the plan of a revision, or `None` if this release cannot read it.
    pub async fn readable_plan(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Plan>>> {
        match self.plan_of(tenant, number).await {
            Err(OpsError::UnreadablePlan(_)) => Ok(None),
            read => read,
        }
    }

    /// Returns every tenant that has revisions or nodes.
    pub async fn all(&self) -> Result<Vec<TenantId>> {
        let heads = self.records.list_lossy(&keys::heads()).await?;
        let nodes = self.records.list_lossy(&keys::all_nodes()).await?.entries;
        let of_heads = heads.entries.iter().map(|(rest, _)| rest).chain(&heads.damaged);
        let of_heads = of_heads.filter_map(|rest| rest.parse().ok());
        let present = nodes.iter().filter(|(_, node)| node.value.is_enrolled());
        let of_nodes = present.filter_map(|(rest, _)| Some(keys::tenant_and_node(rest)?.0));
        let mut tenants: Vec<TenantId> = of_heads.chain(of_nodes).collect();
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }

    pub(super) async fn unknown_tenant(&self, tenant: &TenantId) -> OpsError {
        let known = match self.all().await {
            Ok(known) => known,
            Err(error) => return error,
        };
        let message = format!("there is no tenant {tenant}");
        let known = known.iter().map(AsRef::as_ref);
        Problem::new("tenant", message).suggest(tenant.as_str(), known).into()
    }

    /// Returns the error for a tenant that has no revisions or does not exist.
    pub(super) async fn without_revisions(&self, tenant: &TenantId) -> OpsError {
        match self.all().await {
            Ok(known) if known.contains(tenant) => {
                let message = format!("nothing was applied to {tenant} yet");
                Problem::new("tenant", message).hint("omlctl apply -f FILE").into()
            }
            Ok(_) => self.unknown_tenant(tenant).await,
            Err(error) => error,
        }
    }

    pub(super) async fn unknown_node(&self, tenant: &TenantId, node: &NodeName) -> OpsError {
        let nodes = match self.records.list(&keys::nodes(tenant)).await {
            Ok(nodes) => nodes,
            Err(error) => return error.into(),
        };
        if nodes.is_empty() {
            return self.unknown_tenant(tenant).await;
        }
        let present = nodes.iter().filter(|(_, node)| node.value.is_enrolled());
        let known = present.map(|(name, _)| name.as_str());
        let message = format!("tenant {tenant} has no node {node}");
        Problem::new("node", message).suggest(node.as_str(), known).into()
    }
}

/// Returns the error for a plan of which only a later release can read everything.
fn unreadable(plan: &Plan) -> Option<UnreadablePlan> {
    plan.nodes.iter().find_map(|(node, share)| {
        let (component, unreadable) = share.unreadable.first_key_value()?;
        Some(UnreadablePlan {
            tenant: plan.tenant.clone(),
            revision: plan.revision,
            instance: Some(InstancePlace { node: node.clone(), component: component.clone() }),
            why: unreadable.why.clone(),
        })
    })
}

impl From<Problem> for OpsError {
    fn from(problem: Problem) -> Self {
        OpsError::Problems(Problems::from(problem))
    }
}
