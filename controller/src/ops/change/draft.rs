//! A change request, together with the tenant's current state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oml_common::decide::plan::{ImageName, conflicts};
use oml_common::decide::secrets::{ChosenSecret, ChosenSecrets, choose};
use oml_common::decide::{self, head::base};
use oml_common::document::plan::Plan;
use oml_common::document::rollout::Rollout;
use oml_common::document::spec::{TenantSpec, with_known_versions};
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{
    AccountThumbprint, ComponentName, Digest, RevisionNumber, SecretMark, TenantId,
};
use oml_common::text::problem::{Problem, Problems};

use super::Changes;
use super::request::{ChangeRequest, GivenSpec};
use crate::ops::error::collect;
use crate::ops::secrets::{NewAccount, NewCertificate, NewVersion};
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
    /// The revision to which a rollback leads.
    pub(super) back_to: Option<RevisionNumber>,
    pub(super) text: String,
    pub(super) spec: TenantSpec,
    pub(super) kind: RevisionKind,
    /// The plans of the revisions of which something may be running.
    pub(super) may_run: Vec<Arc<Plan>>,
    /// The digests that are already recorded.
    pub(super) known: BTreeMap<ImageName, Digest>,
    /// The versions of the tenant's secrets that the plan names.
    pub(super) secrets: ChosenSecrets,
    /// The new version of a secret that the change makes.
    pub(super) rotation: Option<NewVersion>,
    /// The certificate that the change makes.
    pub(super) certificate: Option<NewCertificate>,
    /// The thumbprint of the account by which challenges are answered, of a tenant that orders its
    /// certificate.
    pub(super) thumbprint: Option<AccountThumbprint>,
    /// The account, if the change makes it.
    pub(super) account: Option<NewAccount>,
    /// What is wrong besides what the plan finds.
    pub(super) problems: Vec<Problem>,
    /// What is right about the text and may surprise, in lines for people.
    pub(super) notes: Vec<String>,
}

/// The wanted specification as text.
struct Wanted {
    text: String,
    /// The digests that are already recorded.
    known: BTreeMap<ImageName, Digest>,
    kind: RevisionKind,
    /// The plan whose versions of secrets are wanted.
    secrets_of: Option<Arc<Plan>>,
    /// What is right about it and may surprise, in lines for people.
    notes: Vec<String>,
    /// What the request wants and the text cannot say. The rest is planned, so that what else is
    /// wrong is found too.
    problems: Vec<Problem>,
}

impl Changes {
    /// Reads the records and makes the draft. `given` is the specification that came with
    /// the request, if there was one.
    pub(super) async fn draft(
        &self,
        request: &ChangeRequest,
        tenant: TenantId,
        given: Option<GivenSpec>,
        rotation: Option<NewVersion>,
    ) -> Result<Draft> {
        let records = &self.records;
        let head = records.get(&keys::head(&tenant)).await?;
        let rollout = records.get(&keys::rollout(&tenant)).await?;
        let way = rollout.as_ref().map(|rollout| &rollout.value);
        let before = match head.as_ref().map(|head| base(head.value, way)) {
            Some(base) => self.text_and_plan(&tenant, base).await?,
            None => None,
        };
        let head_value = head.as_ref().map(|head| &head.value);
        let wanted = self.wanted(request, &tenant, head_value, before.as_ref()).await?;
        let Wanted { text, known, kind, secrets_of, notes, mut problems } = wanted;
        let spec = match given {
            Some(given) => {
                problems.extend(given.problems.0);
                given.spec
            }
            None => TenantSpec::parse(&text).map_err(OpsError::Problems)?,
        };
        let mut may_run = Vec::new();
        for number in decide::change::may_run(head.as_ref().map(|head| head.value), way) {
            may_run.extend(self.tenants.plan_of(&tenant, number).await?);
        }
        let present = before.as_ref().map(|(_, plan)| &**plan);
        let secrets =
            self.chosen_secrets(&tenant, secrets_of.as_deref(), present, rotation.as_ref()).await?;
        let back_to = request.back_to();
        let draft = Draft {
            tenant,
            head,
            rollout,
            before,
            back_to,
            text,
            spec,
            kind,
            known,
            may_run,
            secrets,
            rotation,
            certificate: None,
            thumbprint: None,
            account: None,
            problems,
            notes,
        };
        Ok(draft)
    }

    /// Returns the wanted text. `before` is what the change is made on.
    async fn wanted(
        &self,
        request: &ChangeRequest,
        tenant: &TenantId,
        head: Option<&Head>,
        before: Option<&(String, Arc<Plan>)>,
    ) -> Result<Wanted> {
        if let ChangeRequest::Apply { spec_yaml } = request {
            let known = before.map(|(text, plan)| recorded(text, plan)).transpose()?;
            let (text, known) = (spec_yaml.clone(), known.unwrap_or_default());
            let secrets_of = before.map(|(_, plan)| Arc::clone(plan));
            let (kind, notes, problems) = (RevisionKind::Apply, Vec::new(), Vec::new());
            return Ok(Wanted { text, known, kind, secrets_of, notes, problems });
        }
        if let ChangeRequest::Rollback { to, .. } = request {
            let Some(head) = head else { return Err(self.tenants.without_revisions(tenant).await) };
            let (text, plan) = match self.text_and_plan(tenant, *to).await? {
                Some(found) if to.0 > 0 => found,
                Some(_) | None => return Err(no_revision(tenant, *to, head).into()),
            };
            let known = recorded(&text, &plan)?;
            return Ok(Wanted {
                text,
                known,
                kind: RevisionKind::Rollback,
                secrets_of: Some(plan),
                notes: Vec::new(),
                problems: Vec::new(),
            });
        }
        let Some((text, plan)) = before else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let (known, secrets_of) = (recorded(text, plan)?, Some(Arc::clone(plan)));
        let (mut notes, mut problems) = (Vec::new(), Problems::default());
        let (text, kind) = match request {
            ChangeRequest::SetVersion { versions, .. } => {
                let (text, unknown) = with_known_versions(text, versions);
                problems = unknown;
                (text, RevisionKind::SetVersion)
            }
            ChangeRequest::SetRelease { release, .. } => {
                let changed = collect(self.with_release(text, release), &mut problems)?;
                let (text, left) = changed.unwrap_or_else(|| (text.clone(), Vec::new()));
                notes = left;
                (text, RevisionKind::SetVersion)
            }
            ChangeRequest::SetCertificate { .. }
            | ChangeRequest::RenewCertificate { .. }
            | ChangeRequest::TakeOrdered { .. } => (text.clone(), RevisionKind::RotateCertificate),
            ChangeRequest::Apply { .. }
            | ChangeRequest::Rollback { .. }
            | ChangeRequest::RotateSecret { .. } => (text.clone(), RevisionKind::RotateSecret),
        };
        Ok(Wanted { text, known, kind, secrets_of, notes, problems: problems.0 })
    }

    /// Chooses the versions of the secrets: those of the wanted plan and of the present one, and
    /// the one that the change itself makes.
    pub(super) async fn chosen_secrets(
        &self,
        tenant: &TenantId,
        wanted: Option<&Plan>,
        present: Option<&Plan>,
        rotation: Option<&NewVersion>,
    ) -> Result<ChosenSecrets> {
        let kept = self.secrets.of_tenant(tenant).await?.into_iter();
        let kept = kept.map(|(name, entry)| (name, entry.value)).collect();
        let mut chosen = choose(&kept, wanted, present);
        chosen.extend(rotation.and_then(|made| Some((made.name.clone(), made.chosen()?))));
        Ok(chosen)
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
    /// Puts the parts of a certificate that cannot be made into the secrets, so that they are not
    /// missed by every component that uses them. The change is refused.
    pub(super) fn stand_in_for_certificate(&mut self) {
        for secret in [TlsSecret::Certificate, TlsSecret::Key, TlsSecret::Authority] {
            let (version, mark, has_lines) = (0, SecretMark::of_nothing(), true);
            let part = ChosenSecret { version, mark, has_lines };
            self.secrets.entry(secret.name()).or_insert(part);
        }
    }

    /// Returns the specification on which the change is made.
    pub(super) fn base(&self) -> Result<Option<TenantSpec>> {
        let base = self.before.as_ref().map(|(text, _)| TenantSpec::parse(text)).transpose();
        base.map_err(OpsError::Problems)
    }

    /// Returns a problem for everything that takes two changes to reach that plan. It may lack
    /// components that have other mistakes.
    pub(super) fn conflicts(&self, plan: &Plan) -> Vec<Problem> {
        // Nobody knows what the document removes.
        if self.spec.is_unread("components") {
            return Vec::new();
        }
        let is_planned = |name: &ComponentName| {
            plan.absent.contains_key(name)
                || plan.nodes.values().any(|share| share.instances.contains_key(name))
        };
        let lacking = self.spec.components.keys().filter(|name| !is_planned(name));
        let lacking: BTreeSet<ComponentName> = lacking.cloned().collect();
        let may_run = self.may_run.iter();
        let found = may_run.flat_map(|before| conflicts::check(before, plan, &lacking).0);
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
