//! What is kept under the keys.

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

/// How the controller is reached from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicEndpoint {
    pub name: String,
    /// Its host name or address, without port.
    pub host: String,
}

/// What an operator asked for, as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: RevisionNumber,
    /// The tenant's specification.
    pub spec_yaml: String,
    pub at: Timestamp,
    pub who: String,
    /// Why, in the operator's words.
    pub why: String,
    /// By which verb.
    pub kind: ChangeKind,
    /// What differed from the revision before.
    pub changes: Vec<Change>,
    /// Identity of its plan.
    pub plan: ContentHash,
}

/// The verb that made a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A whole specification.
    Apply,
    /// Other versions in the present one.
    SetVersion,
    /// An earlier one again.
    Rollback,
}

impl ChangeKind {
    /// The word people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Apply => "apply",
            ChangeKind::SetVersion => "set-version",
            ChangeKind::Rollback => "rollback",
        }
    }
}

/// A change that was made under an operator's own id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The revision it made.
    pub revision: RevisionNumber,
    /// Identity of the request.
    pub request: ContentHash,
}

/// An operator that a bundle was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    pub newest: Serial,
    /// The newest of the certificates that no longer count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
}

/// What `/etc/machine-id` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineId(String);

/// Why a text is no machine's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a machine's id has 32 hexadecimal digits")]
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
    /// How other hosts reach it.
    pub address: String,
    /// Where its agent offers metrics; 0 when nowhere or not known.
    pub metrics_port: u16,
    /// The machine that it is, as it said in its first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// What its agent said of itself; none before its first session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRecord>,
    pub enrolled: Timestamp,
    pub certificates: NodeCertificates,
    /// The newest of its certificates that no longer count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Timestamp>,
}

impl NodeRecord {
    /// Whether it belongs to its tenant: it joined and was not removed since.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.removed.is_none()
    }
}

/// What an agent says of itself at the begin of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    pub version: String,
    /// What it can do, in its own words: those that are not known here are kept too.
    pub features: BTreeSet<String>,
}

/// How much of what an agent says of itself is kept.
const AGENT_VERSION_CHARS_MAX: usize = 64;
const FEATURES_MAX: usize = 256;
const FEATURE_BYTES_MAX: usize = 64;

impl AgentRecord {
    /// From what the agent said; what is beyond the bounds of a record is left out.
    #[must_use]
    pub fn new(version: &str, features: Vec<String>) -> Self {
        let version = version.chars().take(AGENT_VERSION_CHARS_MAX).collect();
        let fitting = features.into_iter().filter(|word| word.len() <= FEATURE_BYTES_MAX);
        Self { version, features: fitting.take(FEATURES_MAX).collect() }
    }

    /// What a plan has to know of it.
    #[must_use]
    pub fn facts(self) -> AgentFacts {
        let features = Feature::known(self.features.iter().map(String::as_str));
        AgentFacts { version: self.version, features }
    }
}

/// What a node last said that differed in substance, and when it was last heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// By the controller's clock.
    pub at: Timestamp,
    pub report: Report,
}

/// A line of the audit trail, in the same commit as its effect.
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

/// The number that every restore of the store raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    pub epoch: u64,
}

/// An assignment, and the identity of what it says should run, worked out once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AssignmentDocument", into = "AssignmentDocument")]
pub struct Assigned {
    pub assignment: AssignmentDocument,
    /// [`oml_common::document::Share::hash`] of it.
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

/// The kinds of records, each with the version of its form.
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
    // The assignment in it says its own.
    const VERSION: Option<u32> = None;
}
