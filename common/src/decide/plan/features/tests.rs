//! What agents of earlier releases are not asked for.

use super::*;
use crate::decide::plan::{Input, Mirrors, prepare};
use crate::decide::release::{VersionDecision, VersionStep, VersionWarning, keep_forward};
use crate::document::Feature;
use crate::document::catalog::Catalog;
use crate::id::RevisionNumber;
use crate::testing::{CATALOG, SPEC, nodes};

/// The problems of a change of the voice server, on whose nodes `n2` and `n3` the agent of `n3` lacks
/// a feature.
fn problems(lacking: Feature, warnings: Vec<VersionWarning>) -> Vec<(String, String)> {
    let (spec, catalog) = (TenantSpec::parse(SPEC).unwrap(), Catalog::parse(CATALOG).unwrap());
    let mut nodes = nodes();
    let agent = |features| AgentFacts {
        version: "0.1.0".to_owned(),
        features,
        platforms: Default::default(),
        policy: None,
    };
    let without = Feature::ALL.into_iter().filter(|feature| *feature != lacking).collect();
    nodes.get_mut(&"n2".parse().unwrap()).unwrap().agent = Some(agent(Feature::ALL.into()));
    nodes.get_mut(&"n3".parse().unwrap()).unwrap().agent = Some(agent(without));
    let (revision, mirrors) = (RevisionNumber(1), &Mirrors::default());
    let (catalog, secrets) = (&catalog, &BTreeMap::new());
    let input = Input {
        revision,
        spec: &spec,
        catalog,
        nodes: &nodes,
        mirrors,
        secrets,
        thumbprint: None,
        before: None,
    };
    let decision = VersionDecision { warnings, ..VersionDecision::default() };
    let prepared = prepare(input).unwrap().edited(|plan| keep_forward(plan, &decision));
    let found = prepared.unsupported(&spec, &nodes).0.into_iter();
    found.map(|problem| (problem.path.clone(), problem.to_string())).collect()
}

fn no_way_back() -> VersionWarning {
    let version = |text: &str| text.parse().unwrap();
    let (component, because, loses) = ("voice".parse().unwrap(), String::new(), String::new());
    let step = VersionStep { component, from: version("0"), to: version("1") };
    VersionWarning::NoWayBack { step, because, loses }
}

#[test]
fn a_step_without_a_way_back_is_refused_where_the_agent_would_go_back_all_the_same() {
    let found = problems(Feature::ForwardOnly, vec![no_way_back()]);
    let [(path, problem)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(path, "components.voice");
    for part in [
        "n3 cannot run it: its agent 0.1.0 does not support forward-only",
        "upgrade the agent on n3: apt-get install ./omlagent.deb",
    ] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

#[test]
fn an_agent_that_cannot_keep_a_step_forward_makes_every_other_change() {
    assert_eq!(problems(Feature::ForwardOnly, Vec::new()), []);
    assert_eq!(problems(Feature::Tmpfs, vec![no_way_back()]), []);
}
