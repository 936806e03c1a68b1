//! The keys of all records. The kind of record comes first in a key, so that a list
//! of one kind never reads another kind.

use std::fmt::Display;
use std::marker::PhantomData;

use oml_common::document::plan::Plan;
use oml_common::document::rollout::Rollout;
use oml_common::id::{ContentHash, NodeName, RevisionNumber, RunId, SecretName, TenantId};
use oml_daemon::tls::{Fingerprint, OperatorName};

use super::values::{
    AcmeRecord, Assigned, AuditRecord, Epoch, Head, IdempotencyRecord, LastReport, NodeRecord,
    OperatorRecord, PublicEndpoint, Revision, RolloutOutcome, RunRecord, SecretRecord, Target,
};
use super::{Prefix, RecordKey};
use crate::pki::TokenRecord;

fn key<T>(text: String) -> RecordKey<T> {
    RecordKey { text, value: PhantomData }
}

fn prefix<T>(text: impl Into<String>) -> Prefix<T> {
    Prefix { text: text.into(), value: PhantomData }
}

fn of_node<T>(kind: &str, tenant: &TenantId, node: &NodeName) -> RecordKey<T> {
    key(format!("{kind}/{tenant}/{node}"))
}

fn numbered<T>(kind: &str, tenant: &TenantId, number: RevisionNumber) -> RecordKey<T> {
    key(format!("{kind}/{tenant}/{:010}", number.0))
}

/// The key of the epoch, which every restore raises.
#[must_use]
pub fn epoch() -> RecordKey<Epoch> {
    key("meta/epoch".into())
}

/// The key of the address at which the controller is reached.
#[must_use]
pub fn public_endpoint() -> RecordKey<PublicEndpoint> {
    key("meta/public-endpoint".into())
}

/// The key of a tenant's head: its current, last and last good revisions.
#[must_use]
pub fn head(tenant: &TenantId) -> RecordKey<Head> {
    key(format!("heads/{tenant}"))
}

/// The prefix of the heads of all tenants.
#[must_use]
pub fn heads() -> Prefix<Head> {
    prefix("heads/")
}

/// The key of a tenant's rollout.
#[must_use]
pub fn rollout(tenant: &TenantId) -> RecordKey<Rollout> {
    key(format!("rollouts/{tenant}"))
}

/// The prefix of the rollouts of all tenants.
#[must_use]
pub fn rollouts() -> Prefix<Rollout> {
    prefix("rollouts/")
}

/// The key of one revision of a tenant.
#[must_use]
pub fn revision(tenant: &TenantId, number: RevisionNumber) -> RecordKey<Revision> {
    numbered("revisions", tenant, number)
}

/// The prefix of all revisions of a tenant.
#[must_use]
pub fn revisions(tenant: &TenantId) -> Prefix<Revision> {
    prefix(format!("revisions/{tenant}/"))
}

/// The key of the plan of a revision. The content hash is part of the key, so that two
/// callers that plan the same revision number do not overwrite each other's plan.
#[must_use]
pub fn plan(tenant: &TenantId, number: RevisionNumber, content: &ContentHash) -> RecordKey<Plan> {
    key(format!("plans/{tenant}/{:010}-{}", number.0, content.short()))
}

/// The key of the outcome of a revision's rollout.
#[must_use]
pub fn outcome(tenant: &TenantId, number: RevisionNumber) -> RecordKey<RolloutOutcome> {
    numbered("outcomes", tenant, number)
}

/// The prefix of the outcomes of all rollouts of a tenant.
#[must_use]
pub fn outcomes(tenant: &TenantId) -> Prefix<RolloutOutcome> {
    prefix(format!("outcomes/{tenant}/"))
}

/// The key of a node's target.
#[must_use]
pub fn target(tenant: &TenantId, node: &NodeName) -> RecordKey<Target> {
    of_node("targets", tenant, node)
}

/// The prefix of the targets of a tenant's nodes.
#[must_use]
pub fn targets(tenant: &TenantId) -> Prefix<Target> {
    prefix(format!("targets/{tenant}/"))
}

/// The prefix of the targets of all nodes of all tenants.
#[must_use]
pub fn all_targets() -> Prefix<Target> {
    prefix("targets/")
}

/// The key of a change that was made with an operation id.
#[must_use]
pub fn idempotency(tenant: &TenantId, op_id: &impl Display) -> RecordKey<IdempotencyRecord> {
    key(format!("idempotency/{tenant}/{op_id}"))
}

/// The key of an enrolled or removed node.
#[must_use]
pub fn node(tenant: &TenantId, node: &NodeName) -> RecordKey<NodeRecord> {
    of_node("nodes", tenant, node)
}

/// The prefix of the nodes of a tenant.
#[must_use]
pub fn nodes(tenant: &TenantId) -> Prefix<NodeRecord> {
    prefix(format!("nodes/{tenant}/"))
}

/// The prefix of all nodes of all tenants.
#[must_use]
pub fn all_nodes() -> Prefix<NodeRecord> {
    prefix("nodes/")
}

/// The key of one operator.
#[must_use]
pub fn operator(name: &OperatorName) -> RecordKey<OperatorRecord> {
    key(format!("operators/{name}"))
}

/// The prefix of all operators.
#[must_use]
pub fn operators() -> Prefix<OperatorRecord> {
    prefix("operators/")
}

/// The key of a join token, by the hash of its secret.
#[must_use]
pub fn token(hash: Fingerprint) -> RecordKey<TokenRecord> {
    key(format!("tokens/{hash}"))
}

/// The prefix of all join tokens.
#[must_use]
pub fn tokens() -> Prefix<TokenRecord> {
    prefix("tokens/")
}

/// The key of a secret of a tenant.
#[must_use]
pub fn secret(tenant: &TenantId, name: &SecretName) -> RecordKey<SecretRecord> {
    key(format!("secrets/{tenant}/{name}"))
}

/// The prefix of the secrets of a tenant.
#[must_use]
pub fn secrets(tenant: &TenantId) -> Prefix<SecretRecord> {
    prefix(format!("secrets/{tenant}/"))
}

/// The prefix of the secrets of all tenants.
#[must_use]
pub fn all_secrets() -> Prefix<SecretRecord> {
    prefix("secrets/")
}

/// The key of a tenant's account at an ACME directory.
#[must_use]
pub fn acme(tenant: &TenantId) -> RecordKey<AcmeRecord> {
    key(format!("acme/{tenant}"))
}

/// The prefix of the accounts of all tenants at ACME directories.
#[must_use]
pub fn all_acme() -> Prefix<AcmeRecord> {
    prefix("acme/")
}

/// The key of a node's assignment.
#[must_use]
pub fn assignment(tenant: &TenantId, node: &NodeName) -> RecordKey<Assigned> {
    of_node("assignments", tenant, node)
}

/// The prefix of the assignments of a tenant's nodes.
#[must_use]
pub fn assignments(tenant: &TenantId) -> Prefix<Assigned> {
    prefix(format!("assignments/{tenant}/"))
}

/// The prefix of all assignments of all tenants.
#[must_use]
pub fn all_assignments() -> Prefix<Assigned> {
    prefix("assignments/")
}

/// The key of a node's last report.
#[must_use]
pub fn last_report(tenant: &TenantId, node: &NodeName) -> RecordKey<LastReport> {
    of_node("reports", tenant, node)
}

/// The prefix of the last reports of all nodes of all tenants.
#[must_use]
pub fn all_last_reports() -> Prefix<LastReport> {
    prefix("reports/")
}

/// The key of a run of an operation. Later runs have higher keys.
#[must_use]
pub fn run(tenant: &TenantId, id: RunId) -> RecordKey<RunRecord> {
    key(format!("runs/{tenant}/{:06}-{:010}", id.epoch, id.number))
}

/// Reads which run it is from the rest of its key.
#[must_use]
pub fn run_id(rest: &str) -> Option<RunId> {
    let (epoch, number) = rest.split_once('-')?;
    Some(RunId { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
}

/// The prefix of the runs of a tenant, which lists the oldest first.
#[must_use]
pub fn runs(tenant: &TenantId) -> Prefix<RunRecord> {
    prefix(format!("runs/{tenant}/"))
}

/// The prefix of the audit trail, which lists the oldest line first.
#[must_use]
pub fn audits() -> Prefix<AuditRecord> {
    prefix("audit/")
}

/// The key of a line of the audit trail, by the rest of the key.
#[must_use]
pub fn audit_of(rest: &str) -> RecordKey<AuditRecord> {
    key(format!("audit/{rest}"))
}

/// The key of a line of the audit trail, by its number. Later lines have higher numbers.
#[must_use]
pub(super) fn audit_line(number: u64) -> RecordKey<AuditRecord> {
    audit_of(&format!("{number:020}"))
}

/// Reads tenant and node from the rest of a key, or returns `None` if they are not valid
/// names.
#[must_use]
pub fn tenant_and_node(rest: &str) -> Option<(TenantId, NodeName)> {
    let (tenant, node) = rest.split_once('/')?;
    Some((tenant.parse().ok()?, node.parse().ok()?))
}
