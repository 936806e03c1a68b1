//! Where everything is kept. The kind comes first, so that a list of one kind
//! never reads another.

use std::fmt::Display;
use std::marker::PhantomData;

use oml_common::decide::plan::Plan;
use oml_common::decide::rollout::Rollout;
use oml_common::id::{ContentHash, NodeName, RevisionNumber, TenantId};
use oml_daemon::tls::{Fingerprint, OperatorName};

use super::values::{
    Assigned, AuditRecord, Epoch, Head, IdempotencyRecord, LastReport, NodeRecord, OperatorRecord,
    PublicEndpoint, Revision, RolloutOutcome, Target,
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

/// Raised by every restore.
#[must_use]
pub fn epoch() -> RecordKey<Epoch> {
    key("meta/epoch".into())
}

/// How the controller is reached.
#[must_use]
pub fn public_endpoint() -> RecordKey<PublicEndpoint> {
    key("meta/public-endpoint".into())
}

/// Which revisions of a tenant count.
#[must_use]
pub fn head(tenant: &TenantId) -> RecordKey<Head> {
    key(format!("heads/{tenant}"))
}

/// All tenants that have revisions.
#[must_use]
pub fn heads() -> Prefix<Head> {
    prefix("heads/")
}

/// A tenant's rollout.
#[must_use]
pub fn rollout(tenant: &TenantId) -> RecordKey<Rollout> {
    key(format!("rollouts/{tenant}"))
}

/// The rollouts of all tenants.
#[must_use]
pub fn rollouts() -> Prefix<Rollout> {
    prefix("rollouts/")
}

/// The key of one revision of a tenant.
#[must_use]
pub fn revision(tenant: &TenantId, number: RevisionNumber) -> RecordKey<Revision> {
    numbered("revisions", tenant, number)
}

/// All revisions of a tenant.
#[must_use]
pub fn revisions(tenant: &TenantId) -> Prefix<Revision> {
    prefix(format!("revisions/{tenant}/"))
}

/// A plan. Its content is part of the key, so that of two who plan the same
/// number neither overwrites the other's.
#[must_use]
pub fn plan(tenant: &TenantId, number: RevisionNumber, content: &ContentHash) -> RecordKey<Plan> {
    key(format!("plans/{tenant}/{:010}-{}", number.0, content.short()))
}

/// What became of a revision.
#[must_use]
pub fn outcome(tenant: &TenantId, number: RevisionNumber) -> RecordKey<RolloutOutcome> {
    numbered("outcomes", tenant, number)
}

/// What became of all revisions of a tenant.
#[must_use]
pub fn outcomes(tenant: &TenantId) -> Prefix<RolloutOutcome> {
    prefix(format!("outcomes/{tenant}/"))
}

/// The pointer of a node.
#[must_use]
pub fn target(tenant: &TenantId, node: &NodeName) -> RecordKey<Target> {
    of_node("targets", tenant, node)
}

/// The pointers of a tenant's nodes.
#[must_use]
pub fn targets(tenant: &TenantId) -> Prefix<Target> {
    prefix(format!("targets/{tenant}/"))
}

/// The pointers of all nodes.
#[must_use]
pub fn all_targets() -> Prefix<Target> {
    prefix("targets/")
}

/// A change that was made under an operator's own id.
#[must_use]
pub fn idempotency(tenant: &TenantId, op_id: &impl Display) -> RecordKey<IdempotencyRecord> {
    key(format!("idempotency/{tenant}/{op_id}"))
}

/// An enrolled node.
#[must_use]
pub fn node(tenant: &TenantId, node: &NodeName) -> RecordKey<NodeRecord> {
    of_node("nodes", tenant, node)
}

/// The nodes of a tenant.
#[must_use]
pub fn nodes(tenant: &TenantId) -> Prefix<NodeRecord> {
    prefix(format!("nodes/{tenant}/"))
}

/// All nodes of all tenants.
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

/// A join token, by the hash of its secret.
#[must_use]
pub fn token(hash: Fingerprint) -> RecordKey<TokenRecord> {
    key(format!("tokens/{hash}"))
}

/// All join tokens.
#[must_use]
pub fn tokens() -> Prefix<TokenRecord> {
    prefix("tokens/")
}

/// A node's assignment.
#[must_use]
pub fn assignment(tenant: &TenantId, node: &NodeName) -> RecordKey<Assigned> {
    of_node("assignments", tenant, node)
}

/// The assignments of a tenant's nodes.
#[must_use]
pub fn assignments(tenant: &TenantId) -> Prefix<Assigned> {
    prefix(format!("assignments/{tenant}/"))
}

/// All assignments of all tenants.
#[must_use]
pub fn all_assignments() -> Prefix<Assigned> {
    prefix("assignments/")
}

/// What a node last said.
#[must_use]
pub fn last_report(tenant: &TenantId, node: &NodeName) -> RecordKey<LastReport> {
    of_node("reports", tenant, node)
}

/// What all nodes last said.
#[must_use]
pub fn all_last_reports() -> Prefix<LastReport> {
    prefix("reports/")
}

/// The audit trail, the oldest line first.
#[must_use]
pub fn audits() -> Prefix<AuditRecord> {
    prefix("audit/")
}

/// A line of the audit trail, by the rest of its key.
#[must_use]
pub fn audit_of(rest: &str) -> RecordKey<AuditRecord> {
    key(format!("audit/{rest}"))
}

/// A line of the audit trail, by its number; later lines have higher ones.
#[must_use]
pub(super) fn audit_line(number: u64) -> RecordKey<AuditRecord> {
    audit_of(&format!("{number:020}"))
}

/// Tenant and node from the rest of a key.
#[must_use]
pub fn tenant_and_node(rest: &str) -> Option<(TenantId, NodeName)> {
    let (tenant, node) = rest.split_once('/')?;
    Some((tenant.parse().ok()?, node.parse().ok()?))
}
