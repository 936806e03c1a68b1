//! A new version of a secret, as a change of the components that use it.

use oml_common::decide::secrets::{ChosenSecret, users};
use oml_common::id::{ContentHash, RevisionNumber, TenantId};

use super::draft::Draft;
use super::{ChangeRequest, ChangeResult, Changes, Planned, RequestContext};
use crate::ops::Result;
use crate::ops::secrets::{NewValue, NewVersion, TlsPart};
use crate::records::values::{AuditRecord, Head, IdempotencyRecord};
use crate::records::{Batch, Entry, if_unchanged, keys};
use crate::store::Expect;

/// A new version of a secret that no component uses.
#[derive(Clone, Copy)]
pub(super) struct Unused<'a> {
    pub(super) tenant: &'a TenantId,
    /// The head, which the new version leaves as it is; none before the first change.
    pub(super) head: Option<&'a Entry<Head>>,
    pub(super) made: &'a NewVersion,
}

impl NewVersion {
    /// Returns the new version as a plan names it.
    pub(super) fn chosen(&self) -> Option<ChosenSecret> {
        let (version, sealed) = self.record.newest()?;
        let (mark, has_lines) = (sealed.mark.clone(), sealed.has_lines);
        Some(ChosenSecret { version, mark, has_lines })
    }
}

impl Changes {
    /// Seals the new version that a request asks for.
    pub(super) async fn rotation(
        &self,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<NewVersion>> {
        let ChangeRequest::RotateSecret { tenant, name, value } = request else { return Ok(None) };
        self.secrets.next_version(&context.who, tenant, name, value).await.map(Some)
    }

    /// Returns the hash by which a repeated request is recognised. The value of a secret is a part
    /// of it as a keyed hash, because it is recorded.
    pub(super) fn fingerprint(&self, request: &ChangeRequest) -> Result<ContentHash> {
        match request {
            ChangeRequest::RotateSecret { value: NewValue::Given(value), .. } => {
                Ok(request.fingerprint(&self.secrets.key()?.request_hash(value)))
            }
            ChangeRequest::RotateSecret { value: NewValue::Generated(length), .. } => {
                Ok(request.fingerprint(&length.to_string()))
            }
            ChangeRequest::SetCertificate { pem, .. } => {
                let key = self.secrets.key()?;
                let hashes = [&pem.certificate, &pem.key].map(|it| key.request_hash(it));
                Ok(request.fingerprint(&hashes.join(" ")))
            }
            ChangeRequest::Apply { .. }
            | ChangeRequest::SetVersion { .. }
            | ChangeRequest::SetRelease { .. }
            | ChangeRequest::Rollback { .. }
            // It is made without an operation id.
            | ChangeRequest::TakeOrdered { .. }
            | ChangeRequest::RenewCertificate { .. } => Ok(request.fingerprint("")),
        }
    }

    /// Records the new version of a secret that nothing uses, so that nothing is rolled out: what a
    /// paused rollout did not finish is no matter of such a secret.
    pub(super) async fn commit_unused(
        &self,
        unused: Unused<'_>,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<ChangeResult> {
        let Unused { tenant, head, made } = unused;
        let version = made.record.last;
        let revision = head.map(|head| head.value.current).unwrap_or_default();
        context.check_revision(tenant, revision)?;
        if !context.dry_run {
            let line = self.rotated(tenant, made, context, None);
            let mut batch = made.put(Batch::default(), tenant).audit(&line);
            if let Some(head) = head {
                // A change at the same time, which may name a version that goes now, is planned
                // again.
                batch = batch.put(&keys::head(tenant), if_unchanged(Some(head)), &head.value);
            }
            if let Some(op_id) = &context.op_id {
                let done = self.without_revision(request, revision, version)?;
                batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &done);
            }
            self.records.commit(batch).await?;
        }
        let secret_version = Some(version);
        Ok(ChangeResult { secret_version, ..ChangeResult::nothing(tenant.clone(), revision) })
    }

    /// Returns the record of a request that made a version of a secret, or of the certificate, and no
    /// revision. When it is repeated with its operation id, nothing is made again.
    pub(super) fn without_revision(
        &self,
        request: &ChangeRequest,
        revision: RevisionNumber,
        version: u64,
    ) -> Result<IdempotencyRecord> {
        let done = IdempotencyRecord::new(revision, self.fingerprint(request)?);
        Ok(IdempotencyRecord { text_only: true, secret_version: version, ..done })
    }

    /// Returns the line of the audit trail about a new version, which a revision follows if
    /// something uses the secret.
    pub(super) fn rotated(
        &self,
        tenant: &TenantId,
        made: &NewVersion,
        context: &RequestContext,
        revision: Option<RevisionNumber>,
    ) -> AuditRecord {
        let (name, version) = (&made.name, made.record.last);
        let follows = revision.map(|revision| format!(", which is revision {revision}"));
        let follows = follows.unwrap_or_default();
        let what = format!("rotated secret {name} to version {version}{follows}");
        self.secrets.audit(&context.who, tenant, what)
    }
}

impl Planned {
    /// Returns the new version that a rotation makes if nothing uses the secret. What else is new
    /// then, such as a catalog, or is to be sent again after a restore, is left to the next change.
    pub(super) fn unused(&self) -> Option<Unused<'_>> {
        let Draft { tenant, head, rotation, .. } = &self.draft;
        let made = rotation.as_ref()?;
        let is_unused = users(&self.plan, &made.name).is_empty();
        is_unused.then_some(Unused { tenant, head: head.as_ref(), made })
    }

    /// Returns the number of the version that a rotation makes.
    pub(super) fn secret_version(&self) -> Option<u64> {
        self.draft.rotation.as_ref().map(|made| made.record.last)
    }

    /// Returns the number of the version of a secret, or of the certificate, that the change makes; 0 if
    /// it makes none.
    pub(super) fn made_version(&self) -> u64 {
        let of_certificate = || self.draft.certificate.as_ref().map(|made| made.part.version);
        self.secret_version().or_else(of_certificate).unwrap_or_default()
    }

    /// Returns the certificate that the change makes.
    pub(super) fn certificate(&self) -> Option<TlsPart> {
        self.draft.certificate.as_ref().map(|made| made.part.clone())
    }
}
