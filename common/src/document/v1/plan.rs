//! Plans: the instances of every node of a tenant under one revision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::desired::TenantPolicy;
use crate::document::{Document, Share, is_default};
use crate::id::{ComponentName, NodeName, RevisionNumber, TenantId};

/// The instances that every node of a tenant runs under one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub tenant: TenantId,
    /// The revision that the plan belongs to.
    pub revision: RevisionNumber,
    pub strategy: Strategy,
    /// How the tenant's instances are changed. Each of them has it too; the nodes without
    /// one get it from here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: Option<TenantPolicy>,
    /// The instances of every node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nodes: BTreeMap<NodeName, Share>,
    /// The order in which nodes change. The nodes of one wave may change together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waves: Vec<Vec<NodeName>>,
    /// The components of the specification that do not exist, because the catalog has a
    /// condition for them that does not hold; each with the reason.
    #[serde(default, skip_serializing_if = "is_default")]
    pub absent: BTreeMap<ComponentName, String>,
}

/// The strategy of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strategy {
    /// The number of nodes that may change at the same time.
    pub max_parallel: u32,
    /// The reaction to a new version that fails.
    pub on_failure: OnFailure,
}

/// The reaction of a rollout to a new version that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The rollout moves every moved node back.
    Rollback,
    /// The rollout pauses, and the operator decides.
    Pause,
}

impl OnFailure {
    /// Returns the word for it in a specification.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Pause => "pause",
        }
    }
}

impl Document for Plan {
    const KIND: &'static str = "a plan";
    const VERSION: Option<u32> = Some(1);
}
