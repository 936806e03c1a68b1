//! Rollouts: the moves of a tenant's nodes from one revision to another.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::report::Failure;
use crate::document::{Document, is_default};
use crate::id::{ComponentName, NodeName, OperationName, RevisionNumber};
use crate::time::Timestamp;

/// The move of a tenant's nodes from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The last revision known to be good; absent for a tenant's first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: Option<RevisionNumber>,
    /// The wanted revision.
    pub to: RevisionNumber,
    /// The nodes that change, wave by wave.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waves: Vec<Vec<NodeName>>,
    pub state: State,
    pub since: Timestamp,
    /// The failures so far; only the first ones if there are many.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: Vec<NodeFailure>,
    /// The nodes whose pointer the rollout has moved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub moved: BTreeSet<NodeName>,
    /// The nodes that another rollout left between revisions, so that they come from
    /// neither of this rollout's two. Everything on them is checked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inherited: BTreeSet<NodeName>,
}

/// The state of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum State {
    /// The nodes of this wave are being moved.
    Progressing {
        /// The index of the wave, from 0.
        wave: usize,
    },
    /// Every node runs the wanted revision.
    Completed,
    /// An operator has to decide.
    Paused {
        why: PauseReason,
        /// Whether the rollout was rolling back when it paused, so that the next change is
        /// made on the previous revision.
        #[serde(default, skip_serializing_if = "is_default")]
        returning: bool,
    },
    /// The moved nodes are being moved back.
    RollingBack { why: FailureSummary },
    /// Every node runs the previous revision.
    RolledBack { why: FailureSummary },
    /// A later change superseded the rollout before it ended.
    Superseded,
}

/// Why an operator has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum PauseReason {
    /// The wanted revision failed, and nothing may or can be rolled back.
    Failed { change: FailureSummary },
    /// The wanted revision failed, and so did the revision before it.
    RollbackFailed {
        /// The failures of the wanted revision.
        change: FailureSummary,
        /// The failures during the rollback.
        rollback: FailureSummary,
    },
    /// The wanted revision failed, and an operation of it that cannot be undone may have run.
    NoWayBack {
        change: FailureSummary,
        /// The component whose operation it is.
        component: ComponentName,
        operation: OperationName,
    },
    /// The controller was restored from a backup.
    Restored,
    /// A reason of a later release. An operator has to decide.
    #[serde(other)]
    Unknown,
}

/// The failures of a rollout in short: the first of them, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureSummary {
    /// The components that failed first, at most five.
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
    /// The message that the agent reported.
    pub message: String,
}

/// A failure of one component on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFailure {
    pub node: NodeName,
    pub component: ComponentName,
    pub failure: Failure,
}

/// The outcome of the rollout of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutOutcome {
    /// The state in which the rollout ended.
    pub state: State,
    pub at: Timestamp,
    /// The failures during the rollout; only the first ones if there are many.
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
