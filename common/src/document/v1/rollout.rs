//! Rollouts: the way of a tenant's nodes from one revision to another.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::report::Failure;
use crate::document::{Document, is_default};
use crate::id::{ComponentName, NodeName, RevisionNumber};
use crate::time::Timestamp;

/// The way of a tenant's nodes from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The last revision known to be good; absent for a tenant's first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: Option<RevisionNumber>,
    /// The revision wanted.
    pub to: RevisionNumber,
    /// The nodes that change, wave by wave.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waves: Vec<Vec<NodeName>>,
    pub state: State,
    pub since: Timestamp,
    /// The first failures on the way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: Vec<NodeFailure>,
    /// The nodes whose pointer the rollout has moved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub moved: BTreeSet<NodeName>,
    /// The nodes that an earlier rollout left between two revisions, so that everything
    /// on them is looked at.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inherited: BTreeSet<NodeName>,
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum State {
    /// Nodes of this wave are being moved.
    Progressing {
        /// The index of the wave, from 0.
        wave: usize,
    },
    /// Every node runs the wanted revision.
    Completed,
    /// An operator has to decide.
    Paused {
        why: PauseReason,
        /// Whether the rollout was on the way back when it paused.
        #[serde(default, skip_serializing_if = "is_default")]
        returning: bool,
    },
    /// Moved nodes are being moved back.
    RollingBack { why: FailureSummary },
    /// Every node runs the previous revision.
    RolledBack { why: FailureSummary },
    /// A later change took its place before it was done.
    Superseded,
}

/// Why an operator has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum PauseReason {
    /// The revision wanted failed, and nothing may or can be rolled back.
    Failed { change: FailureSummary },
    /// The revision wanted failed, and so did the revision before it.
    RollbackFailed {
        /// What failed first.
        change: FailureSummary,
        /// What failed while it was rolled back.
        rollback: FailureSummary,
    },
    /// The controller was restored from a backup.
    Restored,
}

/// The failures of a rollout in short: the first of them, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSummary {
    /// The first failures.
    #[serde(default, skip_serializing_if = "is_default")]
    pub named: Vec<FailedComponent>,
    /// The number of failures that are not named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more: usize,
}

/// A component that failed on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedComponent {
    pub component: ComponentName,
    pub node: NodeName,
    /// What happened, in the agent's words.
    pub message: String,
}

/// A failure of one component on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFailure {
    pub node: NodeName,
    pub component: ComponentName,
    pub failure: Failure,
}

/// What became of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutOutcome {
    /// The state that its rollout ended in.
    pub state: State,
    pub at: Timestamp,
    /// The first failures on the way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: Vec<NodeFailure>,
}

impl Document for Rollout {
    const KIND: &'static str = "a rollout";
    const VERSION: Option<u32> = Some(1);
}

impl Document for RolloutOutcome {
    const KIND: &'static str = "a rollout's outcome";
    const VERSION: Option<u32> = Some(1);
}
