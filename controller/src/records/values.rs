//! The types of the records.

use std::collections::BTreeSet;

use oml_common::decide::diff::Change;
use oml_common::decide::plan::AgentFacts;
use oml_common::document::assignment::{Assignment, AssignmentDocument};
use oml_common::document::report::Report;
use oml_common::document::{Document, Feature};
use oml_common::id::{ContentHash, NodeName, RevisionNumber, RoleName, TenantId};
use oml_common::time::Timestamp;
use oml_daemon::tls::Serial;
use serde::{Deserialize, Serialize};

use crate::pki::{NodeCertificates, TokenRecord};

pub use oml_common::decide::head::{Head, RolloutOutcome};

/// The address at which operators and nodes reach the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicEndpoint {
    pub name: String,
    /// The host name or IP address, without a port.
    pub host: String,
}

/// An accepted change of a tenant. It is never changed afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: RevisionNumber,
    /// The tenant's specification, as the operator wrote it.
    pub spec_yaml: String,
    pub at: Timestamp,
    pub who: String,
    /// The reason that the operator gave, or an empty text.
    pub why: String,
    /// The kind of change that made the revision.
    pub kind: RevisionKind,
    /// The differences from the previous revision.
    pub changes: Vec<Change>,
    /// The content hash of its plan.
    pub plan: ContentHash,
}

/// The kind of change that made a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevisionKind {
    /// The operator applied a specification.
    Apply,
    /// The operator set versions in the current specification.
    SetVersion,
    /// The operator rolled back to an earlier revision.
    Rollback,
}

impl RevisionKind {
    /// Returns the name of the kind, as people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RevisionKind::Apply => "apply",
            RevisionKind::SetVersion => "set-version",
            RevisionKind::Rollback => "rollback",
        }
    }
}

/// The record of a change with an operation id, which makes a repeated request return
/// the same revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The revision that the change made.
    pub revision: RevisionNumber,
    /// The content hash of the request.
    pub request: ContentHash,
}

/// An operator for whom a bundle was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    pub newest: Serial,
    /// The newest revoked certificate; all older ones are revoked too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
}

/// The id of a machine, from `/etc/machine-id` (machine-id(5)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineId(String);

/// The error of a text that is not a machine id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a machine id must have 32 hexadecimal digits")]
pub struct InvalidMachineId;

impl std::str::FromStr for MachineId {
    type Err = InvalidMachineId;

    fn from_str(text: &str) -> Result<Self, InvalidMachineId> {
        let is_valid = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidMachineId) }
    }
}

impl std::fmt::Display for MachineId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An enrolled node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub roles: BTreeSet<RoleName>,
    /// The host name or IP address at which other hosts reach the node.
    pub address: String,
    /// The TCP port of its agent's metrics; 0 if there is none or it is unknown.
    pub metrics_port: u16,
    /// The id of its machine, which its agent reported in its first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// The version and features of its agent; `None` before its first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRecord>,
    pub enrolled: Timestamp,
    pub certificates: NodeCertificates,
    /// The newest revoked certificate; all older ones are revoked too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
}

impl NodeRecord {
    /// Returns whether the node belongs to its tenant, and was not removed.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.removed.is_none()
    }
}

/// The facts that an agent reports about itself at the start of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    pub version: String,
    /// The names of its features, including those that this release does not know.
    pub features: BTreeSet<String>,
}

// The limits of the facts that are stored of an agent.
const AGENT_VERSION_CHARS_MAX: usize = 64;
const FEATURES_MAX: usize = 256;
const FEATURE_BYTES_MAX: usize = 64;

impl AgentRecord {
    /// Makes the record of what an agent reported. Whatever exceeds the limits is left
    /// out.
    #[must_use]
    pub fn new(version: &str, features: Vec<String>) -> Self {
        let version = version.chars().take(AGENT_VERSION_CHARS_MAX).collect();
        let fitting = features.into_iter().filter(|word| word.len() <= FEATURE_BYTES_MAX);
        Self { version, features: fitting.take(FEATURES_MAX).collect() }
    }

    /// Returns the facts that a plan depends on.
    #[must_use]
    pub fn facts(self) -> AgentFacts {
        let features = Feature::known(self.features.iter().map(String::as_str));
        AgentFacts { version: self.version, features }
    }
}

/// The last report of a node that differed in substance, and when the node last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// The time of the node's last report, by the controller's clock.
    pub at: Timestamp,
    pub report: Report,
}

/// A line of the audit trail. It is written in the same commit as the change it
/// describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub at: Timestamp,
    pub who: String,
    pub what: String,
    pub tenant: Option<TenantId>,
    pub node: Option<NodeName>,
}

/// The revision that a node should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub revision: RevisionNumber,
}

/// The epoch of the store. Every restore from a backup raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: u64,
}

/// An assignment with the content hash of its share, which is computed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AssignmentDocument", into = "AssignmentDocument")]
pub struct Assigned {
    pub assignment: AssignmentDocument,
    /// The result of [`oml_common::document::Share::hash`] for the assignment.
    pub hash: ContentHash,
}

impl From<AssignmentDocument> for Assigned {
    fn from(assignment: AssignmentDocument) -> Self {
        let hash = assignment.content.share.hash();
        Self { assignment, hash }
    }
}

impl From<Assignment> for Assigned {
    fn from(assignment: Assignment) -> Self {
        AssignmentDocument::seal(assignment).into()
    }
}

impl From<Assigned> for AssignmentDocument {
    fn from(assigned: Assigned) -> Self {
        assigned.assignment
    }
}

/// Implements [`Document`] for record types of version 1, each with its name in
/// messages.
macro_rules! documents {
    ($($kind:ty: $what:literal;)*) => {
        $(impl Document for $kind {
            const KIND: &'static str = $what;
            const VERSION: Option<u32> = Some(1);
        })*
    };
}

documents! {
    AuditRecord: "a line of the audit log";
    Epoch: "an epoch";
    IdempotencyRecord: "a change made under an id";
    LastReport: "a node's last report";
    NodeRecord: "a node";
    OperatorRecord: "an operator";
    PublicEndpoint: "a public endpoint";
    Revision: "a revision";
    Target: "a target";
    TokenRecord: "a join token";
}

impl Document for Assigned {
    const KIND: &'static str = "an assignment";
    // The assignment inside has a version of its own.
    const VERSION: Option<u32> = None;
}
