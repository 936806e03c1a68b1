//! Changes of a tenant: apply, set-version, rollback, and their dry run.
//!
//! A change is planned inside the request. Its plan is written first and never changed
//! afterwards; one small commit then puts it into effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use oml_common::decide::change::already_in_effect;
use oml_common::decide::diff::{diff, strategy};
use oml_common::decide::head::after_change;
use oml_common::decide::plan::{self, ImageName};
use oml_common::decide::release::VersionDecision;
use oml_common::decide::rollout::Begin;
use oml_common::document::Verbatim;
use oml_common::document::plan::Plan;
use oml_common::document::revision::Change;
use oml_common::document::rollout::Rollout;
use oml_common::id::{ContentHash, Digest, NodeName, RevisionNumber, TenantId};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::failpoint;

mod certificate;
mod draft;
mod logins;
mod moved_catalog;
mod nodes;
mod ordered;
mod prepare;
mod releases;
mod replay;
mod request;
mod rotation;
mod text;

pub(super) use self::logins::Questions;
pub(super) use self::nodes::node_facts;
pub use self::releases::{TenantRelease, TenantReleases};
pub use self::request::{ChangeRequest, ChangeResult, IdempotencyKey, RequestContext};

use self::draft::Draft;
use self::prepare::check_size;
use self::releases::said;
use self::request::ReadRequest;
use self::rotation::Unused;
use super::catalogs::Catalogs;
use super::retries::retry_conflicts;
use super::secrets::Secrets;
use super::tenants::Tenants;
use super::{OpsError, Result};
use crate::records::values::{AuditRecord, IdempotencyRecord, Revision};
use crate::records::{Batch, Records, if_unchanged, keys};
use crate::registry::Registries;
use crate::store::Expect;

/// A draft with its complete plan.
struct Planned {
    draft: Draft,
    /// The plan in the bytes that are hashed and stored.
    plan: Verbatim<Plan>,
    /// The hash of the catalog that it was planned with.
    catalog: ContentHash,
    changes: Vec<Change>,
    enrolled: BTreeSet<NodeName>,
    decision: VersionDecision,
}

/// The digests that registries returned in the course of one request.
type Answers = Mutex<BTreeMap<ImageName, Digest>>;

/// Changes what tenants run. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Changes {
    pub(super) env: Env,
    pub(super) records: Records,
    pub(super) tenants: Tenants,
    pub(super) catalogs: Arc<Catalogs>,
    pub(super) registries: Arc<Registries>,
    pub(super) secrets: Secrets,
}

impl Changes {
    /// Makes a change, or returns what it would be if the request is a dry run.
    pub async fn make(
        &self,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<ChangeResult> {
        // An attempt after a conflict does not ask the registries again.
        let answers = Answers::default();
        retry_conflicts(|| self.try_change(request, context, &answers)).await
    }

    async fn try_change(
        &self,
        request: &ChangeRequest,
        context: &RequestContext,
        answers: &Answers,
    ) -> Result<ChangeResult> {
        let read = request.read()?;
        let mistakes = read.given.as_ref().map(|given| given.problems.clone()).unwrap_or_default();
        match self.try_read(read, request, context, answers).await {
            Err(OpsError::Problems(all)) => Err(OpsError::Problems(all)),
            // What else is wrong cannot be found now; the mistakes of the document are known.
            Err(_) if !mistakes.0.is_empty() => Err(OpsError::Problems(mistakes.sorted())),
            made => made,
        }
    }

    async fn try_read(
        &self,
        read: ReadRequest,
        request: &ChangeRequest,
        context: &RequestContext,
        answers: &Answers,
    ) -> Result<ChangeResult> {
        let ReadRequest { tenant, given } = read;
        if let Some(done) = self.without_plan(&tenant, request, context).await? {
            return Ok(done);
        }
        let rotation = self.rotation(request, context).await?;
        if let Some(made) = &rotation
            && self.records.get(&keys::head(&tenant)).await?.is_none()
        {
            let unused = Unused { tenant: &tenant, head: None, made };
            return self.commit_unused(unused, request, context).await;
        }
        let mut draft = self.draft(request, tenant, given, rotation).await?;
        self.certify(&mut draft, request, context).await?;
        let planned = self.planned(request, draft, answers, context).await?;
        if let Some(unused) = planned.unused() {
            return self.commit_unused(unused, request, context).await;
        }
        if let Some(kept) = self.keep_unused(&planned, request, context).await? {
            return Ok(kept);
        }
        if let Some(revision) = planned.already_in_effect()? {
            return self.commit_unchanged(planned, revision, request, context).await;
        }
        context.check_revision(&planned.draft.tenant, planned.plan.revision)?;
        context.check_removals(&planned.draft.tenant, &planned.changes)?;
        context.check_one_way(&planned.decision)?;
        failpoint::reach("C2");
        if !context.dry_run {
            self.commit_change(&planned, request, context).await?;
        }
        planned.result(request)
    }

    /// Returns the result of a request that needs no plan: it was made before, or it makes no revision.
    async fn without_plan(
        &self,
        tenant: &TenantId,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<Option<ChangeResult>> {
        if let Some(replay) = self.replay(tenant, request, context).await? {
            return Ok(Some(replay));
        }
        if let Some(kept) = self.keep_certificate(request, context).await? {
            return Ok(Some(kept));
        }
        self.ask_for_certificate(request, context).await
    }

    async fn planned(
        &self,
        request: &ChangeRequest,
        draft: Draft,
        answers: &Answers,
        context: &RequestContext,
    ) -> Result<Planned> {
        match request {
            ChangeRequest::TakeOrdered { .. } => self.plan_ordered(draft).await,
            ChangeRequest::Apply { .. }
            | ChangeRequest::SetVersion { .. }
            | ChangeRequest::SetRelease { .. }
            | ChangeRequest::Rollback { .. }
            | ChangeRequest::RotateSecret { .. }
            | ChangeRequest::SetCertificate { .. }
            | ChangeRequest::RenewCertificate { .. } => self.plan(draft, answers, context).await,
        }
    }

    async fn plan(
        &self,
        mut draft: Draft,
        answers: &Answers,
        context: &RequestContext,
    ) -> Result<Planned> {
        let nodes = node_facts(&self.records, &draft.tenant).await?;
        let catalog = match self.catalogs.of(&draft.spec) {
            Ok(catalog) => catalog,
            Err(problem) => return Err(self.without_catalog(&draft, &nodes, problem).await),
        };
        let refused = self.check_catalog(&mut draft, catalog, &nodes).await?;
        draft.problems.extend(refused);
        let spec = &draft.spec;
        let decision = self.check_release(&draft, context).await?;
        // The problems are found before the registries are asked, so that all problems
        // are reported together.
        let (prepared, mut problems) = self.prepare(&draft, &catalog.catalog, &nodes, &decision);
        let images = prepared.images();
        if nodes.is_empty() {
            problems.0.extend(self.suggest_tenant(spec).await?);
        }
        problems.0.extend(decision.problems(spec));
        let is_refused = !problems.0.is_empty();
        let mut digests = answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        digests.append(&mut draft.known);
        if let Some(head) = &draft.head {
            self.add_recorded(&draft.tenant, head.value.last, images, &mut digests).await;
        }
        let logins = self.usable_logins(&draft, images, &digests, is_refused).await?;
        let questions = Questions { spec, images, logins: &logins, is_refused };
        let said = self.resolve(questions, &mut digests).await;
        answers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&digests);
        problems.0.extend(said.problems.0);
        problems.0.extend(prepared.unusable(spec, &nodes, &said.facts).0);
        problems.into_result(()).map_err(OpsError::Problems)?;
        if let Some(failure) = said.failure {
            return Err(OpsError::Registry(failure));
        }
        let plan = Verbatim::seal(prepared.finish(&digests).map_err(OpsError::Problems)?);
        check_size(spec, &plan)?;
        let mut changes = diff(draft.before.as_ref().map(|(_, plan)| &**plan), &plan);
        plan::presence::explain(&mut changes, &plan.absent);
        let (catalog, enrolled) = (catalog.content.clone(), nodes.into_keys().collect());
        Ok(Planned { draft, plan, catalog, changes, enrolled, decision })
    }

    async fn commit_change(
        &self,
        planned: &Planned,
        request: &ChangeRequest,
        context: &RequestContext,
    ) -> Result<()> {
        let Planned { draft, plan, .. } = planned;
        let (tenant, number, now) = (&draft.tenant, plan.revision, self.env.now());
        let rollout = self.begin(planned, now).await?;
        let plan_key = keys::plan(tenant, number, plan.hash());
        // The plan is written first and alone. No record names it until the commit below.
        self.records.commit(Batch::default().put_verbatim(&plan_key, Expect::Any, plan)).await?;
        failpoint::reach("C3");
        let mut batch = planned.intent(context, now).put(
            &keys::rollout(tenant),
            if_unchanged(draft.rollout.as_ref()),
            &rollout,
        );
        if let Some(op_id) = &context.op_id {
            let made = IdempotencyRecord {
                warnings: said(&planned.decision),
                release: planned.decision.release.clone(),
                secret_version: planned.made_version(),
                ..IdempotencyRecord::new(number, self.fingerprint(request)?)
            };
            batch = batch.put(&keys::idempotency(tenant, op_id), Expect::Absent, &made);
        }
        if let Some(made) = &draft.rotation {
            let line = self.rotated(tenant, made, context, Some(number));
            batch = made.put(batch, tenant).audit(&line);
        }
        batch = self.with_certificate(batch, draft, context, Some(number));
        if let Some(made) = &draft.account {
            batch = made.put(batch, tenant);
        }
        self.records.commit(batch).await?;
        failpoint::reach("C4");
        tracing::info!(%tenant, revision = %number, kind = draft.kind.as_str(), who = %context.who, "a change was accepted");
        Ok(())
    }

    /// Returns the rollout from the last good revision to the new one.
    async fn begin(&self, planned: &Planned, now: Timestamp) -> Result<Rollout> {
        let Planned { draft, plan, enrolled, .. } = planned;
        let good = match planned.good() {
            Some(good) => self.tenants.plan_of(&draft.tenant, good).await?,
            None => None,
        };
        Ok(Rollout::begin(Begin {
            from: good.as_deref(),
            to: plan,
            superseded: draft.rollout.as_ref().map(|rollout| &rollout.value),
            enrolled,
            now,
        }))
    }
}

/// Returns what is audited of a change.
fn made(
    kind: &str,
    number: RevisionNumber,
    context: &RequestContext,
    decision: &VersionDecision,
) -> String {
    let why = if decision.is_forced() { context.recorded_why(decision) } else { String::new() };
    let why = if why.is_empty() { why } else { format!(" ({why})") };
    format!("{kind} made revision {number}{why}")
}

impl Planned {
    /// Returns the current revision if the planned change would change nothing.
    fn already_in_effect(&self) -> Result<Option<RevisionNumber>> {
        let Draft { head, rollout, spec, .. } = &self.draft;
        let before = self.draft.base()?;
        Ok(already_in_effect(
            head.as_ref().map(|head| head.value),
            rollout.as_ref().map(|rollout| &rollout.value),
            &self.changes,
            before.as_ref(),
            spec,
        ))
    }

    /// Returns what is said of the change.
    fn result(self, request: &ChangeRequest) -> Result<ChangeResult> {
        let (secret_version, certificate) = (self.secret_version(), self.certificate());
        let mut notes = self.notes(request);
        notes.extend(self.pauses());
        let Self { draft, plan, changes, decision, .. } = self;
        let was = draft.base()?.map(|base| base.rollout);
        let settings = strategy(was.as_ref(), &draft.spec.rollout);
        Ok(ChangeResult {
            changed: true,
            new_tenant: draft.head.is_none(),
            changes,
            settings,
            secret_version,
            certificate,
            notes,
            one_way: decision.one_way().is_some(),
            warnings: said(&decision),
            release: decision.release,
            ..ChangeResult::nothing(draft.tenant, plan.revision)
        })
    }

    /// Returns the last revision whose rollout was completed.
    fn good(&self) -> Option<RevisionNumber> {
        self.draft.head.as_ref().and_then(|head| head.value.good)
    }

    /// Returns the records of the change itself and of the revision that it supersedes.
    fn intent(&self, context: &RequestContext, now: Timestamp) -> Batch {
        let Self { draft, plan, catalog, changes, decision, .. } = self;
        let (tenant, number) = (&draft.tenant, plan.revision);
        let head = draft.head.as_ref().map(|head| head.value);
        let rollout = draft.rollout.as_ref().map(|rollout| &rollout.value);
        let (head, superseded) = after_change(head, number, rollout, now);
        let audit = AuditRecord {
            at: now,
            who: context.who.to_string(),
            what: made(draft.kind.as_str(), number, context, decision),
            tenant: Some(tenant.clone()),
            node: None,
        };
        let revision = Revision {
            number,
            spec_yaml: draft.text.clone(),
            at: now,
            who: context.who.to_string(),
            why: context.recorded_why(decision),
            kind: draft.kind,
            changes: changes.clone(),
            plan: plan.hash().clone(),
            catalog: Some(catalog.clone()),
        };
        let batch = Batch::default()
            .put(&keys::revision(tenant, number), Expect::Absent, &revision)
            .put(&keys::head(tenant), if_unchanged(draft.head.as_ref()), &head)
            .audit(&audit);
        match superseded {
            Some((number, outcome)) => {
                batch.put(&keys::outcome(tenant, number), Expect::Any, &outcome)
            }
            None => batch,
        }
    }
}
