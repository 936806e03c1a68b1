//! Makes the assignment of a node: its complete share of the revision that it should run.

use crate::document::assignment::{Assignment, Content, TenantPolicy};
use crate::document::plan::Plan;
use crate::id::{Generation, NodeName, TenantId};

/// The input of [`assign`].
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The epoch of the store.
    pub epoch: u64,
    pub tenant: &'a TenantId,
    pub node: &'a NodeName,
    /// The plan of the node's target revision; `None` if the node has no target.
    pub plan: Option<&'a Plan>,
    /// The policy of the tenant's present revision, which a node without a target gets.
    pub policy: Option<&'a TenantPolicy>,
    pub held: Option<&'a Assignment>,
    /// The node was changing to another revision, or failed there. It gets a new assignment
    /// even with the same content, so that it tries again.
    pub force_reissue: bool,
}

/// Returns the next assignment of the node, or `None` if its assignment is up to date.
#[must_use]
pub fn assign(input: Input<'_>) -> Option<Assignment> {
    let share = input.plan.and_then(|plan| plan.nodes.get(input.node));
    // A node without a target should run nothing. This is a decision, so the assignment keeps
    // the number of a revision; 0 would mean that nothing was decided yet.
    let kept = || input.held.map(|held| held.content.revision).unwrap_or_default();
    let content = Content {
        revision: input.plan.map_or_else(kept, |plan| plan.revision),
        policy: policy(input),
        share: share.cloned().unwrap_or_default(),
    };
    let same_number =
        |held: &Assignment| held.content.revision == content.revision || !input.force_reissue;
    match input.held {
        // A node that never had an instance and gets none needs no assignment, because an
        // empty one would make its agent remove what it finds.
        None if content.share.is_empty() => return None,
        Some(held)
            if held.content.share == content.share
                && held.content.policy == content.policy
                && same_number(held)
                && held.generation.epoch >= input.epoch =>
        {
            return None;
        }
        None | Some(_) => {}
    }
    Some(Assignment {
        generation: next_generation(input.held, input.epoch),
        tenant: input.tenant.clone(),
        node: input.node.clone(),
        content,
    })
}

/// Returns the policy by which the node removes what it should no longer run.
fn policy(input: Input<'_>) -> Option<TenantPolicy> {
    if let Some(plan) = input.plan {
        return plan.policy.clone();
    }
    // An agent that nothing was decided for removes nothing.
    let held = input.held.filter(|held| held.content.revision.0 > 0)?;
    input.policy.or(held.content.policy.as_ref()).cloned()
}

/// Returns the assignment that follows one which no longer applies, such as after a restore.
/// Nothing is decided yet, so the agent changes nothing.
#[must_use]
pub fn undecided(held: &Assignment, epoch: u64) -> Assignment {
    let generation = next_generation(Some(held), epoch);
    Assignment { generation, content: Content::default(), ..held.clone() }
}

/// Returns the generation of a node's next assignment. It is later than that of the held
/// one in every case, because an agent refuses an assignment that is not.
fn next_generation(held: Option<&Assignment>, epoch: u64) -> Generation {
    let held = held.map(|held| held.generation).unwrap_or_default();
    Generation { epoch: epoch.max(held.epoch), number: held.number.saturating_add(1) }
}

#[cfg(test)]
mod tests;
