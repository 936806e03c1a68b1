//! The history of a tenant: its revisions, who made them, and their outcomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::document::rollout::State;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::Result;
use super::reader::StatusReader;
use crate::records::keys;
use crate::records::values::{Revision, RolloutOutcome};

/// The number of newest revisions that one reply lists.
const REVISIONS_MAX: usize = 500;

/// A revision with its outcome.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    pub revision: Arc<Revision>,
    /// The state that its rollout is in or ended in; `None` if none is recorded.
    pub outcome: Option<State>,
}

impl StatusReader {
    /// Returns a tenant's revisions from oldest to newest. There are none until something
    /// is applied to it.
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

    /// Returns the revision with this number, with the specification as it was written;
    /// the current one for number 0.
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
