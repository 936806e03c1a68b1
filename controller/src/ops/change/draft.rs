//! A request as it meets the tenant's present state.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::handover;
use oml_common::id::{Digest, RevisionNumber, TenantId};
use oml_common::plan::{ImageName, Plan};
use oml_common::problem::Problem;
use oml_common::rollout::Rollout;
use oml_common::spec::{TenantSpec, with_versions};

use super::request::Wanted;
use crate::ops::{Ops, OpsError, Result};
use crate::records::values::{Head, Kind};
use crate::records::{Entry, keys};

/// What is asked for, and of what.
pub(super) struct Draft {
    pub(super) tenant: TenantId,
    pub(super) head: Option<Entry<Head>>,
    pub(super) rollout: Option<Entry<Rollout>>,
    /// Text and plan of the revision that the change is made on.
    pub(super) before: Option<(String, Arc<Plan>)>,
    pub(super) text: String,
    /// What the text says.
    pub(super) spec: TenantSpec,
    pub(super) kind: Kind,
    /// Digests already recorded.
    pub(super) known: BTreeMap<ImageName, Digest>,
}

impl Ops {
    /// `given` is the specification that came with the request, if one did.
    pub(super) async fn draft(
        &self,
        wanted: &Wanted,
        (tenant, given): (TenantId, Option<TenantSpec>),
    ) -> Result<Draft> {
        let records = &self.parts.records;
        let head = records.get(&keys::head(&tenant)).await?;
        let rollout = records.get(&keys::rollout(&tenant)).await?;
        let way = rollout.as_ref().map(|rollout| &rollout.value);
        let before = match head.as_ref().map(|head| head.value.present(way)) {
            Some(present) => self.text_and_plan(&tenant, present).await?,
            None => None,
        };
        let (text, known, kind) = match wanted {
            Wanted::Apply { spec_yaml } => {
                let known = before.as_ref().map(|(_, plan)| plan.digests().collect());
                (spec_yaml.clone(), known.unwrap_or_default(), Kind::Apply)
            }
            Wanted::SetVersion { versions, .. } => {
                let Some((text, plan)) = &before else {
                    return Err(self.without_revisions(&tenant).await);
                };
                let text = with_versions(text, versions).map_err(OpsError::Problems)?;
                (text, plan.digests().collect(), Kind::SetVersion)
            }
            Wanted::Rollback { to, .. } => {
                let Some(head) = &head else { return Err(self.without_revisions(&tenant).await) };
                let (text, plan) = match self.text_and_plan(&tenant, *to).await? {
                    Some(found) if to.0 > 0 => found,
                    Some(_) | None => return Err(no_revision(&tenant, *to, &head.value).into()),
                };
                (text, plan.digests().collect(), Kind::Rollback)
            }
        };
        let spec = match given {
            Some(spec) => spec,
            None => TenantSpec::parse(&text).map_err(OpsError::Problems)?,
        };
        Ok(Draft { tenant, head, rollout, before, text, spec, kind, known })
    }

    async fn text_and_plan(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<(String, Arc<Plan>)>> {
        let Some(revision) = self.revision(tenant, number).await? else { return Ok(None) };
        let plan = self.plan_of(tenant, number).await?;
        Ok(plan.map(|plan| (revision.spec_yaml.clone(), plan)))
    }
}

impl Draft {
    /// What of the way from the present plan to that one takes two changes.
    pub(super) fn in_the_way(&self, plan: &Plan) -> Vec<Problem> {
        let Some((_, before)) = &self.before else { return Vec::new() };
        let found = handover::check(before, plan).0.into_iter();
        let placed = found
            .map(|problem| Problem { line: self.spec.problem(&problem.path, "").line, ..problem });
        placed.collect()
    }

    /// Whether the text says nothing that is not said already.
    pub(super) fn says_the_same(&self) -> Result<bool> {
        let Some((before, _)) = &self.before else { return Ok(false) };
        let before = TenantSpec::parse(before).map_err(OpsError::Problems)?;
        let spec = &self.spec;
        Ok(before.catalog == spec.catalog
            && before.registry == spec.registry
            && before.settings == spec.settings
            && before.components == spec.components
            && before.rollout == spec.rollout)
    }
}

fn no_revision(tenant: &TenantId, wanted: RevisionNumber, head: &Head) -> Problem {
    let message = format!("tenant {tenant} has no revision {wanted}");
    Problem::new("to", message).hint(format!("it has 1 to {}", head.last))
}
