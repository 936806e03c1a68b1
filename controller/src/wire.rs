//! Converts the types of the operations to those of the wire. Only this module turns an
//! error into a status.

use oml_common::decide::status::{RolloutSummary, summary};
use oml_common::decide::verdict::Sentence;
use oml_common::document::revision::Change;
use oml_common::document::rollout::NodeFailure;
use oml_common::id::{ComponentName, Generation, NodeName, RevisionNumber};
use oml_common::text::error::chain;
use oml_common::text::problem::{Problem, Problems};
use oml_common::time::Timestamp;
use oml_proto::report::{failure_to_wire, generation_to_wire, to_wire};
use oml_proto::{host_policy, problem, v1};
use tonic::{Code, Status};

use crate::ops::change::{ChangeResult, TenantRelease, TenantReleases};
use crate::ops::history::{HistoryEntry, PastOutcome};
use crate::ops::nodes::IssuedCertificate;
use crate::ops::presence::NodePresence;
use crate::ops::status::{FleetStatus, NodeStatus, RolloutStatus, TenantStatus};
use crate::ops::verdict::ChangeProgress;
use crate::ops::{OpsError, UnreadablePlan};
use crate::records::values::RevisionKind;
use crate::store::StoreError;

mod options;
mod secrets;
mod settings;
mod tls;

pub(crate) use self::options::request_context;
pub(crate) use self::secrets::{new_secret, secret, secret_values};
pub(crate) use self::settings::settings;
pub(crate) use self::tls::{given_pem, tls};

/// The time for which the refusal of a host's copy is shown. The copy tries again sooner
/// than that.
const DUPLICATE_SHOWN_MS: u64 = 15 * 60_000;

/// Returns the status for an error.
pub(crate) fn status_of(error: &OpsError) -> Status {
    let code = match error {
        OpsError::Problems(problems) => return problem::to_status(problems),
        OpsError::ChangedMeanwhile(outdated) => {
            return problem::to_refusal(outdated, v1::Refusal::ChangedMeanwhile);
        }
        OpsError::Removes(removal) => {
            return problem::to_refusal(removal, v1::Refusal::Removes);
        }
        OpsError::OneWay(step) => return problem::to_refusal(step, v1::Refusal::OneWay),
        // The specification that the operator wrote is too large for the store.
        OpsError::Store(StoreError::Refused(reason)) => {
            let problem = Problem::new("", format!("this is too large to be kept: {reason}"));
            return problem::to_status(&Problems::from(problem));
        }
        OpsError::Registry(_)
        | OpsError::UnreadablePlan(_)
        | OpsError::Store(StoreError::NeedsNewer { .. })
        | OpsError::NoKey(_)
        | OpsError::OtherKey(_)
        | OpsError::Sealed { .. }
        | OpsError::RenewedTooSoon
        | OpsError::AddressUnstable => Code::FailedPrecondition,
        OpsError::Busy | OpsError::Store(StoreError::Conflict { .. }) => Code::Aborted,
        OpsError::Store(StoreError::Full { .. }) => Code::ResourceExhausted,
        OpsError::Store(StoreError::Damaged { .. }) => Code::DataLoss,
        // Only a restart shows whether the change was committed.
        OpsError::Store(StoreError::Stopped { .. }) => Code::Unknown,
        OpsError::Pki(_) | OpsError::Tls(_) | OpsError::Random(_) => Code::Internal,
        OpsError::Token(_)
        | OpsError::Recovery(_)
        | OpsError::Stale(_)
        | OpsError::Duplicate { .. }
        | OpsError::Twins { .. }
        | OpsError::NotEnrolled { .. } => Code::PermissionDenied,
        OpsError::Request(_) => Code::InvalidArgument,
        OpsError::NameTaken { .. } => Code::AlreadyExists,
    };
    let message = chain(error);
    if matches!(code, Code::Internal | Code::DataLoss | Code::Unknown | Code::ResourceExhausted) {
        tracing::error!(%message, "a call failed");
    }
    Status::new(code, problem::text_that_fits(&message))
}

/// Converts the result of a change.
pub(crate) fn changed(changed: ChangeResult) -> v1::ChangeReply {
    let mut changes: Vec<v1::Change> = changed.changes.iter().map(change).collect();
    if changed.changed && changes.is_empty() {
        changes.push(only_the_text());
    }
    v1::ChangeReply {
        revision: changed.revision.0,
        changed: changed.changed,
        changes,
        tenant: changed.tenant.to_string(),
        text_changed: changed.text_changed,
        new_tenant: changed.new_tenant,
        settings: changed.settings.iter().map(ToString::to_string).collect(),
        secret_version: changed.secret_version.unwrap_or_default(),
        notes: changed.notes,
        certificate: changed.certificate.map(tls::part),
        warnings: changed.warnings,
        release: changed.release.map(Into::into).unwrap_or_default(),
        one_way: changed.one_way,
        ordered_from: changed.ordered_from.unwrap_or_default(),
    }
}

/// Converts the releases of a tenant's catalog.
pub(crate) fn releases(releases: TenantReleases) -> v1::ListReleasesReply {
    let TenantReleases { catalog, current, releases } = releases;
    let release = |it: TenantRelease| v1::Release {
        name: it.name.into(),
        versions: it.versions.into_iter().map(|(name, it)| (name.into(), it.into())).collect(),
        different: it.different.into_iter().map(Into::into).collect(),
    };
    v1::ListReleasesReply {
        catalog: catalog.into(),
        releases: releases.into_iter().map(release).collect(),
        current: current.map(Into::into).unwrap_or_default(),
    }
}

/// Returns the line of a difference in which only the text of the specification changed.
fn only_the_text() -> v1::Change {
    let note = "nothing on the nodes".to_owned();
    v1::Change { kind: v1::ChangeKind::Spec.into(), note, ..v1::Change::default() }
}

fn change(change: &Change) -> v1::Change {
    v1::Change {
        kind: v1::ChangeKind::from(change.kind).into(),
        node: change.node.to_string(),
        component: change.component.to_string(),
        from: change.from.clone(),
        to: change.to.clone(),
        note: change.note.clone(),
    }
}

/// Converts a revision with its outcome.
pub(crate) fn revision(past: &HistoryEntry) -> v1::Revision {
    let outcome = past.outcome.as_ref().map_or(0, |outcome| rollout_state(outcome).into());
    let Some(revision) = &past.revision else {
        return v1::Revision {
            number: past.number.0,
            kind: v1::RevisionKind::Unknown.into(),
            why: "the revision cannot be read; the log of the controller says why".to_owned(),
            outcome,
            ..v1::Revision::default()
        };
    };
    v1::Revision {
        number: revision.number.0,
        at_ms: revision.at.0,
        who: revision.who.clone(),
        why: revision.why.clone(),
        kind: revision_kind(revision.kind).into(),
        changes: match revision.changes.as_slice() {
            [] => vec![only_the_text()],
            changes => changes.iter().map(change).collect(),
        },
        outcome,
    }
}

fn rollout_state(outcome: &PastOutcome) -> v1::RolloutState {
    match outcome {
        PastOutcome::Known(state) => v1::RolloutState::from(state),
        PastOutcome::Unreadable => v1::RolloutState::Unknown,
    }
}

fn revision_kind(kind: RevisionKind) -> v1::RevisionKind {
    match kind {
        RevisionKind::Apply => v1::RevisionKind::Apply,
        RevisionKind::SetVersion => v1::RevisionKind::SetVersion,
        RevisionKind::Rollback => v1::RevisionKind::Rollback,
        RevisionKind::RotateSecret => v1::RevisionKind::RotateSecret,
        RevisionKind::RotateCertificate => v1::RevisionKind::RotateCertificate,
        RevisionKind::Unknown => v1::RevisionKind::Unknown,
    }
}

/// Converts a host's new certificate.
pub(crate) fn certificate(certified: IssuedCertificate) -> v1::Certificate {
    v1::Certificate {
        certificate_pem: certified.certificate_pem,
        ca_pem: certified.ca_pem,
        tenant: certified.tenant.to_string(),
        node: certified.node.to_string(),
    }
}

/// Converts the status of tenants. The log lines of failures are only included for a
/// single tenant, because those of all tenants together have no bound.
pub(crate) fn status(status: FleetStatus, now: Timestamp) -> v1::StatusReply {
    let health = v1::OverallHealth::from(status.health()).into();
    let FleetStatus { tenants, broken_catalogs, .. } = status;
    let with_logs = tenants.len() == 1;
    let tenants = tenants.into_iter().map(|tenant| {
        let mut status = tenant_status(tenant, now);
        if !with_logs {
            failures(&mut status).for_each(|failure| failure.log_tail.clear());
        }
        status
    });
    v1::StatusReply { now_ms: now.0, tenants: tenants.collect(), broken_catalogs, health }
}

/// Converts the progress of a change and the verdict on it.
pub(crate) fn change_progress(progress: ChangeProgress, now: Timestamp) -> v1::ChangeProgress {
    let ChangeProgress { status, revision, verdict } = progress;
    let sentence = Sentence { verdict: &verdict, revision, tenant: &status.tenant }.to_string();
    let superseded_by = verdict.superseded_by().unwrap_or_default().0;
    let in_effect = verdict.in_effect(revision).unwrap_or_default().0;
    let outcome = v1::ChangeOutcome::from(verdict.outcome()).into();
    let holds = verdict.holds().map_or(v1::ChangeHolds::Unspecified, Into::into).into();
    let mut status = tenant_status(status, now);
    failures_of_instances(&mut status.nodes).for_each(|failure| failure.log_tail.clear());
    v1::ChangeProgress {
        now_ms: now.0,
        status: Some(status),
        verdict: Some(v1::Verdict { outcome, sentence, superseded_by, in_effect, holds }),
    }
}

fn failures(status: &mut v1::TenantStatus) -> impl Iterator<Item = &mut v1::Failure> {
    let of_rollout = status.rollout.iter_mut().flat_map(|rollout| &mut rollout.failures);
    let of_rollout = of_rollout.filter_map(|failure| failure.failure.as_mut());
    of_rollout.chain(failures_of_instances(&mut status.nodes))
}

fn failures_of_instances(nodes: &mut [v1::NodeStatus]) -> impl Iterator<Item = &mut v1::Failure> {
    let reports = nodes.iter_mut().filter_map(|node| node.report.as_mut());
    let instances = reports.flat_map(|report| report.instances.values_mut());
    instances.filter_map(|instance| instance.failure.as_mut())
}

fn tenant_status(status: TenantStatus, now: Timestamp) -> v1::TenantStatus {
    v1::TenantStatus {
        tenant: status.tenant.to_string(),
        revision: status.revision.0,
        rollout: status.rollout.as_ref().map(|r| rollout(r, status.unreadable_plan.as_ref())),
        nodes: status.nodes.iter().map(|(name, node)| node_status(name, node, now)).collect(),
        absent: status.absent.iter().map(absent).collect(),
        certificate: status
            .certificate
            .as_ref()
            .map(|it| tls::in_use(&status.tenant, it, status.account.as_ref(), now)),
    }
}

fn absent((component, reason): (&ComponentName, &String)) -> v1::AbsentComponent {
    v1::AbsentComponent { component: component.to_string(), reason: reason.clone() }
}

/// Converts a rollout. The reason why it cannot go on comes before all others.
fn rollout(status: &RolloutStatus, unreadable_plan: Option<&UnreadablePlan>) -> v1::Rollout {
    let RolloutStatus { rollout, waits_for } = status;
    let RolloutSummary { wave, waves, reason } = summary(rollout, waits_for);
    let unreadable_plan = unreadable_plan.map(ToString::to_string);
    let reasons = unreadable_plan.into_iter().chain((!reason.is_empty()).then_some(reason));
    let reason = reasons.collect::<Vec<_>>().join("; ");
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    v1::Rollout {
        from: rollout.from.unwrap_or_default().0,
        to: rollout.to.0,
        state: v1::RolloutState::from(&rollout.state).into(),
        wave: count(wave),
        waves: count(waves),
        since_ms: rollout.since.0,
        reason,
        failures: rollout.failures.iter().map(failure).collect(),
    }
}

fn failure(failure: &NodeFailure) -> v1::RolloutFailure {
    v1::RolloutFailure {
        node: failure.node.to_string(),
        component: failure.component.to_string(),
        failure: Some(failure_to_wire(&failure.failure)),
    }
}

fn node_status(name: &NodeName, status: &NodeStatus, now: Timestamp) -> v1::NodeStatus {
    let (node, presence) = (&status.snapshot.node, &status.snapshot.presence);
    let assigned = status.snapshot.assigned.as_ref();
    let generation: Option<Generation> = assigned.map(|a| a.assignment.generation);
    let version = |version: &Option<_>| version.as_ref().map(ToString::to_string);
    v1::NodeStatus {
        node: name.to_string(),
        roles: node.roles.iter().map(ToString::to_string).collect(),
        address: node.address.clone(),
        state: node_state(presence).into(),
        last_seen_ms: presence.last_seen.unwrap_or_default().0,
        target: status.target.unwrap_or(RevisionNumber(0)).0,
        assigned: generation.map(generation_to_wire),
        report: report_with(presence, now)
            .map(|report| v1::Report { revision: status.applied_revision(name).0, ..report }),
        certificate_ends_ms: node.certificates.current.expires.0,
        agent_version: node.agent.as_ref().map(|agent| agent.version.clone()).unwrap_or_default(),
        policy: node.agent.as_ref().and_then(|it| it.policy.as_ref()).map(host_policy::to_wire),
        expected: status
            .unreported(name)
            .iter()
            .map(|(name, v)| (name.to_string(), version(v).unwrap_or_default()))
            .collect(),
    }
}

/// Converts the node's report, and adds the refusal of another machine that claims to be
/// the node, which the node itself cannot see.
fn report_with(presence: &NodePresence, now: Timestamp) -> Option<v1::Report> {
    let mut wire = presence.report.as_deref().map(to_wire);
    let is_recent = |at: Timestamp| now.since_ms(at) < DUPLICATE_SHOWN_MS;
    if let Some((message, _)) = presence.duplicate.as_ref().filter(|(_, at)| is_recent(*at)) {
        wire.get_or_insert_default().errors.push(message.to_string());
    }
    wire
}

/// Returns whether the node is connected, unreachable or was never seen.
fn node_state(presence: &NodePresence) -> v1::NodeState {
    match presence {
        NodePresence { connected: true, .. } => v1::NodeState::Connected,
        NodePresence { last_seen: Some(_), .. } => v1::NodeState::Unreachable,
        NodePresence { last_seen: None, .. } => v1::NodeState::NeverSeen,
    }
}
