//! Checks that the hosts allow the rights that containers ask for.

use crate::decide::rights::{POLICY_FILE, listed, refused};
use crate::document::Share;
use crate::document::spec::TenantSpec;
use crate::id::NodeName;
use crate::text::problem::Problems;

use super::AgentFacts;

/// Adds a problem for every component of a node that asks for a right that the node does not allow.
/// An agent without a policy is of a release that knows no such rights, which is another problem.
pub(super) fn check(
    spec: &TenantSpec,
    node: &NodeName,
    agent: &AgentFacts,
    share: &Share,
    problems: &mut Problems,
) {
    let Some(found) = &agent.policy else { return };
    for (component, desired) in &share.instances {
        let Some(container) = desired.instance.container() else { continue };
        let refused = refused(container, &found.policy);
        if refused.is_empty() {
            continue;
        }
        let message = format!("{node} does not allow it: {}", listed(&refused));
        let lines: Vec<String> = refused.iter().map(|right| right.line()).collect();
        let lines = lines.join(", ");
        let hint = match found.problem.as_str() {
            "" => format!("allow it in {POLICY_FILE} of {node}: {lines}"),
            problem => format!("mend {POLICY_FILE} of {node}, which cannot be read: {problem}"),
        };
        let problem = spec.problem(&format!("components.{component}"), message);
        problems.push(problem.hint(hint));
    }
}

#[cfg(test)]
mod tests;
