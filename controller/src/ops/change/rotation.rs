//! A new version of a secret, as a change of the components that use it.

use oml_common::decide::secrets::ChosenSecret;
use oml_common::id::RevisionNumber;

use super::draft::Draft;
use super::{ChangeRequest, Changes, Planned, RequestContext};
use crate::ops::Result;
use crate::ops::secrets::NewVersion;
use crate::records::{Batch, if_unchanged, keys};

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
        let value = value.read(self.env.random())?;
        self.secrets.next_version(&context.who, tenant, name, &value).await.map(Some)
    }

    /// Records the new version of a secret that nothing uses, so that nothing is rolled out.
    pub(super) async fn commit_unused(
        &self,
        draft: &Draft,
        context: &RequestContext,
    ) -> Result<()> {
        let mut batch = self.with_rotation(Batch::default(), draft, context, None);
        if let Some(head) = &draft.head {
            // A change at the same time, which may name a version that goes now, is planned again.
            let key = keys::head(&draft.tenant);
            batch = batch.put(&key, if_unchanged(Some(head)), &head.value);
        }
        Ok(self.records.commit(batch).await?)
    }

    /// Adds the record of the new version, which the change makes, and its line in the audit trail.
    pub(super) fn with_rotation(
        &self,
        batch: Batch,
        draft: &Draft,
        context: &RequestContext,
        revision: Option<RevisionNumber>,
    ) -> Batch {
        let Some(made) = &draft.rotation else { return batch };
        let (name, version) = (&made.name, made.record.last);
        let follows = revision.map(|revision| format!(", which is revision {revision}"));
        let follows = follows.unwrap_or_default();
        let what = format!("rotated secret {name} to version {version}{follows}");
        let audit = self.secrets.audit(&context.who, &draft.tenant, what);
        made.put(batch, &draft.tenant).audit(&audit)
    }
}

impl Planned {
    /// Returns the number of the version that a rotation makes.
    pub(super) fn secret_version(&self) -> Option<u64> {
        self.draft.rotation.as_ref().map(|made| made.record.last)
    }
}
