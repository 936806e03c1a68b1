//! A catalog that changed after the revision was made on which a change is made.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::catalog_change::{note, own_changes, refusal};
use oml_common::decide::head::base;
use oml_common::decide::plan::{self, NodeFacts};
use oml_common::decide::secrets::users;
use oml_common::id::{ComponentName, ContentHash, NodeName, RevisionNumber};
use oml_common::text::problem::Problem;

use super::Changes;
use super::draft::Draft;
use crate::ops::Result;
use crate::ops::catalogs::Loaded;
use crate::ops::secrets::NewVersion;
use crate::records::values::RevisionKind;

impl Changes {
    /// Checks the catalog of a draft. A change that names what it is about is refused if the catalog changes
    /// something else of the tenant by itself; for a whole document and a rollback it is only noted.
    pub(super) async fn check_catalog(
        &self,
        draft: &mut Draft,
        loaded: &Loaded,
        nodes: &BTreeMap<NodeName, NodeFacts>,
    ) -> Result<Option<Problem>> {
        let Some(revision) = draft.made_on() else { return Ok(None) };
        let name = match draft.base()? {
            Some(base) => base.catalog,
            None => return Ok(None),
        };
        if name != draft.spec.catalog || !self.differs(draft, revision, &loaded.content).await? {
            return Ok(None);
        }
        match draft.kind {
            RevisionKind::Apply | RevisionKind::Rollback => {
                draft.notes.push(note(&draft.spec, revision));
                Ok(None)
            }
            RevisionKind::SetVersion
            | RevisionKind::RotateSecret
            | RevisionKind::RotateCertificate
            | RevisionKind::Unknown => self.refuse_changed(draft, loaded, nodes, revision).await,
        }
    }

    /// Whether a revision was made with another text of the catalog. Of a revision of release 0.1.0 nobody knows it.
    async fn differs(
        &self,
        draft: &Draft,
        revision: RevisionNumber,
        now: &ContentHash,
    ) -> Result<bool> {
        let revision = self.tenants.revision(&draft.tenant, revision).await?;
        Ok(revision.and_then(|it| it.catalog.clone()).is_some_and(|then| then != *now))
    }

    async fn refuse_changed(
        &self,
        draft: &Draft,
        loaded: &Loaded,
        nodes: &BTreeMap<NodeName, NodeFacts>,
        revision: RevisionNumber,
    ) -> Result<Option<Problem>> {
        let (Some((_, before)), Some(spec)) = (&draft.before, draft.base()?) else {
            return Ok(None);
        };
        // One that nothing uses is recorded, and brings nothing with it.
        let is_unused = |made: &NewVersion| users(before, &made.name).is_empty();
        if draft.rotation.as_ref().is_some_and(is_unused) {
            return Ok(None);
        }
        let secrets = self.chosen_secrets(&draft.tenant, Some(before), Some(before), None).await?;
        let prepared = plan::prepare(plan::Input {
            revision: before.revision,
            spec: &spec,
            catalog: &loaded.catalog,
            nodes,
            mirrors: self.registries.mirrors(),
            secrets: &secrets,
            thumbprint: draft.thumbprint.as_ref(),
            before: Some(before),
        });
        // What is wrong with the specification by now is said by the plan of the change.
        let Ok(prepared) = prepared else { return Ok(None) };
        let digests = before.digests(&spec);
        let images = prepared.images().iter();
        let others = images.filter(|(_, image)| !digests.contains_key(*image));
        let other_images: BTreeSet<ComponentName> = others.map(|(name, _)| name.clone()).collect();
        let components = match prepared.finish(&digests) {
            Ok(same) => own_changes(before, &same),
            Err(_) => other_images,
        };
        Ok((!components.is_empty()).then(|| refusal(&draft.spec, revision, &components)))
    }
}

impl Draft {
    /// Returns the revision whose catalog the change is compared with: the one to which a rollback leads,
    /// otherwise the one on which the change is made.
    fn made_on(&self) -> Option<RevisionNumber> {
        let rollout = self.rollout.as_ref().map(|rollout| &rollout.value);
        self.back_to.or_else(|| self.head.as_ref().map(|head| base(head.value, rollout)))
    }
}
