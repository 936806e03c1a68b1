//! Whether the agents of the nodes know everything that their instances need.

use std::collections::BTreeMap;

use crate::decide::plan::{AgentFacts, NodeFacts, Prepared};
use crate::document::spec::TenantSpec;
use crate::document::{Feature, Share};
use crate::id::NodeName;
use crate::text::problem::Problems;

/// Checks that the agent of a node has the features that its instances and their policies need.
pub(super) fn check(
    spec: &TenantSpec,
    node: &NodeName,
    agent: &AgentFacts,
    share: &Share,
    problems: &mut Problems,
) {
    for (component, desired) in &share.instances {
        let missing: Vec<&str> =
            desired.needs().difference(&agent.features).map(|f| f.as_str()).collect();
        if missing.is_empty() {
            continue;
        }
        let message = format!(
            "{node} cannot run it: its agent {} does not support {}",
            agent.version,
            missing.join(", ")
        );
        let problem = spec.problem(&format!("components.{component}"), message);
        // A current agent lacks it where somebody took a right from its unit.
        let unit = match missing.contains(&Feature::FileOwners.as_str()) {
            true => "; if it is current, its unit lacks CAP_CHOWN: systemctl cat omlagent",
            false => "",
        };
        let upgrade = format!("upgrade the agent on {node}: apt-get install ./omlagent.deb");
        problems.push(problem.hint(format!("{upgrade}{unit}")));
    }
}

impl Prepared {
    /// Returns a problem for every component on a node whose agent lacks a feature that it needs since
    /// the plan was edited. A node whose agent is not known yet has none.
    #[must_use]
    pub fn unsupported(
        &self,
        spec: &TenantSpec,
        nodes: &BTreeMap<NodeName, NodeFacts>,
    ) -> Problems {
        let mut problems = Problems::default();
        for (node, share) in &self.layout().nodes {
            if let Some(agent) = nodes.get(node).and_then(|facts| facts.agent.as_ref()) {
                check(spec, node, agent, share, &mut problems);
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests;
