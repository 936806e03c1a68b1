//! Keeps the new text of a specification whose content is in effect already: other comments,
//! another order or another layout. Also notes that its content is the same with a new catalog.

use oml_common::id::{ContentHash, RevisionNumber};

use super::draft::Draft;
use super::{ChangeRequest, ChangeResult, Changes, Planned, RequestContext};
use crate::ops::Result;
use crate::records::values::{AuditRecord, IdempotencyRecord, Revision, RevisionKind};
use crate::records::{Batch, if_unchanged, keys};
use crate::store::Expect;

impl Draft {
    /// Returns whether an operator applied another text than the current one.
    pub(super) fn has_new_text(&self) -> bool {
        let before = self.before.as_ref().map(|(text, _)| text);
        self.kind == RevisionKind::Apply && before.is_some_and(|before| *before != self.text)
    }
}

impl Changes {
    /// Records what is still new about a change that is in effect as that revision: its text, and
    /// the catalog with which it says the same.
    pub(super) async fn commit_unchanged(
        &self,
        planned: Planned,
        revision: RevisionNumber,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<ChangeResult> {
        let (notes, certificate) = (planned.notes(request), planned.certificate());
        let Planned { draft, catalog, .. } = planned;
        context.check_revision(&draft.tenant, revision)?;
        let text_changed = draft.has_new_text();
        if !context.dry_run {
            self.commit_catalog(&draft, revision, &catalog, context).await?;
            self.commit_certificate(&draft, context).await?;
        }
        if text_changed && !context.dry_run {
            self.commit_text(&draft, revision, request, context).await?;
        }
        let nothing = ChangeResult::nothing(draft.tenant, revision);
        Ok(ChangeResult { text_changed, notes, certificate, ..nothing })
    }

    /// Notes in a revision that it says the same with the catalog of that content, if it was made
    /// with another one: then the operations of this catalog fit what runs.
    async fn commit_catalog(
        &self,
        draft: &Draft,
        number: RevisionNumber,
        catalog: &ContentHash,
        context: &RequestContext,
    ) -> Result<()> {
        let (tenant, key) = (&draft.tenant, keys::revision(&draft.tenant, number));
        let Some(read) = self.records.get(&key).await? else { return Ok(()) };
        if read.value.catalog.as_ref().is_none_or(|known| known == catalog) {
            return Ok(());
        }
        let expect = if_unchanged(Some(&read));
        let revision = Revision { catalog: Some(catalog.clone()), ..read.value };
        let audit = AuditRecord {
            at: self.env.now(),
            who: context.who.to_string(),
            what: format!("found that revision {number} is the same with the catalog as it is now"),
            tenant: Some(tenant.clone()),
            node: None,
        };
        self.records.commit(Batch::default().put(&key, expect, &revision).audit(&audit)).await?;
        tracing::info!(%tenant, revision = %number, "a revision is the same with a new catalog");
        Ok(())
    }

    /// Replaces the text of a revision by that of the draft, which says the same. Nothing is
    /// rolled out.
    async fn commit_text(
        &self,
        draft: &Draft,
        number: RevisionNumber,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<()> {
        let (tenant, key) = (&draft.tenant, keys::revision(&draft.tenant, number));
        let read = self.records.get(&key).await?;
        let (Some(read), Some(head)) = (read, &draft.head) else { return Ok(()) };
        let expect = if_unchanged(Some(&read));
        let revision = Revision { spec_yaml: draft.text.clone(), ..read.value };
        let audit = AuditRecord {
            at: self.env.now(),
            who: context.who.to_string(),
            what: format!("changed only comments or the layout of revision {number}"),
            tenant: Some(tenant.clone()),
            node: None,
        };
        // The head is written too, so that a change at the same time is made on the new text.
        let mut batch = Batch::default()
            .put(&key, expect, &revision)
            .put(&keys::head(tenant), if_unchanged(Some(head)), &head.value)
            .audit(&audit);
        if let Some(op_id) = &context.op_id {
            let made = IdempotencyRecord::new(number, self.fingerprint(request)?);
            let made = IdempotencyRecord { text_only: true, ..made };
            batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &made);
        }
        self.records.commit(batch).await?;
        tracing::info!(%tenant, revision = %number, who = %context.who, "the text of a revision was replaced");
        Ok(())
    }
}
