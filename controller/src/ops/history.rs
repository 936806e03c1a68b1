//! The history of a tenant: its revisions, who made them, and their outcomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::document::rollout::State;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::Result;
use super::reader::StatusReader;
use crate::records::values::Revision;
use crate::records::{LossyList, keys};

/// The number of newest revisions that one reply lists.
const REVISIONS_MAX: usize = 500;

/// A revision with its outcome.
#[derive(Debug, Clone)]
pub struct HistoryEntry {
    pub number: RevisionNumber,
    /// `None` if it cannot be read.
    pub revision: Option<Arc<Revision>>,
    /// The outcome of its rollout; `None` if none is recorded.
    pub outcome: Option<PastOutcome>,
}

/// The outcome of a revision's rollout.
#[derive(Debug, Clone)]
pub enum PastOutcome {
    /// The state that the rollout is in or ended in.
    Known(State),
    /// Only a later release of the controller can read it.
    Unreadable,
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
        let LossyList { entries, damaged } = records.list_lossy(&keys::outcomes(tenant)).await?;
        let known = entries.into_iter();
        let known = known.map(|(rest, outcome)| (rest, PastOutcome::Known(outcome.value.state)));
        let unreadable = damaged.into_iter().map(|rest| (rest, PastOutcome::Unreadable));
        let mut outcomes: BTreeMap<String, PastOutcome> = known.chain(unreadable).collect();
        let all = keys::revisions(tenant);
        let LossyList { entries, damaged } = records.list_lossy_cached(&all).await?;
        let readable = entries.into_iter().map(|(rest, entry)| (rest, Some(entry.value)));
        let revisions: BTreeMap<String, Option<Arc<Revision>>> =
            readable.chain(damaged.into_iter().map(|rest| (rest, None))).collect();
        let skipped = revisions.len().saturating_sub(REVISIONS_MAX);
        let past = revisions.into_iter().skip(skipped).filter_map(|(rest, revision)| {
            let number = RevisionNumber(rest.parse().ok()?);
            let outcome = match outcomes.remove(&rest) {
                _ if number == rollout.value.to => {
                    Some(PastOutcome::Known(rollout.value.state.clone()))
                }
                outcome => outcome,
            };
            Some(HistoryEntry { number, revision, outcome })
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
