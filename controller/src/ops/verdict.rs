//! Reads the progress of a change and the verdict on it.

use oml_common::decide::verdict::{ChangeRef, Verdict, converged_revision, verdict};
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::reader::StatusReader;
use super::status::TenantStatus;
use super::{OpsError, Result};

/// The progress of a change.
#[derive(Debug)]
pub struct ChangeProgress {
    pub status: TenantStatus,
    /// The revision that the change made.
    pub revision: RevisionNumber,
    /// The verdict, which follows from the status.
    pub verdict: Verdict,
}

impl StatusReader {
    /// Reads the progress of the change that made a revision.
    pub async fn change_progress(
        &self,
        tenant: &TenantId,
        revision: RevisionNumber,
    ) -> Result<ChangeProgress> {
        let record = self.tenants.revision(tenant, revision).await?;
        let Some(record) = record else {
            return Err(self.without_revision(tenant, revision).await);
        };
        let status = self.tenant_status(tenant).await?;
        let rollout = status.rollout.as_ref().map(|status| &status.rollout);
        // Plans are large, so they are read only when two have to be compared.
        let later = rollout.and_then(converged_revision).filter(|by| *by > revision);
        let (made, now) = match later {
            Some(by) => {
                let plan = |number| self.tenants.readable_plan(tenant, number);
                (plan(revision).await?, plan(by).await?)
            }
            None => (None, None),
        };
        let change =
            ChangeRef { revision, at: record.at, changes: &record.changes, plan: made.as_deref() };
        let verdict = verdict(change, rollout, now.as_deref());
        Ok(ChangeProgress { status, revision, verdict })
    }

    async fn without_revision(&self, tenant: &TenantId, revision: RevisionNumber) -> OpsError {
        match self.tenants.all().await {
            Ok(known) if known.contains(tenant) => {
                let message = format!("tenant {tenant} has no revision {revision}");
                let hint = format!("omlctl get revisions tenant={tenant} lists them");
                Problem::new("revision", message).hint(hint).into()
            }
            Ok(_) => self.tenants.unknown_tenant(tenant).await,
            Err(error) => error,
        }
    }
}
