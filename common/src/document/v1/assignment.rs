//! Assignments: the complete share of a node, as it is sent to the agent and cached there.

use serde::{Deserialize, Serialize};

pub use super::desired::{ChangePolicy, Desired, OnDeadline, TenantPolicy};
use crate::document::{Document, Share, Verbatim, is_default};
use crate::id::{ContentHash, Generation, NodeName, RevisionNumber, TenantId};

/// Everything that a node should run. It is always complete, never a difference to an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The number; an agent refuses a lower one, and the same one with other content.
    pub generation: Generation,
    pub tenant: TenantId,
    pub node: NodeName,
    pub content: Content,
}

/// The part of an assignment that decides what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The revision that the share is from; 0 while the node has no target.
    pub revision: RevisionNumber,
    /// How instances are removed that the node should no longer run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: Option<TenantPolicy>,
    #[serde(rename = "instances", default, skip_serializing_if = "Share::is_empty")]
    pub share: Share,
}

impl Content {
    /// Returns how instances are removed that the node should no longer run. If only a later
    /// release can read that policy, it is that of an instance that stays.
    #[must_use]
    pub fn removal_policy(&self) -> Option<ChangePolicy> {
        let policy = self.policy.as_ref().and_then(TenantPolicy::value);
        policy.cloned().or_else(|| self.share.policy())
    }
}

/// Why an agent refuses an assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The number is lower than that of the assignment the node has.
    #[error("generation {offered} is older than {held}, which this node already has")]
    Older { offered: Generation, held: Generation },
    /// The number is that of the assignment the node has, but the content differs.
    #[error("generation {0} was already received with different content")]
    DifferentContent(Generation),
    /// The assignment is for another node.
    #[error("the assignment is for {tenant}/{node}, not for this node")]
    OtherNode { tenant: TenantId, node: NodeName },
}

impl Assignment {
    /// Checks that this assignment is for the node and may replace `held`.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if the node must keep `held`.
    pub fn accept_after(
        &self,
        held: Option<&Assignment>,
        tenant: &TenantId,
        node: &NodeName,
    ) -> Result<(), Refusal> {
        if &self.tenant != tenant || &self.node != node {
            return Err(Refusal::OtherNode {
                tenant: self.tenant.clone(),
                node: self.node.clone(),
            });
        }
        let Some(held) = held else { return Ok(()) };
        if self.generation < held.generation {
            return Err(Refusal::Older { offered: self.generation, held: held.generation });
        }
        if self.generation == held.generation && self.content != held.content {
            return Err(Refusal::DifferentContent(self.generation));
        }
        Ok(())
    }
}

impl Document for Assignment {
    const KIND: &'static str = "an assignment";
    const VERSION: Option<u32> = Some(1);
}

/// An assignment in the bytes that the controller wrote.
pub type AssignmentDocument = Verbatim<Assignment>;

/// An assignment with the content hash of its share, which is computed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AssignmentDocument", into = "AssignmentDocument")]
pub struct Assigned {
    pub assignment: AssignmentDocument,
    /// The result of [`Share::hash`] for the assignment.
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

impl Document for Assigned {
    const KIND: &'static str = "an assignment";
    // The assignment inside has a version of its own.
    const VERSION: Option<u32> = None;
}

#[cfg(test)]
mod tests;
