use std::collections::BTreeMap;

use crate::decide::plan::{AgentFacts, NodeFacts};
use crate::document::Feature;
use crate::document::host_policy::{FoundPolicy, HostPolicy};
use crate::id::NodeName;
use crate::testing::{CATALOG, SPEC, nodes, plan_on};

/// Returns the nodes with an agent that knows everything and a host with that policy.
fn nodes_with(policy: Option<FoundPolicy>) -> BTreeMap<NodeName, NodeFacts> {
    let mut nodes = nodes();
    for facts in nodes.values_mut() {
        facts.agent = Some(AgentFacts {
            version: "9.9.9".to_owned(),
            features: Feature::ALL.into(),
            platforms: [].into(),
            policy: policy.clone(),
        });
    }
    nodes
}

fn of(policy: HostPolicy) -> Option<FoundPolicy> {
    Some(FoundPolicy { policy, problem: String::new() })
}

fn catalog() -> String {
    let rights = "    image: voice\n    cap_add: [SYS_NICE]\n    ulimits: {rtprio: \"99\"}\n    \
                  because: real-time audio\n";
    CATALOG.replace("    image: voice\n", rights)
}

fn problems(policy: Option<FoundPolicy>, catalog: &str) -> String {
    match plan_on(&nodes_with(policy), SPEC, catalog, 1) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_right_that_a_host_does_not_allow_is_refused_by_name_node_place_and_hint() {
    let found = problems(of(HostPolicy::default()), &catalog());
    let lines: Vec<&str> = found.lines().collect();
    let expected = "line 6: components.voice: n2 does not allow it: real-time priority, capability \
                    SYS_NICE (allow it in /etc/omlagent/policy.toml of n2: realtime = true, \
                    capabilities = [\"SYS_NICE\"])";
    assert_eq!((lines.len(), lines[0]), (2, expected), "{found}");
    let policy = HostPolicy::parse("realtime = true\ncapabilities = [\"SYS_NICE\"]").unwrap();
    assert_eq!(problems(of(policy), &catalog()), "");
}

#[test]
fn the_usual_catalog_needs_nothing_beyond_the_default() {
    assert_eq!(problems(of(HostPolicy::default()), CATALOG), "");
    let strict = HostPolicy { no_host_network: true, ..HostPolicy::default() };
    let found = problems(of(strict), CATALOG);
    let expected = "components.db: n1 does not allow it: the network of the host (allow it in \
                    /etc/omlagent/policy.toml of n1: host_network = true)";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn a_policy_that_cannot_be_used_is_named_where_it_matters() {
    let problem = "line 3: devices: \"tun\" is no path of a device".to_owned();
    let broken = Some(FoundPolicy { policy: HostPolicy::strictest(), problem });
    let found = problems(broken, &catalog());
    let expected = "(mend /etc/omlagent/policy.toml of n2, which cannot be read: line 3: devices:";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn an_agent_of_a_release_without_a_policy_is_refused_by_its_features_alone() {
    let mut nodes = nodes_with(None);
    for facts in nodes.values_mut() {
        let agent = facts.agent.as_mut().unwrap();
        agent
            .features
            .retain(|feature| !matches!(feature, Feature::Capabilities | Feature::Ulimits));
    }
    let found = plan_on(&nodes, SPEC, &catalog(), 1).unwrap_err().to_string();
    let expected =
        "n2 cannot run it: its agent 9.9.9 does not support capabilities, ulimits (upgrade";
    assert!(found.contains(expected), "{found}");
    assert!(!found.contains("does not allow"), "{found}");
}
