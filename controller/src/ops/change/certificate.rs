//! The certificate of a tenant in a change: one that an operator gives or asks for, and one that the
//! tenant's own authority issues because there is none for the names of the document.

use oml_common::decide::tls::{
    IssueReason, SecretRecords, TlsChoice, TlsInput, choose, put_version, uses_version, withhold,
};
use oml_common::document::spec::{TlsMode, TlsSpec};
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::{Problem, Problems};

use super::draft::Draft;
use super::ordered::ordering;
use super::{ChangeRequest, ChangeResult, Changes, Planned, RequestContext};
use crate::ops::Result;
use crate::ops::error::{collect, complete};
use crate::ops::secrets::{NewCertificate, records};
use crate::records::{Batch, if_unchanged, keys};
use crate::store::Expect;

impl Changes {
    /// Keeps a certificate that is given before anything was applied to its tenant, and returns the
    /// result; none if the request is another one or the tenant has a revision.
    pub(super) async fn keep_certificate(
        &self,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<ChangeResult>> {
        let ChangeRequest::SetCertificate { tenant, pem } = request else { return Ok(None) };
        if self.records.get(&keys::head(tenant)).await?.is_some() {
            return Ok(None);
        }
        let mut wrong = Problems::default();
        let known = self.secrets.check_tenant(tenant).await;
        let made = self.secrets.given_certificate(&context.who, tenant, None, pem).await;
        collect(known, &mut wrong)?;
        let made = complete(collect(made, &mut wrong)?, wrong)?;
        let (revision, version) = (RevisionNumber::default(), made.part.version);
        context.check_revision(tenant, revision)?;
        if !context.dry_run {
            let audit = self.secrets.audit(&context.who, tenant, made.what().to_owned());
            let mut batch = made.put(Batch::default(), tenant).audit(&audit);
            if let Some(op_id) = &context.op_id {
                let done = self.without_revision(request, revision, version)?;
                batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &done);
            }
            self.records.commit(batch).await?;
            tracing::info!(%tenant, version, who = %context.who, "a certificate was given");
        }
        let nothing = ChangeResult::nothing(tenant.clone(), revision);
        Ok(Some(ChangeResult { certificate: Some(made.part), ..nothing }))
    }

    /// Puts the certificate of the tenant into the secrets of a draft: the one that the change makes, or
    /// the one that fits its document. What is missing or wrong is a problem of the draft.
    pub(super) async fn certify(
        &self,
        draft: &mut Draft,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<()> {
        let mut kept = records(&self.secrets.of_tenant(&draft.tenant).await?);
        let chosen = draft.secrets.get(&TlsSecret::Certificate.name());
        let mut named = chosen.map(|chosen| chosen.version);
        let mut wrong = Problems::default();
        let asked = collect(self.asked_for(draft, request, context).await, &mut wrong)?;
        if !wrong.0.is_empty() || draft.spec.is_unread("tls") {
            draft.problems.extend(wrong.0);
            put_version(&mut draft.secrets, &kept, None);
            if draft.spec.tls.is_some() {
                draft.stand_in_for_certificate();
            }
            return Ok(());
        }
        if let Some(made) = asked.flatten() {
            named = Some(take(draft, &mut kept, made));
        }
        let now = self.env.now();
        let number = match choose(TlsInput { spec: &draft.spec, records: &kept, named, now }) {
            Ok(TlsChoice::Absent) => None,
            Ok(TlsChoice::Version(number)) => Some(number),
            // There is one change of a certificate at a time, and this one was asked for.
            Ok(TlsChoice::Issue(_)) if draft.certificate.is_some() => None,
            // The change is refused for its mistakes.
            Ok(TlsChoice::Issue(_)) if !draft.problems.is_empty() => {
                draft.stand_in_for_certificate();
                return Ok(());
            }
            Ok(TlsChoice::Issue(reason)) => {
                let Some(tls) = &draft.spec.tls else { return Ok(()) };
                let (who, tenant) = (&context.who, &draft.tenant);
                let made = self.secrets.issue_certificate(who, tenant, tls, reason).await?;
                Some(take(draft, &mut kept, made))
            }
            Err(problem) => {
                draft.problems.push(problem);
                return Ok(());
            }
        };
        put_version(&mut draft.secrets, &kept, number);
        withhold(&mut draft.secrets, draft.spec.tls.as_ref());
        self.open_account(draft, request, context).await
    }

    /// Makes the certificate that a request is about; none if it is about something else.
    async fn asked_for(
        &self,
        draft: &Draft,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<NewCertificate>> {
        let (secrets, who, tenant) = (&self.secrets, &context.who, &draft.tenant);
        match request {
            ChangeRequest::SetCertificate { pem, .. } => {
                let tls = draft.spec.tls.as_ref();
                secrets.given_certificate(who, tenant, tls, pem).await.map(Some)
            }
            ChangeRequest::RenewCertificate { new_authority, .. } => {
                let tls = renewable(tenant, draft.spec.tls.as_ref())?;
                let reason = match new_authority {
                    true => IssueReason::NewAuthority,
                    false => IssueReason::Renewed,
                };
                secrets.issue_certificate(who, tenant, tls, reason).await.map(Some)
            }
            ChangeRequest::TakeOrdered { pem: Some(ordered), .. } => {
                let tls = ordering(tenant, draft.spec.tls.as_ref())?;
                secrets.ordered_certificate(who, tenant, tls, ordered).await.map(Some)
            }
            ChangeRequest::TakeOrdered { pem: None, .. }
            | ChangeRequest::Apply { .. }
            | ChangeRequest::SetVersion { .. }
            | ChangeRequest::SetRelease { .. }
            | ChangeRequest::Rollback { .. }
            | ChangeRequest::RotateSecret { .. } => Ok(None),
        }
    }

    /// Keeps a certificate that was asked for and that no component uses, so that nothing is rolled out,
    /// and returns the result; none if the change is about something else or something uses it.
    pub(super) async fn keep_unused(
        &self,
        planned: &Planned,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<ChangeResult>> {
        let draft = &planned.draft;
        let is_asked = matches!(
            request,
            ChangeRequest::SetCertificate { .. }
                | ChangeRequest::RenewCertificate { .. }
                | ChangeRequest::TakeOrdered { .. }
        );
        let (Some(made), Some(head)) = (&draft.certificate, &draft.head) else { return Ok(None) };
        if !is_asked || uses_version(&planned.plan, made.part.version) {
            return Ok(None);
        }
        let (tenant, revision) = (&draft.tenant, head.value.current);
        context.check_revision(tenant, revision)?;
        if !context.dry_run {
            let mut batch = self.of_certificate(draft, context);
            if let Some(op_id) = &context.op_id {
                let done = self.without_revision(request, revision, made.part.version)?;
                batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &done);
            }
            self.records.commit(batch).await?;
        }
        let nothing = ChangeResult::nothing(tenant.clone(), revision);
        let (certificate, notes) = (Some(made.part.clone()), draft.notes.clone());
        Ok(Some(ChangeResult { certificate, notes, ..nothing }))
    }

    /// Records the certificate that the change makes, if it makes one, without a revision.
    pub(super) async fn commit_certificate(
        &self,
        draft: &Draft,
        context: &RequestContext,
    ) -> Result<()> {
        if draft.certificate.is_none() {
            return Ok(());
        }
        Ok(self.records.commit(self.of_certificate(draft, context)).await?)
    }

    /// Returns the writes of the certificate that the change makes, which follow no revision.
    fn of_certificate(&self, draft: &Draft, context: &RequestContext) -> Batch {
        let batch = self.with_certificate(Batch::default(), draft, context, None);
        let Some(head) = &draft.head else { return batch };
        // A change at the same time, which may name a version that goes now, is planned again.
        batch.put(&keys::head(&draft.tenant), if_unchanged(Some(head)), &head.value)
    }

    /// Adds the records of the certificate that the change makes, and its line in the audit trail.
    pub(super) fn with_certificate(
        &self,
        batch: Batch,
        draft: &Draft,
        context: &RequestContext,
        revision: Option<RevisionNumber>,
    ) -> Batch {
        let Some(made) = &draft.certificate else { return batch };
        let follows = revision.map(|revision| format!(", which is revision {revision}"));
        let follows = follows.unwrap_or_default();
        let what = format!("{}{follows}", made.what());
        let audit = self.secrets.audit(&context.who, &draft.tenant, what);
        made.put(batch, &draft.tenant).audit(&audit)
    }
}

/// Makes a new certificate that of the draft, and returns its number.
fn take(draft: &mut Draft, kept: &mut SecretRecords, made: NewCertificate) -> u64 {
    made.replace_in(kept);
    let number = made.part.version;
    if made.has_new_authority {
        draft.notes.push(format!(
            "the certificate is of a new authority, which browsers have to be given: omlctl tls show tenant={} --ca",
            draft.tenant
        ));
    }
    draft.certificate = Some(made);
    number
}

/// Returns what the document wants, if the tenant's own authority makes its certificate.
fn renewable<'a>(tenant: &TenantId, tls: Option<&'a TlsSpec>) -> Result<&'a TlsSpec> {
    match tls {
        Some(tls) if tls.mode == TlsMode::SelfSigned => Ok(tls),
        Some(_) => {
            let message = format!("the certificate of {tenant} is one that an operator gives");
            let hint = format!("omlctl tls set tenant={tenant} --certificate FILE --key FILE");
            Err(Problem::new("tenant", message).hint(hint).into())
        }
        None => {
            let message = format!("{tenant} has no certificate: its document has no tls");
            let hint = "add tls: {mode: selfsigned, names: [pbx.example.com]} and apply it";
            Err(Problem::new("tenant", message).hint(hint).into())
        }
    }
}
