//! The releases of a tenant's catalog: what decides about a change, and what an operator may choose.

use std::collections::BTreeSet;
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::decide::release::{
    self, InRelease, OtherCatalog, ReleaseVersions, VersionDecision, Versions, versions_in_plan,
    versions_of,
};
use oml_common::document::catalog::Catalog;
use oml_common::document::plan::{OnFailure, Plan};
use oml_common::document::rollout::{PauseReason, State};
use oml_common::document::spec::{TenantSpec, with_versions};
use oml_common::id::{
    CatalogName, ComponentName, ReleaseName, Repository, RevisionNumber, TenantId,
};
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::text::problem::Problem;

use super::draft::Draft;
use super::{ChangeRequest, Changes, Planned, RequestContext};
use crate::ops::{OpsError, Result};
use crate::records::keys;

/// The note about a rollout over a step without a way back.
const PAUSES: &str = "a failure pauses this rollout, in place of on_failure: rollback, because the \
                      version before cannot read what the new one writes";
/// The note about a rollout over a step of which it is not known whether it has a way back.
const PAUSES_UNCERTAIN: &str = "a failure pauses this rollout, in place of on_failure: rollback, \
                                because it is not known whether the version before can read what \
                                the new one writes";
/// The number of the latest revisions in which a component that comes back is looked up.
const REVISIONS_MAX: usize = 1_000;

/// The releases of a tenant's catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantReleases {
    pub catalog: CatalogName,
    /// The release that the tenant has.
    pub current: Option<ReleaseName>,
    pub releases: Vec<TenantRelease>,
}

/// A release, as far as it is about components that a tenant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRelease {
    pub name: ReleaseName,
    pub versions: ReleaseVersions,
    /// The components that have another version, or one that cannot be compared.
    pub different: Vec<ComponentName>,
}

impl Changes {
    /// Returns the releases that a tenant can be set to, compared with the revision on which a change
    /// would be made.
    pub async fn releases(&self, tenant: &TenantId) -> Result<TenantReleases> {
        let Some(text) = self.text_of_base(tenant).await? else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let spec = TenantSpec::parse(&text).map_err(OpsError::Problems)?;
        let catalog = &self.catalogs.of(&spec)?.catalog;
        let known = self.catalogs.releases_of(&spec);
        let current = versions_of(&spec, catalog);
        let releases = release::offered(known, &current).map(|(name, offered)| TenantRelease {
            name: name.clone(),
            versions: offered.versions,
            different: offered.different,
        });
        let current = release::release_of(known, &current).cloned();
        let catalog = catalog.name.clone();
        Ok(TenantReleases { catalog, current, releases: releases.collect() })
    }

    /// Judges a draft by the releases of its catalog.
    pub(super) async fn check_release(
        &self,
        draft: &Draft,
        context: &RequestContext,
    ) -> Result<VersionDecision> {
        let catalog = &self.catalogs.of(&draft.spec)?.catalog;
        let (mut before, other) = self.versions_before(draft, catalog)?;
        let releases = self.catalogs.releases_of(&draft.spec);
        let after = versions_of(&draft.spec, catalog);
        let unseen = release::unseen(releases, other.as_ref(), &before, &after);
        before.extend(self.last_seen(draft, catalog, unseen).await?);
        let mut decision = release::decide(releases, other.as_ref(), &before, &after);
        if draft.is_restored() {
            decision.warn_restored(releases, &after);
        }
        Ok(if context.force.trim().is_empty() { decision } else { decision.forced() })
    }

    /// Returns the versions of components that a draft brings back, in the last revision that had them:
    /// their volumes are still there.
    async fn last_seen(
        &self,
        draft: &Draft,
        catalog: &Catalog,
        mut components: BTreeSet<ComponentName>,
    ) -> Result<Option<Versions>> {
        let mut found = Versions::new();
        let last = draft.head.as_ref().map(|head| head.value.last).unwrap_or_default();
        let registries = draft.registries()?;
        let registries: Vec<_> = registries.iter().map(Option::as_ref).collect();
        for number in (1..=last.0).rev().take(REVISIONS_MAX).map(RevisionNumber) {
            if components.is_empty() {
                break;
            }
            let Some(plan) = self.earlier_plan(&draft.tenant, number).await else { continue };
            let mut versions = versions_in_plan(&plan, catalog, &registries);
            versions.retain(|name, _| components.remove(name));
            found.extend(versions);
        }
        Ok((!found.is_empty()).then_some(found))
    }

    /// Returns the plan of an earlier revision. One that cannot be read says nothing, and an earlier one
    /// may say enough.
    async fn earlier_plan(&self, tenant: &TenantId, number: RevisionNumber) -> Option<Arc<Plan>> {
        self.tenants.readable_plan(tenant, number).await.unwrap_or_else(|error| {
            let error = chain(&error);
            tracing::warn!(%tenant, %number, error, "cannot read the plan of an earlier revision");
            None
        })
    }

    /// Returns the versions of everything that may have written the state that a draft finds: those on
    /// which it is made, and those of the revisions of which something may be running; and the catalog
    /// of the former, if the draft has another one.
    fn versions_before(
        &self,
        draft: &Draft,
        catalog: &Catalog,
    ) -> Result<(Vec<Versions>, Option<OtherCatalog<'_>>)> {
        let (Some(base), Some((_, plan))) = (draft.base()?, &draft.before) else {
            return Ok((Vec::new(), None));
        };
        let registries = [base.registry.as_ref(), draft.spec.registry.as_ref()];
        let in_plan = |plan: &Arc<Plan>| versions_in_plan(plan, catalog, &registries);
        let name = base.catalog.clone();
        let (first, other) = match self.catalogs.of(&base) {
            Ok(_same) if name == draft.spec.catalog => (versions_of(&base, catalog), None),
            Ok(was) => {
                let versions = versions_of(&base, &was.catalog);
                let carried = release::carried_over(&versions, &was.catalog, catalog);
                let (releases, differing) =
                    (Some(self.catalogs.releases_of(&base)), carried.differing);
                (carried.versions, Some(OtherCatalog { name, releases, differing }))
            }
            Err(_unusable) => {
                let other = OtherCatalog { name, releases: None, differing: Vec::new() };
                (in_plan(plan), Some(other))
            }
        };
        let may_run = draft.may_run.iter().map(in_plan);
        Ok(([first].into_iter().chain(may_run).collect(), other))
    }

    /// Writes the versions of a release into a specification. Returns a line for every component
    /// that is left as it is too.
    pub(super) fn with_release(
        &self,
        text: &str,
        name: &ReleaseName,
    ) -> Result<(String, Vec<String>)> {
        let spec = TenantSpec::parse(text).map_err(OpsError::Problems)?;
        let catalog = &self.catalogs.of(&spec)?.catalog;
        let releases = self.catalogs.releases_of(&spec);
        let found = release::versions_in(releases, name, &spec, catalog);
        let Some(InRelease { versions, own }) = found else {
            let message = format!("catalog {} has no release {name}", spec.catalog);
            let known = releases.published.keys().map(AsRef::as_ref);
            let problem = Problem::new("release", message).suggest(name.as_str(), known);
            return Err(problem.into());
        };
        if versions.is_empty() {
            let message = format!("release {name} is about no component of {}", spec.tenant);
            return Err(Problem::new("release", message).into());
        }
        let text = with_versions(text, &versions).map_err(OpsError::Problems)?;
        let left =
            |name: &ComponentName| format!("{name} has an image of its own and is left as it is");
        Ok((text, own.iter().map(left).collect()))
    }

    async fn text_of_base(&self, tenant: &TenantId) -> Result<Option<String>> {
        let Some(head) = self.records.get(&keys::head(tenant)).await? else { return Ok(None) };
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let base = base(head.value, rollout.as_ref().map(|rollout| &rollout.value));
        let revision = self.tenants.revision(tenant, base).await?;
        Ok(revision.map(|revision| revision.spec_yaml.clone()))
    }
}

impl RequestContext {
    /// Returns the reason that is recorded with a change, and why a refusal was overruled.
    pub(super) fn recorded_why(&self, decision: &VersionDecision) -> String {
        let forced = decision.is_forced().then(|| format!("forced: {}", self.force.trim()));
        let parts = [(!self.why.is_empty()).then(|| self.why.clone()), forced];
        printable(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

impl Planned {
    /// Returns what is right about the change and may surprise, in lines for people.
    pub(super) fn notes(&self, request: &ChangeRequest) -> Vec<String> {
        let absent = request.notes(&self.plan.absent);
        absent.into_iter().chain(self.draft.notes.iter().cloned()).collect()
    }

    /// Returns a line if a failure pauses the rollout although the specification says otherwise.
    pub(super) fn pauses(&self) -> Option<String> {
        let is_other = self.plan.strategy.on_failure != self.draft.spec.rollout.on_failure;
        let note = if self.decision.crosses() { PAUSES } else { PAUSES_UNCERTAIN };
        is_other.then(|| note.to_owned())
    }
}

/// Returns what the releases of the catalog say about a change, in sentences.
pub(super) fn said(decision: &VersionDecision) -> Vec<String> {
    decision.warnings.iter().map(ToString::to_string).collect()
}

impl Draft {
    /// Returns the registries in which the images of the catalog may be besides its own: those of the
    /// specification on which the draft is made, and its own.
    fn registries(&self) -> Result<[Option<Repository>; 2]> {
        let base = self.base()?.and_then(|base| base.registry);
        Ok([base, self.spec.registry.clone()])
    }

    /// Returns whether the controller was restored from a backup and nothing was applied to the tenant
    /// since, so that the hosts may run later versions than it knows.
    fn is_restored(&self) -> bool {
        let state = self.rollout.as_ref().map(|rollout| &rollout.value.state);
        matches!(state, Some(State::Paused { why: PauseReason::Restored, .. }))
    }
}

/// Makes the rollout of a plan pause if it fails over a step without a way back, or over one of which
/// this is not known. A rollback would start the version before on what it cannot read.
pub(super) fn without_rollback(plan: &mut Plan, decision: &VersionDecision) {
    if decision.crosses() || decision.may_cross() {
        plan.strategy.on_failure = OnFailure::Pause;
    }
    release::keep_forward(plan, decision);
}
