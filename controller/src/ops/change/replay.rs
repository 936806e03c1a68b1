//! The reply to a request that is repeated with its operation id.

use oml_common::decide::head::next_revision;
use oml_common::id::TenantId;
use oml_common::text::problem::Problem;

use super::{ChangeRequest, ChangeResult, Changes, RequestContext};
use crate::ops::Result;
use crate::records::{Entry, keys};

impl Changes {
    /// Returns the reply to a change that was already made with this operation id.
    pub(super) async fn replay(
        &self,
        tenant: &TenantId,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<ChangeResult>> {
        let Some(op_id) = &context.op_id else { return Ok(None) };
        let made = self.records.get(&keys::idempotency(tenant, op_id)).await?;
        let Some(Entry { value: made, .. }) = made else { return Ok(None) };
        if made.request != self.fingerprint(request)? {
            let message = format!("operation {op_id} was another change");
            return Err(Problem::new("op_id", message).hint("use a new id").into());
        }
        let revision = self.tenants.revision(tenant, made.revision).await?;
        let changes = match revision {
            Some(revision) if !made.text_only => revision.changes.clone(),
            Some(_) | None => Vec::new(),
        };
        let changed = !made.text_only;
        // One that was ordered changed nothing yet.
        let is_renewal = matches!(request, ChangeRequest::RenewCertificate { .. });
        let mut again = ChangeResult {
            changed,
            text_changed: made.text_only && made.secret_version == 0 && !is_renewal,
            new_tenant: changed && made.revision == next_revision(None),
            changes,
            warnings: made.warnings,
            release: made.release,
            ..ChangeResult::nothing(tenant.clone(), made.revision)
        };
        if matches!(request, ChangeRequest::RotateSecret { .. }) {
            again.secret_version = Some(made.secret_version).filter(|version| *version > 0);
        } else if made.secret_version > 0 {
            again.certificate = self.secrets.certificate(tenant, made.secret_version).await?;
        }
        if is_renewal && made.text_only && made.secret_version == 0 {
            let spec = self.secrets.present_spec(tenant).await?;
            let acme = spec.and_then(|spec| spec.tls?.acme);
            again.ordered_from = acme.map(|acme| acme.directory);
        }
        Ok(Some(again))
    }
}
