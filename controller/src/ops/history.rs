//! What was asked of a tenant, by whom, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::decide::rollout::State;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::Result;
use super::status::StatusReader;
use crate::records::keys;
use crate::records::values::{Revision, RolloutOutcome};

/// Revisions that one answer lists; the newest ones.
const REVISIONS_MAX: usize = 500;

/// A revision and what became of it.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    pub revision: Arc<Revision>,
    /// The state its rollout is or ended in; none where none is recorded.
    pub outcome: Option<State>,
}

impl StatusReader {
    /// A tenant's revisions, oldest first; none while nothing was applied to it.
    pub async fn history(&self, tenant: &TenantId) -> Result<Vec<HistoryEntry>> {
        let records = &self.records;
        let rollout = records.get(&keys::rollout(tenant)).await?;
        let Some(rollout) = rollout else {
            let is_known = self.tenants.all().await?.contains(tenant);
            return if is_known {
                Ok(Vec::new())
            } else {
                Err(self.tenants.unknown_tenant(tenant).await)
            };
        };
        let mut outcomes: BTreeMap<String, RolloutOutcome> = BTreeMap::new();
        for (number, outcome) in records.list(&keys::outcomes(tenant)).await? {
            outcomes.insert(number, outcome.value);
        }
        let revisions = records.list_cached(&keys::revisions(tenant)).await?;
        let skipped = revisions.len().saturating_sub(REVISIONS_MAX);
        let past = revisions.into_iter().skip(skipped).map(|(rest, revision)| {
            let is_present = revision.value.number == rollout.value.to;
            let outcome = match outcomes.get(&rest) {
                _ if is_present => Some(rollout.value.state.clone()),
                outcome => outcome.map(|outcome| outcome.state.clone()),
            };
            HistoryEntry { revision: revision.value, outcome }
        });
        Ok(past.collect())
    }

    /// A specification as it was written; the present one for number 0.
    pub async fn specification(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Arc<Revision>> {
        let head = self.records.get(&keys::head(tenant)).await?;
        let Some(head) = head else { return Err(self.tenants.without_revisions(tenant).await) };
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let base = base(head.value, rollout.as_ref().map(|rollout| &rollout.value));
        let wanted = if number.0 == 0 { base } else { number };
        let revision = self.tenants.revision(tenant, wanted).await?;
        revision.ok_or_else(|| {
            let message = format!("tenant {tenant} has no revision {number}");
            Problem::new("revision", message)
                .hint(format!("it has 1 to {}", head.value.last))
                .into()
        })
    }
}
