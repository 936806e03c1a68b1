//! Which nodes a pass has to look at: those whose assignment was not yet compared with
//! what it follows now.

use std::collections::BTreeMap;

use oml_common::id::RevisionNumber;

use crate::ops::node_id::NodeId;
use crate::tasks::Trigger;

/// What a node's assignment follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The node's pointer in this version of the store. Every write changes it.
    Pointer(u64),
    /// The policy of the tenant's present revision, because the node has no pointer. There
    /// is no revision before the tenant's first.
    Policy(Option<RevisionNumber>),
}

/// What the assignment of each node follows, as far as earlier passes know.
#[derive(Debug, Default)]
pub(super) struct FollowedSources(BTreeMap<NodeId, Source>);

impl FollowedSources {
    /// Returns whether a pass has to look at a node that follows this. A pass after a
    /// change skips nodes that follow the same as before; a resync skips none.
    pub(super) fn needs_look(&self, node: &NodeId, source: Source, trigger: Trigger) -> bool {
        trigger == Trigger::Resync || self.0.get(node) != Some(&source)
    }

    /// Forgets what the node's assignment follows, so that the next pass looks at it.
    pub(super) fn forget(&mut self, node: &NodeId) {
        self.0.remove(node);
    }

    /// Records what the node's assignment follows.
    pub(super) fn record(&mut self, node: NodeId, source: Source) {
        self.0.insert(node, source);
    }
}

#[cfg(test)]
mod tests;
