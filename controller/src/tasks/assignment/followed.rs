//! Which nodes a pass has to look at: those whose pointer changed since their
//! assignment was last compared with it.

use std::collections::BTreeMap;

use crate::ops::node_id::NodeId;
use crate::tasks::Trigger;

/// The version in the store of a node's pointer. Every write changes it; it is `None`
/// while the node has no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PointerVersion(pub(super) Option<u64>);

/// The pointer that the assignment of each node follows, as far as earlier passes know.
#[derive(Debug, Default)]
pub(super) struct FollowedPointers(BTreeMap<NodeId, PointerVersion>);

impl FollowedPointers {
    /// Returns whether a pass has to look at a node with this pointer. A pass after a
    /// change skips nodes whose pointer has not changed; a resync skips none.
    pub(super) fn needs_look(
        &self,
        node: &NodeId,
        pointer: PointerVersion,
        trigger: Trigger,
    ) -> bool {
        trigger == Trigger::Resync || self.0.get(node) != Some(&pointer)
    }

    /// Records that the node's assignment follows this pointer.
    pub(super) fn record(&mut self, node: NodeId, pointer: PointerVersion) {
        self.0.insert(node, pointer);
    }
}

#[cfg(test)]
mod tests;
