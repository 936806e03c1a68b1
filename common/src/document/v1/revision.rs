//! Revisions of a tenant, and the pointers to them.

use serde::{Deserialize, Serialize};

use crate::document::{Document, is_default};
use crate::id::{ComponentName, ContentHash, NodeName, ReleaseName, RevisionNumber};
use crate::time::Timestamp;

/// An accepted change of a tenant. What it says is never changed afterwards; only its text is
/// replaced by one with the same content and other comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    pub number: RevisionNumber,
    /// The tenant's specification, as the operator wrote it.
    pub spec_yaml: String,
    pub at: Timestamp,
    pub who: String,
    /// The reason that the operator gave, or an empty text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub why: String,
    /// The kind of change that made the revision.
    pub kind: RevisionKind,
    /// The differences from the previous revision.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes: Vec<Change>,
    /// The content hash of its plan.
    pub plan: ContentHash,
    /// The hash of all texts of the catalog that it was planned with, or of a later one with which
    /// it was applied again and nothing changed; none if an earlier release made it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub catalog: Option<ContentHash>,
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
    /// The operator gave a secret a new version.
    RotateSecret,
    /// The operator gave the tenant another certificate, or asked for one.
    RotateCertificate,
    /// A kind that only a later release knows. Nothing is decided by it.
    #[serde(other)]
    Unknown,
}

/// A change of one instance between two plans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    pub node: NodeName,
    pub component: ComponentName,
    pub kind: ChangeKind,
    /// The version before; empty if there was none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: String,
    /// The version after; empty if there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub to: String,
    /// The differences other than the version.
    #[serde(default, skip_serializing_if = "is_default")]
    pub note: String,
}

/// The way in which an instance changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The instance is new.
    Add,
    Remove,
    /// The instance is stopped and started with another workload.
    Replace,
    /// Only its probes or the policy for changes differ, so the instance keeps running.
    Update,
    /// A kind that only a later release knows. Nothing is decided by it.
    #[serde(other)]
    Unknown,
}

/// The relevant revisions of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The revision that the operators asked for.
    pub current: RevisionNumber,
    /// The highest revision number so far.
    pub last: RevisionNumber,
    /// The last revision whose rollout was completed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub good: Option<RevisionNumber>,
}

/// The revision that a node should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub revision: RevisionNumber,
}

/// The record of a change with an operation id, which makes a repeated request return
/// the same revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The revision that the change made, or on which it was made.
    pub revision: RevisionNumber,
    /// The content hash of the request.
    pub request: ContentHash,
    /// Whether the request made no revision: it replaced the text of that one only or, with a
    /// version of a secret or of the certificate, nothing of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub text_only: bool,
    /// What the releases of the catalog said about the change, in sentences.
    #[serde(default, skip_serializing_if = "is_default")]
    pub warnings: Vec<String>,
    /// The release that its versions are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub release: Option<ReleaseName>,
    /// The number of the version that the rotation of a secret made or, of another request, that of the
    /// certificate that it made; 0 if it made none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secret_version: u64,
}

impl IdempotencyRecord {
    /// Makes the record of a request that made that revision, and about which there is no more to
    /// say.
    #[must_use]
    pub fn new(revision: RevisionNumber, request: ContentHash) -> Self {
        let (text_only, warnings, release, secret_version) = (false, Vec::new(), None, 0);
        Self { revision, request, text_only, warnings, release, secret_version }
    }
}

impl RevisionKind {
    /// Returns the name of the kind, as people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RevisionKind::Apply => "apply",
            RevisionKind::SetVersion => "set-version",
            RevisionKind::Rollback => "rollback",
            RevisionKind::RotateSecret => "rotate-secret",
            RevisionKind::RotateCertificate => "rotate-certificate",
            RevisionKind::Unknown => "unknown",
        }
    }
}

impl ChangeKind {
    /// Returns the name of the kind, as people see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Add => "add",
            ChangeKind::Remove => "remove",
            ChangeKind::Replace => "replace",
            ChangeKind::Update => "update",
            ChangeKind::Unknown => "unknown",
        }
    }
}

impl Document for Revision {
    const KIND: &'static str = "a revision";
    const VERSION: Option<u32> = Some(1);
}

impl Document for Head {
    const KIND: &'static str = "a tenant's head";
    const VERSION: Option<u32> = Some(1);
}

impl Document for Target {
    const KIND: &'static str = "a target";
    const VERSION: Option<u32> = Some(1);
}

impl Document for IdempotencyRecord {
    const KIND: &'static str = "a change made under an id";
    const VERSION: Option<u32> = Some(1);
}
