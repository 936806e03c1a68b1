//! Checks that the hosts have the secrets that their components take from files of the host. Without this, one
//! that lacks is found when its component should start.

use std::collections::BTreeSet;

use crate::document::Share;
use crate::id::{NodeName, SecretName};
use crate::text::problem::Problems;

use super::rights::is_same;
use super::{AgentFacts, Input};

/// The folder of a host with the secrets that its administrator keeps there.
const FOLDER: &str = "/etc/omlagent/secrets";

/// Adds a problem for every secret that a component of a node takes from its host and that is not there. A
/// component that the change leaves as it is keeps no other one from being changed. An agent that does not say
/// which secrets its host has is of an earlier release, and is not judged.
pub(super) fn check(
    input: Input<'_>,
    node: &NodeName,
    agent: &AgentFacts,
    share: &Share,
    problems: &mut Problems,
) {
    let Some(there) = agent.policy.as_ref().and_then(|found| found.secrets.as_ref()) else {
        return;
    };
    let before = input.before.and_then(|plan| plan.nodes.get(node));
    for (component, desired) in &share.instances {
        let Some(container) = desired.instance.container() else { continue };
        let wanted: BTreeSet<&SecretName> = container.secrets.values().collect();
        let old = before.and_then(|before| before.instances.get(component));
        let is_kept = old.is_some_and(|old| is_same(&old.instance, &desired.instance));
        for name in wanted.into_iter().filter(|name| !is_kept && !there.contains(*name)) {
            let message = format!("{node} has no secret {name}");
            let (path, tenant) = (format!("components.{component}"), &input.spec.tenant);
            let hint = format!(
                "write {FOLDER}/{name} on {node}, which its agent tells within half a minute, or keep \
                 it at the controller: secrets: {{{name}: controller}} in the document, and omlctl secret generate tenant={tenant} {name}"
            );
            problems.push(input.spec.problem(&path, message).hint(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of which secrets of a host are missed, and by whom.

    use super::*;
    use crate::document::Feature;
    use crate::document::host_policy::FoundPolicy;
    use crate::testing::{CATALOG, SPEC, nodes, plan_on};

    /// Plans the tenant, whose database takes two secrets from its host, which has these.
    fn problems(secrets: Option<&[&str]>) -> String {
        let wanted =
            "    secrets: {PGPASSWORD: postgres, AGAIN: postgres, KEY: key}\n    env: {WHO";
        let catalog = CATALOG.replace("    env: {WHO", wanted);
        let names = secrets.map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        let mut nodes = nodes();
        for facts in nodes.values_mut() {
            facts.agent = Some(AgentFacts {
                version: "9.9.9".to_owned(),
                features: Feature::ALL.into(),
                platforms: [].into(),
                policy: Some(FoundPolicy { secrets: names.clone(), ..FoundPolicy::default() }),
            });
        }
        let planned = plan_on(&nodes, SPEC, &catalog, 1);
        planned.map(|_| String::new()).unwrap_or_else(|problems| problems.to_string())
    }

    #[test]
    fn a_secret_that_a_host_lacks_is_refused_with_node_component_name_and_what_to_do() {
        let found = problems(Some(&["key", "other"]));
        let expected = "line 5: components.db: n1 has no secret postgres (write \
                        /etc/omlagent/secrets/postgres on n1, which its agent tells within half a minute, \
                        or keep it at the controller: secrets: {postgres: controller} in the document, \
                        and omlctl secret generate tenant=acme postgres)";
        assert_eq!(found, expected);
        assert_eq!(problems(Some(&[])).lines().count(), 2);
        assert_eq!(problems(Some(&["key", "postgres"])), "");
    }

    #[test]
    fn an_agent_that_does_not_say_which_secrets_its_host_has_is_not_judged() {
        assert_eq!(problems(None), "");
    }
}
