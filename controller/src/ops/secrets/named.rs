//! Which versions of a tenant's secrets are named by what may run or be rolled back to.

use std::collections::BTreeSet;
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::decide::secrets::{NamedSecrets, marks as marks_of, of_share};
use oml_common::document::plan::Plan;
use oml_common::id::{RevisionNumber, SecretMark, TenantId};

use super::Secrets;
use crate::ops::{OpsError, Result};
use crate::records::keys;
use crate::records::values::{Assigned, SecretRecord};

/// The number of the newest revisions whose secrets are kept for a rollback.
const REVISIONS_MAX: usize = 32;

impl Secrets {
    /// Returns the plan of the revision that the tenant has, if there is one that can be read.
    pub(in crate::ops) async fn present_plan(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<Arc<Plan>>> {
        let Some(head) = self.records.get(&keys::head(tenant)).await? else { return Ok(None) };
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let base = base(head.value, rollout.as_ref().map(|rollout| &rollout.value));
        self.tenants.readable_plan(tenant, base).await
    }

    /// Returns the plans of which something may run now, or is being changed to or from.
    ///
    /// # Errors
    /// Returns an error if one of them cannot be read.
    pub(super) async fn live_plans(&self, tenant: &TenantId) -> Result<Vec<Arc<Plan>>> {
        let mut numbers = BTreeSet::new();
        if let Some(head) = self.records.get(&keys::head(tenant)).await? {
            numbers.insert(head.value.current);
            numbers.extend(head.value.good);
        }
        if let Some(rollout) = self.records.get(&keys::rollout(tenant)).await? {
            numbers.insert(rollout.value.to);
            numbers.extend(rollout.value.from);
        }
        let targets = self.records.list(&keys::targets(tenant)).await?;
        numbers.extend(targets.into_iter().map(|(_, target)| target.value.revision));
        let mut plans = Vec::new();
        for number in numbers {
            plans.extend(self.tenants.plan_of(tenant, number).await?);
        }
        Ok(plans)
    }

    /// Returns the marks of the versions that are live, and of those that one of the newest
    /// revisions names. What cannot be read, because only a later release reads it, may name any
    /// version of the record.
    pub(super) async fn named(
        &self,
        tenant: &TenantId,
        record: &SecretRecord,
    ) -> Result<NamedSecrets> {
        let all = || record.versions.values().map(|version| version.mark.clone()).collect();
        let live = self.live_marks(tenant).await?.unwrap_or_else(all);
        let history = self.past_marks(tenant).await?.unwrap_or_else(all);
        Ok(NamedSecrets { live, history })
    }

    /// Returns the marks of the versions that a node runs or may be changed to; none if one of the
    /// plans or assignments cannot be read.
    async fn live_marks(&self, tenant: &TenantId) -> Result<Option<BTreeSet<SecretMark>>> {
        let plans = match self.live_plans(tenant).await {
            Ok(plans) => plans,
            Err(OpsError::UnreadablePlan(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let assignments = self.records.list_lossy_cached(&keys::assignments(tenant)).await?;
        if !assignments.damaged.is_empty() {
            return Ok(None);
        }
        let mut marks: BTreeSet<SecretMark> =
            plans.iter().flat_map(|plan| marks_of(plan)).collect();
        for (_, entry) in assignments.entries {
            let assigned: &Assigned = &entry.value;
            let share = &assigned.assignment.content.share;
            marks.extend(of_share(share).map(|(_, secret)| secret.mark.clone()));
        }
        Ok(Some(marks))
    }

    /// Returns the marks of the versions that the newest revisions name; none if one of them cannot
    /// be read, or if there is no revision yet.
    async fn past_marks(&self, tenant: &TenantId) -> Result<Option<BTreeSet<SecretMark>>> {
        // A first change that is made at the same time may name any of them.
        let Some(head) = self.records.get(&keys::head(tenant)).await? else { return Ok(None) };
        let mut marks = BTreeSet::new();
        for number in (1..=head.value.last.0).rev().take(REVISIONS_MAX) {
            match self.tenants.readable_plan(tenant, RevisionNumber(number)).await? {
                Some(plan) => marks.extend(marks_of(&plan)),
                None => return Ok(None),
            }
        }
        Ok(Some(marks))
    }
}
