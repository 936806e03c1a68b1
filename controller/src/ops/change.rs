//! Changes of a tenant: apply, set-version, rollback, and their dry run.
//!
//! A change is planned inside the request. What was planned is written first
//! and never again; one small commit then makes it real.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::diff::{Change, diff};
use oml_common::id::{ContentHash, Digest, NodeName, RevisionNumber, TenantId};
use oml_common::plan::{self, ImageName, NodeFacts, Plan};
use oml_common::problem::{Problem, nearest, printable};
use oml_common::rollout::{Begin, Rollout, State};
use oml_common::spec::{TenantSpec, with_versions};

mod request;

pub use self::request::{Asked, Changed, OpId, Wanted};

use super::digests::Images;
use super::{Attempts, Ops, OpsError, Result};
use crate::clock;
use crate::kill_point;
use crate::records::values::{Audit, Head, Kind, Operation, Outcome, Revision};
use crate::records::{Batch, Entry, expect, keys};
use crate::store::Expect;

/// A request as it meets the tenant's present state.
struct Draft {
    tenant: TenantId,
    head: Option<Entry<Head>>,
    rollout: Option<Entry<Rollout>>,
    /// Specification and plan of the revision that the change is made on.
    before: Option<(TenantSpec, std::sync::Arc<Plan>)>,
    text: String,
    kind: Kind,
    /// Digests already recorded.
    known: BTreeMap<ImageName, Digest>,
}

/// A draft with nothing left to choose.
struct Planned {
    draft: Draft,
    plan: Plan,
    changes: Vec<Change>,
    enrolled: BTreeSet<NodeName>,
}

impl Ops {
    /// Makes a change, or says what it would be.
    pub async fn change(&self, wanted: &Wanted, asked: &Asked) -> Result<Changed> {
        // Answers of registries outlive an attempt that others were faster than.
        let mut answers = BTreeMap::new();
        let mut attempts = Attempts::default();
        loop {
            match self.try_change(wanted, asked, &mut answers).await {
                Ok(changed) => return Ok(changed),
                Err(error) => attempts.again(error)?,
            }
        }
    }

    async fn try_change(
        &self,
        wanted: &Wanted,
        asked: &Asked,
        answers: &mut BTreeMap<ImageName, Digest>,
    ) -> Result<Changed> {
        let tenant = wanted.tenant()?;
        if let Some(replay) = self.replay(&tenant, wanted, asked).await? {
            return Ok(replay);
        }
        let draft = self.draft(wanted, tenant).await?;
        let spec = TenantSpec::parse(&draft.text).map_err(OpsError::Problems)?;
        let is_retry = draft.rollout.as_ref().is_some_and(|rollout| went_wrong(&rollout.value));
        let same_spec =
            draft.before.as_ref().is_some_and(|(before, _)| says_the_same(before, &spec));
        let planned = self.plan(draft, &spec, answers).await?;
        let present = planned.draft.head.as_ref().map(|head| head.value.current);
        if let Some(revision) = present
            && planned.changes.is_empty()
            && same_spec
            && !is_retry
        {
            let tenant = planned.draft.tenant;
            return Ok(Changed { tenant, revision, changed: false, changes: Vec::new() });
        }
        kill_point::reach("C2");
        let changed = Changed {
            tenant: planned.draft.tenant.clone(),
            revision: planned.plan.revision,
            changed: true,
            changes: planned.changes.clone(),
        };
        if !asked.dry_run {
            self.commit_change(planned, wanted, asked).await?;
        }
        Ok(changed)
    }

    /// The reply to a change that was already made under this id.
    async fn replay(
        &self,
        tenant: &TenantId,
        wanted: &Wanted,
        asked: &Asked,
    ) -> Result<Option<Changed>> {
        let Some(op_id) = &asked.op_id else { return Ok(None) };
        let made = self.parts.records.get(&keys::operation(tenant, op_id)).await?;
        let Some(Entry { value: made, .. }) = made else { return Ok(None) };
        if made.request != wanted.fingerprint() {
            let message = format!("operation {op_id} was another change");
            return Err(Problem::new("op_id", message).hint("use a new id").into());
        }
        let revision = self.revision(tenant, made.revision).await?;
        let changes = revision.map(|revision| revision.changes.clone()).unwrap_or_default();
        let (tenant, revision) = (tenant.clone(), made.revision);
        Ok(Some(Changed { tenant, revision, changed: true, changes }))
    }

    async fn draft(&self, wanted: &Wanted, tenant: TenantId) -> Result<Draft> {
        let records = &self.parts.records;
        let head = records.get(&keys::head(&tenant)).await?;
        let rollout = records.get(&keys::rollout(&tenant)).await?;
        let returns_to = rollout.as_ref().and_then(|rollout| rollout.value.returns_to());
        let before = match returns_to.or(head.as_ref().map(|head| head.value.current)) {
            Some(present) => self.spec_and_plan(&tenant, present).await?,
            None => None,
        };
        let current = before.as_ref().map(|(spec, plan)| (spec.as_str(), plan));
        let (text, known, kind) = match wanted {
            Wanted::Apply { spec_yaml } => {
                let known = current.map(|(_, plan)| plan.digests().collect()).unwrap_or_default();
                (spec_yaml.clone(), known, Kind::Apply)
            }
            Wanted::SetVersion { versions, .. } => {
                let Some((spec, plan)) = current else {
                    return Err(self.without_revisions(&tenant).await);
                };
                let text = with_versions(spec, versions).map_err(OpsError::Problems)?;
                (text, plan.digests().collect(), Kind::SetVersion)
            }
            Wanted::Rollback { to, .. } => {
                let Some(head) = &head else { return Err(self.without_revisions(&tenant).await) };
                let (spec, plan) = match self.spec_and_plan(&tenant, *to).await? {
                    Some(found) if to.0 > 0 => found,
                    Some(_) | None => return Err(no_revision(&tenant, *to, &head.value).into()),
                };
                (spec, plan.digests().collect(), Kind::Rollback)
            }
        };
        let before = match before {
            Some((spec, plan)) => {
                Some((TenantSpec::parse(&spec).map_err(OpsError::Problems)?, plan))
            }
            None => None,
        };
        Ok(Draft { tenant, head, rollout, before, text, kind, known })
    }

    async fn spec_and_plan(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<(String, std::sync::Arc<Plan>)>> {
        let Some(revision) = self.revision(tenant, number).await? else { return Ok(None) };
        let plan = self.plan_of(tenant, number).await?;
        Ok(plan.map(|plan| (revision.spec_yaml.clone(), plan)))
    }

    async fn plan(
        &self,
        mut draft: Draft,
        spec: &TenantSpec,
        answers: &mut BTreeMap<ImageName, Digest>,
    ) -> Result<Planned> {
        let catalog = self.parts.catalogs.of(spec)?;
        let nodes = self.node_facts(&draft.tenant).await?;
        let images = Images::of(spec, catalog);
        let revision = draft.head.as_ref().map(|head| head.value.last).unwrap_or_default().next();
        let plan_with = |digests: &BTreeMap<ImageName, Digest>| {
            plan::plan(plan::Input { revision, spec, catalog, nodes: &nodes, digests })
        };
        let mut digests = answers.clone();
        digests.append(&mut draft.known);
        // Once without the registries, so that everything else is told beside what they say.
        let mut problems = images.problems.clone();
        if let Err(found) = plan_with(&images.with_stand_ins(&digests)) {
            problems.0.extend(found.0);
        }
        if nodes.is_empty() {
            problems.0.extend(self.other_tenant(spec).await?);
        }
        let is_refused = !problems.0.is_empty();
        let said = self.resolve(spec, &images, &mut digests, is_refused).await;
        answers.clone_from(&digests);
        problems.0.extend(said.problems.0);
        problems.into_result(()).map_err(OpsError::Problems)?;
        if let Some(failure) = said.failure {
            return Err(OpsError::Registry(failure));
        }
        let plan = plan_with(&digests).map_err(OpsError::Problems)?;
        let changes = diff(draft.before.as_ref().map(|(_, plan)| &**plan), &plan);
        Ok(Planned { draft, plan, changes, enrolled: nodes.into_keys().collect() })
    }

    /// A tenant without nodes may be another one, written wrongly.
    async fn other_tenant(&self, spec: &TenantSpec) -> Result<Option<Problem>> {
        let known = self.tenants().await?;
        let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
        let near =
            nearest(spec.tenant.as_str(), &known).filter(|near| *near != spec.tenant.as_str());
        Ok(near.map(|near| {
            let message = format!("no host of {} has joined", spec.tenant);
            spec.problem("tenant", message).hint(format!("did you mean {near}?"))
        }))
    }

    async fn node_facts(&self, tenant: &TenantId) -> Result<BTreeMap<NodeName, NodeFacts>> {
        let nodes = self.parts.records.list(&keys::nodes(tenant)).await?;
        let present = nodes.into_iter().filter(|(_, node)| node.value.removed.is_none());
        let facts = present.filter_map(|(name, node)| {
            let facts = NodeFacts { roles: node.value.roles, address: node.value.address };
            Some((name.parse().ok()?, facts))
        });
        Ok(facts.collect())
    }

    async fn commit_change(&self, planned: Planned, wanted: &Wanted, asked: &Asked) -> Result<()> {
        let Planned { draft, plan, changes, enrolled } = planned;
        let (tenant, number, now) = (&draft.tenant, plan.revision, clock::now());
        let good = match draft.head.as_ref().and_then(|head| head.value.good) {
            Some(good) => self.plan_of(tenant, good).await?,
            None => None,
        };
        let rollout = Rollout::begin(Begin {
            from: good.as_deref(),
            to: &plan,
            overtaken: draft.rollout.as_ref().map(|rollout| &rollout.value),
            enrolled: &enrolled,
            now,
        });
        let content = ContentHash::of(&serde_json::to_vec(&plan).unwrap_or_default());
        let plan_key = keys::plan(tenant, number, &content);
        // Written first and alone: nothing names it until the commit below.
        self.parts.records.commit(Batch::default().put(&plan_key, Expect::Any, &plan)).await?;
        kill_point::reach("C3");
        let head = Head {
            current: number,
            last: number,
            good: draft.head.as_ref().and_then(|head| head.value.good),
        };
        let audit = Audit {
            at: now,
            who: asked.who.to_string(),
            what: format!("{} made revision {number}", draft.kind.word()),
            tenant: Some(tenant.clone()),
            node: None,
        };
        let revision = Revision {
            number,
            spec_yaml: draft.text,
            at: now,
            who: asked.who.to_string(),
            why: printable(&asked.why),
            kind: draft.kind,
            changes,
            plan: content,
        };
        let mut batch = Batch::default()
            .put(&keys::revision(tenant, number), Expect::Absent, &revision)
            .put(&keys::head(tenant), expect(draft.head.as_ref()), &head)
            .put(&keys::rollout(tenant), expect(draft.rollout.as_ref()), &rollout)
            .put(&keys::audit(), Expect::Absent, &audit);
        if let Some(op_id) = &asked.op_id {
            let made = Operation { revision: number, request: wanted.fingerprint() };
            batch = batch.put(&keys::operation(tenant, op_id), Expect::Absent, &made);
        }
        if let Some(overtaken) = draft.rollout.filter(|rollout| !rollout.value.is_ended()) {
            let failures = overtaken.value.failures;
            let outcome = Outcome { state: State::Superseded, at: now, failures };
            batch = batch.put(&keys::outcome(tenant, overtaken.value.to), Expect::Any, &outcome);
        }
        self.parts.records.commit(batch).await?;
        kill_point::reach("C4");
        tracing::info!(%tenant, revision = %number, kind = draft.kind.word(), who = %asked.who, "a change was accepted");
        Ok(())
    }
}

/// Whether asking for the same again is a change: it is tried anew.
fn went_wrong(rollout: &Rollout) -> bool {
    matches!(rollout.state, State::Paused { .. } | State::RollingBack { .. })
}

/// Whether two specifications differ in nothing but their text.
fn says_the_same(a: &TenantSpec, b: &TenantSpec) -> bool {
    a.catalog == b.catalog
        && a.registry == b.registry
        && a.settings == b.settings
        && a.components == b.components
        && a.rollout == b.rollout
}

fn no_revision(tenant: &TenantId, wanted: RevisionNumber, head: &Head) -> Problem {
    let message = format!("tenant {tenant} has no revision {wanted}");
    Problem::new("to", message).hint(format!("it has 1 to {}", head.last))
}
