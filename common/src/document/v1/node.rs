//! Enrolled nodes: the node, its agent, its certificates and its last report.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::host_policy::FoundPolicy;
use crate::document::report::Report;
use crate::document::{Document, is_default};
use crate::id::{Fingerprint, MachineId, RoleName, Serial};
use crate::text::printable::printable;
use crate::time::Timestamp;

/// An enrolled node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: BTreeSet<RoleName>,
    /// The host name or IP address at which other hosts reach the node.
    pub address: String,
    /// The TCP port of its agent's metrics; 0 if there is none or it is unknown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics_port: u16,
    /// The id of its machine, which its agent reported in its first session.
    #[serde(default, skip_serializing_if = "is_default")]
    pub machine: Option<MachineId>,
    /// The version and features of its agent; absent before its first session.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: Option<AgentRecord>,
    pub enrolled: Timestamp,
    pub certificates: NodeCertificates,
    /// The newest revoked certificate; all older ones are revoked too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub revoked: Option<Serial>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub removed: Option<Timestamp>,
}

/// The facts that an agent reports about itself at the start of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    pub version: String,
    /// The names of its features, including those that this release does not know.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: BTreeSet<String>,
    /// The rights that its host gives to containers; absent if the agent is of a release that
    /// has no such policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<FoundPolicy>,
}

/// A node's newest certificate, and the previous one until the node has shown the
/// newest, because the reply with the newest may have been lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCertificates {
    pub current: CertificateRecord,
    /// The certificate with which the node asked for `current`, until the node shows
    /// `current`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub previous: Option<CertificateRecord>,
}

/// The stored facts of one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    pub serial: Serial,
    /// The SHA-256 hash of its public key.
    pub public_key: Fingerprint,
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// The last report of a node that differed in substance, and when the node last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// The time of the node's last report, by the controller's clock.
    pub at: Timestamp,
    pub report: Report,
}

// The limits of the facts that are stored of an agent.
const AGENT_VERSION_CHARS_MAX: usize = 64;
const FEATURES_MAX: usize = 256;
const FEATURE_BYTES_MAX: usize = 64;

impl NodeRecord {
    /// Returns whether the node belongs to its tenant, and was not removed.
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.removed.is_none()
    }
}

impl AgentRecord {
    /// Makes the record of what an agent reported. The part that exceeds the limits is left
    /// out.
    #[must_use]
    pub fn new(version: &str, features: Vec<String>) -> Self {
        let version = printable(version).chars().take(AGENT_VERSION_CHARS_MAX).collect();
        let fitting = features.into_iter().filter(|word| word.len() <= FEATURE_BYTES_MAX);
        Self { version, features: fitting.take(FEATURES_MAX).collect(), policy: None }
    }

    /// Adds the policy of its host. The part that exceeds the limits is left out.
    #[must_use]
    pub fn with_policy(self, policy: Option<FoundPolicy>) -> Self {
        Self { policy: policy.map(FoundPolicy::bounded), ..self }
    }
}

impl Document for NodeRecord {
    const KIND: &'static str = "a node";
    const VERSION: Option<u32> = Some(1);
}

impl Document for LastReport {
    const KIND: &'static str = "a node's last report";
    const VERSION: Option<u32> = Some(1);
}
