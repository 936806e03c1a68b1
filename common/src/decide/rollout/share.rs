//! What one plan gives to a node.

use std::cell::OnceCell;

use crate::document::Share;
use crate::document::plan::Plan;
use crate::id::{ContentHash, NodeName, RevisionNumber};

/// A node's share of one plan, with its hash.
pub(super) struct NodeShare<'a> {
    pub(super) plan: &'a Share,
    /// The revision of the plan; `None` if there is no plan.
    pub(super) revision: Option<RevisionNumber>,
    hash: OnceCell<ContentHash>,
}

impl<'a> NodeShare<'a> {
    pub(super) fn of(plan: Option<&'a Plan>, node: &NodeName, nothing: &'a Share) -> Self {
        Self {
            plan: plan.and_then(|plan| plan.nodes.get(node)).unwrap_or(nothing),
            revision: plan.map(|plan| plan.revision),
            hash: OnceCell::new(),
        }
    }

    pub(super) fn hash(&self) -> &ContentHash {
        self.hash.get_or_init(|| self.plan.hash())
    }
}
