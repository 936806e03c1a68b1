//! Checks that the hosts allow the rights that containers ask for.

use crate::decide::rights::{POLICY_FILE, how_to_allow, listed, refused};
use crate::document::Share;
use crate::document::instance::InstanceDocument;
use crate::id::NodeName;
use crate::text::problem::Problems;

use super::prepared::resolved;
use super::{AgentFacts, Input};

/// Adds a problem for every component of a node that asks for a right that the node does not allow.
/// One that the change leaves as it is keeps what it has there, so it keeps no other component from
/// being changed. An agent without a policy is of a release that knows no such rights, which is
/// another problem.
pub(super) fn check(
    input: Input<'_>,
    node: &NodeName,
    agent: &AgentFacts,
    share: &Share,
    problems: &mut Problems,
) {
    let Some(found) = &agent.policy else { return };
    let before = input.before.and_then(|plan| plan.nodes.get(node));
    for (component, desired) in &share.instances {
        let Some(container) = desired.instance.container() else { continue };
        let refused = refused(container, &found.policy);
        let old = before.and_then(|before| before.instances.get(component));
        let is_kept = || old.is_some_and(|old| is_same(&old.instance, &desired.instance));
        if refused.is_empty() || is_kept() {
            continue;
        }
        let message = format!("{node} does not allow it: {}", listed(&refused));
        let hint = match found.problem.as_str() {
            "" => how_to_allow(&refused, node.as_str()),
            problem => format!("mend {POLICY_FILE} of {node}, which cannot be read: {problem}"),
        };
        let problem = input.spec.problem(&format!("components.{component}"), message);
        problems.push(problem.hint(hint));
    }
}

/// Whether both are one workload. The digest of the new one is not known yet; for an image of the
/// same name it is the recorded one.
pub(super) fn is_same(old: &InstanceDocument, new: &InstanceDocument) -> bool {
    let Some(container) = old.container() else { return false };
    resolved(new, &container.digest).workload_hash() == old.workload_hash()
}

#[cfg(test)]
mod tests;
