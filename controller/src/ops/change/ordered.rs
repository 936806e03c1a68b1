//! The certificate that a tenant orders from an ACME directory, in a change: the account by which challenges are
//! answered, an operator who asks for another certificate, and one that has come.

use oml_common::decide::acme::after_asking;
use oml_common::decide::diff::diff;
use oml_common::decide::head::{base, next_revision};
use oml_common::decide::release::VersionDecision;
use oml_common::decide::tls::with_certificate;
use oml_common::document::Verbatim;
use oml_common::document::spec::{TenantSpec, TlsMode, TlsSpec};
use oml_common::id::{ContentHash, TenantId};
use oml_common::text::problem::{Problem, Problems};

use super::draft::Draft;
use super::prepare::check_size;
use super::{ChangeRequest, ChangeResult, Changes, Planned, RequestContext, node_facts};
use crate::ops::{OpsError, Result};
use crate::records::{Batch, if_unchanged, keys};
use crate::store::Expect;

impl Changes {
    /// Finds the account by which a tenant that orders its certificate answers challenges, or makes one. A
    /// certificate that has come changes nothing of the files by which challenges are answered, so it keeps the
    /// account as it is.
    pub(super) async fn open_account(
        &self,
        draft: &mut Draft,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<()> {
        if !orders(&draft.spec) {
            return Ok(());
        }
        let known = match matches!(request, ChangeRequest::TakeOrdered { .. }) {
            true => self.secrets.account(&draft.tenant).await?,
            false => self.secrets.usable_account(&draft.tenant).await?,
        };
        if let Some(known) = known {
            draft.thumbprint = Some(known.value.thumbprint);
            return Ok(());
        }
        let made = self.secrets.new_account(&context.who, &draft.tenant).await?;
        draft.thumbprint = Some(made.thumbprint().clone());
        draft.account = Some(made);
        Ok(())
    }

    /// Notes that an operator asks for another certificate, if the tenant orders it, and returns the result;
    /// none if the request is another one or the tenant orders none. The certificate comes later, as a change of
    /// its own.
    pub(super) async fn ask_for_certificate(
        &self,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<ChangeResult>> {
        let ChangeRequest::RenewCertificate { tenant, new_authority } = request else {
            return Ok(None);
        };
        let spec = self.secrets.present_spec(tenant).await?.filter(orders);
        let Some(acme) = spec.and_then(|spec| spec.tls?.acme) else { return Ok(None) };
        if *new_authority {
            let message = format!("the certificate of {tenant} is ordered from {}", acme.directory);
            let problem = Problem::new("new_authority", message);
            return Err(problem.hint("leave it out: the authority is not the tenant's own").into());
        }
        let head = self.records.get(&keys::head(tenant)).await?;
        let revision = head.map(|head| head.value.current).unwrap_or_default();
        context.check_revision(tenant, revision)?;
        let Some(account) = self.secrets.account(tenant).await? else {
            let message = format!("the account of {tenant} at {} is not kept", acme.directory);
            let problem = Problem::new("tenant", message);
            return Err(problem.hint("apply its document again: omlctl apply -f FILE").into());
        };
        if !context.dry_run {
            let what = format!("asked for another certificate from {}", acme.directory);
            let audit = self.secrets.audit(&context.who, tenant, what);
            let (key, expect) = (keys::acme(tenant), if_unchanged(Some(&account)));
            let mut batch = Batch::default().put(&key, expect, &after_asking(account.value));
            if let Some(op_id) = &context.op_id {
                let done = self.without_revision(request, revision, 0)?;
                batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &done);
            }
            self.records.commit(batch.audit(&audit)).await?;
        }
        let nothing = ChangeResult::nothing(tenant.clone(), revision);
        Ok(Some(ChangeResult { ordered_from: Some(acme.directory), ..nothing }))
    }

    /// Plans a certificate that has come, in the place of the present one and with nothing else that is new:
    /// nobody looks at this change before it is made.
    pub(super) async fn plan_ordered(&self, draft: Draft) -> Result<Planned> {
        let wrong = Problems(draft.problems.clone());
        wrong.into_result(()).map_err(OpsError::Problems)?;
        let tenant = &draft.tenant;
        let (Some(head), Some((_, before))) = (&draft.head, &draft.before) else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let plan = with_certificate(before, next_revision(Some(head.value)), &draft.secrets);
        let plan = Verbatim::seal(plan);
        check_size(&draft.spec, &plan)?;
        let changes = diff(Some(&**before), &plan);
        let rollout = draft.rollout.as_ref().map(|rollout| &rollout.value);
        let revision = self.tenants.revision(tenant, base(head.value, rollout)).await?;
        let catalog: ContentHash = match revision.and_then(|revision| revision.catalog.clone()) {
            Some(catalog) => catalog,
            None => self.catalogs.of(&draft.spec)?.content.clone(),
        };
        let enrolled = node_facts(&self.records, tenant).await?.into_keys().collect();
        let decision = VersionDecision::default();
        Ok(Planned { draft, plan, catalog, changes, enrolled, decision })
    }
}

/// Whether a tenant orders its certificate.
fn orders(spec: &TenantSpec) -> bool {
    spec.tls.as_ref().is_some_and(|tls| tls.mode == TlsMode::Acme)
}

/// Returns what the document wants, if the tenant still orders its certificate.
pub(super) fn ordering<'a>(tenant: &TenantId, tls: Option<&'a TlsSpec>) -> Result<&'a TlsSpec> {
    tls.filter(|tls| tls.mode == TlsMode::Acme).ok_or_else(|| {
        let message = format!("{tenant} orders no certificate any more");
        Problem::new("tls.mode", message).into()
    })
}
