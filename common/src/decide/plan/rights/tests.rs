use std::collections::BTreeMap;

use crate::decide::plan::{AgentFacts, Input, Mirrors, NodeFacts, prepare};
use crate::document::Feature;
use crate::document::catalog::Catalog;
use crate::document::host_policy::{FoundPolicy, HostPolicy};
use crate::document::spec::TenantSpec;
use crate::id::{NodeName, RevisionNumber};
use crate::testing::{CATALOG, SPEC, nodes, plan_on, spec_with};

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
    Some(FoundPolicy { policy, ..FoundPolicy::default() })
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
                    SYS_NICE (allow it in /etc/omlagent/policy.toml of n2, and add to the lists that it \
                    has: realtime = true; capabilities = [\"SYS_NICE\"])";
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

/// Returns the problems of a change of the usual specification to another one, on hosts that allow
/// less than when it was planned.
fn problems_of_change(spec: &str, policy: HostPolicy) -> String {
    let (catalog, mirrors) = (catalog(), Mirrors::default());
    let before = HostPolicy::parse("realtime = true\ncapabilities = [\"SYS_NICE\"]").unwrap();
    let before = plan_on(&nodes_with(of(before)), SPEC, &catalog, 1).unwrap();
    let spec = TenantSpec::parse(spec).unwrap();
    let catalog = Catalog::parse(&catalog).unwrap();
    let nodes = nodes_with(of(policy));
    let (revision, before) = (RevisionNumber(2), Some(&before));
    let input = Input {
        revision,
        spec: &spec,
        catalog: &catalog,
        nodes: &nodes,
        mirrors: &mirrors,
        secrets: &BTreeMap::new(),
        thumbprint: None,
        before,
    };
    prepare(input).err().map_or_else(String::new, |refused| refused.problems.to_string())
}

#[test]
fn a_component_that_the_change_leaves_as_it_is_is_not_refused() {
    let other = problems_of_change(&spec_with("db", "17"), HostPolicy::default());
    assert_eq!(other, "");
    let itself = problems_of_change(&spec_with("voice", "9"), HostPolicy::default());
    assert!(itself.contains("components.voice: n2 does not allow it: real-time"), "{itself}");
    let strictest = problems_of_change(&spec_with("db", "17"), HostPolicy::strictest());
    let refused: Vec<&str> = strictest.lines().collect();
    assert!(refused.len() == 1 && refused[0].contains("components.db: n1"), "{strictest}");
}

#[test]
fn a_policy_that_cannot_be_used_is_named_where_it_matters() {
    let problem = "line 3: devices: \"tun\" is no path of a device".to_owned();
    let broken = Some(FoundPolicy { policy: HostPolicy::strictest(), problem, secrets: None });
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
