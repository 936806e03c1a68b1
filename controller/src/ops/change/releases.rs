//! The releases of a tenant's catalog: what a change is judged by, and what an operator may choose.

use oml_common::decide::release::{self, Judged, Versions, versions_of};
use oml_common::document::plan::{OnFailure, Plan};
use oml_common::document::spec::{TenantSpec, with_versions};
use oml_common::id::{CatalogName, ComponentName, ReleaseName, TenantId};
use oml_common::text::printable::printable;
use oml_common::text::problem::Problem;

use super::draft::Draft;
use super::{ChangeRequest, Changes, Planned, RequestContext};
use crate::ops::{OpsError, Result};
use crate::records::keys;

/// The note about a rollout over a step without a way back.
const PAUSES: &str = "a failure pauses this rollout, in place of on_failure: rollback, because the \
                      version before cannot read what the new one writes";

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
    pub versions: Versions,
    /// The components that have another version.
    pub different: Vec<ComponentName>,
}

impl Changes {
    /// Returns the releases that a tenant can be set to.
    pub async fn releases(&self, tenant: &TenantId) -> Result<TenantReleases> {
        let Some(text) = self.current_text(tenant).await? else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let spec = TenantSpec::parse(&text).map_err(OpsError::Problems)?;
        let catalog = self.catalogs.of(&spec)?.catalog.name.clone();
        let known = self.catalogs.releases_of(&spec);
        let current = versions_of(&spec);
        let releases = release::offered(known, &current).map(|(name, offered)| TenantRelease {
            name: name.clone(),
            versions: offered.versions,
            different: offered.different,
        });
        let current = release::release_of(known, &current).cloned();
        Ok(TenantReleases { catalog, current, releases: releases.collect() })
    }

    /// Judges a draft by the releases of its catalog.
    pub(super) fn check_release(&self, draft: &Draft, context: &RequestContext) -> Result<Judged> {
        let base = draft.base()?;
        // Another catalog has other components, of which nothing is known.
        let base = base.filter(|base| base.catalog == draft.spec.catalog);
        let may_run = draft.may_run.iter().filter(|_| base.is_some()).map(|plan| in_plan(plan));
        let before: Vec<Versions> = base.iter().map(versions_of).chain(may_run).collect();
        let releases = self.catalogs.releases_of(&draft.spec);
        let judged = release::decide(releases, &before, &versions_of(&draft.spec));
        Ok(if context.force.trim().is_empty() { judged } else { judged.forced() })
    }

    /// Writes the versions of a release into a specification.
    pub(super) fn with_release(&self, text: &str, name: &ReleaseName) -> Result<String> {
        let spec = TenantSpec::parse(text).map_err(OpsError::Problems)?;
        self.catalogs.of(&spec)?;
        let releases = self.catalogs.releases_of(&spec);
        let Some(versions) = release::versions_in(releases, name, &spec) else {
            let message = format!("catalog {} has no release {name}", spec.catalog);
            let known = releases.published.keys().map(AsRef::as_ref);
            let problem = Problem::new("release", message).suggest(name.as_str(), known);
            return Err(problem.into());
        };
        if versions.is_empty() {
            let message = format!("release {name} is about no component of {}", spec.tenant);
            return Err(Problem::new("release", message).into());
        }
        with_versions(text, &versions).map_err(OpsError::Problems)
    }

    async fn current_text(&self, tenant: &TenantId) -> Result<Option<String>> {
        let head = self.records.get(&keys::head(tenant)).await?;
        let current = head.map(|head| head.value.current).filter(|it| it.0 > 0);
        let Some(current) = current else { return Ok(None) };
        let revision = self.tenants.revision(tenant, current).await?;
        Ok(revision.map(|revision| revision.spec_yaml.clone()))
    }
}

impl RequestContext {
    /// Returns the reason that is recorded with a change, and why a refusal was overruled.
    pub(super) fn recorded_why(&self, judged: &Judged) -> String {
        let forced = judged.is_forced().then(|| format!("forced: {}", self.force.trim()));
        let parts = [(!self.why.is_empty()).then(|| self.why.clone()), forced];
        printable(&parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

impl Planned {
    /// Returns what is right about the change and may surprise, in lines for people.
    pub(super) fn notes(&self, request: &ChangeRequest) -> Vec<String> {
        let mut notes = request.notes(&self.plan.absent);
        if self.plan.strategy.on_failure != self.draft.spec.rollout.on_failure {
            notes.push(PAUSES.to_owned());
        }
        notes
    }
}

/// Returns what the releases of the catalog say about a change, in sentences.
pub(super) fn said(judged: &Judged) -> Vec<String> {
    judged.warnings.iter().map(ToString::to_string).collect()
}

/// Returns a plan whose rollout pauses if it fails over a step without a way back. A rollback would
/// start the version before on what it cannot read.
pub(super) fn without_rollback(mut plan: Plan, judged: &Judged) -> Plan {
    if judged.crosses() {
        plan.strategy.on_failure = OnFailure::Pause;
    }
    plan
}

/// The versions of a plan. A component has the same on every node.
fn in_plan(plan: &Plan) -> Versions {
    let shares = plan.nodes.values().flat_map(|share| &share.instances);
    let version = shares.filter_map(|(component, desired)| {
        let version = desired.instance.version()?.clone();
        Some((component.clone(), version.into()))
    });
    version.collect()
}
