//! A change request, together with the tenant's current state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oml_common::decide::plan::ImageName;
use oml_common::decide::plan::conflicts;
use oml_common::decide::{self, head::base};
use oml_common::document::plan::Plan;
use oml_common::document::rollout::Rollout;
use oml_common::document::spec::{TenantSpec, with_versions};
use oml_common::id::{Digest, RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::Changes;
use super::request::ChangeRequest;
use crate::ops::{OpsError, Result};
use crate::records::values::{Head, RevisionKind};
use crate::records::{Entry, keys};

/// The wanted specification, with the records that it is compared to.
pub(super) struct Draft {
    pub(super) tenant: TenantId,
    pub(super) head: Option<Entry<Head>>,
    pub(super) rollout: Option<Entry<Rollout>>,
    /// The text and plan of the revision on which the change is made.
    pub(super) before: Option<(String, Arc<Plan>)>,
    pub(super) text: String,
    pub(super) spec: TenantSpec,
    pub(super) kind: RevisionKind,
    /// The plans of the revisions of which something may be running.
    pub(super) may_run: Vec<Arc<Plan>>,
    /// The digests that are already recorded.
    pub(super) known: BTreeMap<ImageName, Digest>,
}

/// The text that a request asks for.
struct Wanted {
    text: String,
    /// The digests that are recorded with the text that it was made from.
    known: BTreeMap<ImageName, Digest>,
    kind: RevisionKind,
}

impl Changes {
    /// Reads the records and makes the draft. `given` is the specification that came with
    /// the request, if there was one.
    pub(super) async fn draft(
        &self,
        request: &ChangeRequest,
        tenant: TenantId,
        given: Option<TenantSpec>,
    ) -> Result<Draft> {
        let records = &self.records;
        let head = records.get(&keys::head(&tenant)).await?;
        let rollout = records.get(&keys::rollout(&tenant)).await?;
        let way = rollout.as_ref().map(|rollout| &rollout.value);
        let before = match head.as_ref().map(|head| base(head.value, way)) {
            Some(base) => self.text_and_plan(&tenant, base).await?,
            None => None,
        };
        let wanted = self.wanted(request, &tenant, head.as_ref(), before.as_ref()).await?;
        let Wanted { text, known, kind } = wanted;
        let spec = match given {
            Some(spec) => spec,
            None => TenantSpec::parse(&text).map_err(OpsError::Problems)?,
        };
        let mut may_run = Vec::new();
        for number in decide::change::may_run(head.as_ref().map(|head| head.value), way) {
            may_run.extend(self.tenants.plan_of(&tenant, number).await?);
        }
        Ok(Draft { tenant, head, rollout, before, text, spec, kind, known, may_run })
    }

    /// Returns the text that a request asks for.
    async fn wanted(
        &self,
        request: &ChangeRequest,
        tenant: &TenantId,
        head: Option<&Entry<Head>>,
        before: Option<&(String, Arc<Plan>)>,
    ) -> Result<Wanted> {
        let (text, known, kind) = match request {
            ChangeRequest::Apply { spec_yaml } => {
                let known = before.map(|(text, plan)| recorded(text, plan)).transpose()?;
                (spec_yaml.clone(), known.unwrap_or_default(), RevisionKind::Apply)
            }
            ChangeRequest::SetVersion { versions, .. } => {
                let (text, plan) = self.made_on(tenant, before).await?;
                let known = recorded(text, plan)?;
                let text = with_versions(text, versions).map_err(OpsError::Problems)?;
                (text, known, RevisionKind::SetVersion)
            }
            ChangeRequest::SetRelease { release, .. } => {
                let (text, plan) = self.made_on(tenant, before).await?;
                (self.with_release(text, release)?, recorded(text, plan)?, RevisionKind::SetVersion)
            }
            ChangeRequest::Rollback { to, .. } => {
                let Some(head) = head else {
                    return Err(self.tenants.without_revisions(tenant).await);
                };
                let (text, plan) = match self.text_and_plan(tenant, *to).await? {
                    Some(found) if to.0 > 0 => found,
                    Some(_) | None => return Err(no_revision(tenant, *to, &head.value).into()),
                };
                let known = recorded(&text, &plan)?;
                (text, known, RevisionKind::Rollback)
            }
        };
        Ok(Wanted { text, known, kind })
    }

    /// Returns the text and plan that versions are written into.
    async fn made_on<'b>(
        &self,
        tenant: &TenantId,
        before: Option<&'b (String, Arc<Plan>)>,
    ) -> Result<&'b (String, Arc<Plan>)> {
        match before {
            Some(before) => Ok(before),
            None => Err(self.tenants.without_revisions(tenant).await),
        }
    }

    async fn text_and_plan(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<(String, Arc<Plan>)>> {
        let Some(revision) = self.tenants.revision(tenant, number).await? else { return Ok(None) };
        let plan = self.tenants.plan_of(tenant, number).await?;
        Ok(plan.map(|plan| (revision.spec_yaml.clone(), plan)))
    }
}

impl Draft {
    /// Returns a problem for everything that takes two changes to reach that plan.
    pub(super) fn conflicts(&self, plan: &Plan) -> Vec<Problem> {
        let found = self.may_run.iter().flat_map(|before| conflicts::check(before, plan).0);
        let lines = found
            .map(|problem| Problem { line: self.spec.problem(&problem.path, "").line, ..problem });
        lines.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Returns the digests that a plan with this specification recorded.
fn recorded(text: &str, plan: &Plan) -> Result<BTreeMap<ImageName, Digest>> {
    let spec = TenantSpec::parse(text).map_err(OpsError::Problems)?;
    Ok(plan.digests(&spec))
}

fn no_revision(tenant: &TenantId, number: RevisionNumber, head: &Head) -> Problem {
    let message = format!("tenant {tenant} has no revision {number}");
    Problem::new("to", message).hint(format!("it has 1 to {}", head.last))
}
