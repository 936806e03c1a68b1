//! A node's complete share of the desired state, as it travels and is cached.

use serde::{Deserialize, Serialize};

use crate::document::instance::Instance;
use crate::document::{Document, ReadError, Share, Verbatim};
use crate::id::{Generation, NodeName, RevisionNumber, TenantId};

/// Everything a node must run; never a difference to something before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its number; agents refuse a lower one, and other content under the same.
    pub generation: Generation,
    pub tenant: TenantId,
    pub node: NodeName,
    pub content: Content,
}

/// The part of an assignment that decides what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The revision it was taken from; 0 when the node has no target yet.
    pub revision: RevisionNumber,
    /// One instance per component.
    #[serde(rename = "instances")]
    pub share: Share,
}

/// An instance and the manner of changing to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub instance: Verbatim<Instance>,
    /// How a change to it is made.
    pub policy: ChangePolicy,
}

/// How an instance is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePolicy {
    /// How long a new version must stay healthy before it is kept.
    pub soak_ms: u64,
    /// Longest wait for calls to end.
    pub drain_deadline_ms: u64,
    /// What happens when that wait is over.
    pub on_deadline: OnDeadline,
}

/// What happens to calls that are still up at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDeadline {
    /// Goes on waiting.
    Wait,
    /// Gives the change up; the old version stays.
    Abort,
    /// Stops the old version all the same; the calls cut are counted.
    Cut,
}

/// Why an assignment is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An older number than the one already held.
    #[error("generation {offered} is older than {held}, which this node already holds")]
    Older { offered: Generation, held: Generation },
    /// One number, two contents.
    #[error("generation {0} came a second time with different content")]
    DifferentContent(Generation),
    /// Meant for another node.
    #[error("the assignment is for {tenant}/{node}, not for this node")]
    OtherNode {
        /// Tenant it names.
        tenant: TenantId,
        /// Node it names.
        node: NodeName,
    },
}

impl Assignment {
    /// Whether this may take the place of `held` on the node named.
    ///
    /// # Errors
    /// A [`Refusal`]; the held assignment then stays.
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

impl Desired {
    /// Reads an entry of a share.
    pub(crate) fn read(text: &str) -> Result<Self, ReadError> {
        serde_json::from_str(text)
            .map_err(|source| ReadError::Malformed { kind: "an instance", source })
    }
}

/// An assignment in the bytes that its controller made.
pub type AssignmentDocument = Verbatim<Assignment>;

#[cfg(test)]
mod tests;
