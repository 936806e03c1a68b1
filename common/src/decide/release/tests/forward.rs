//! Which components are not rolled back on a host.

use super::*;
use crate::decide::diff::diff;
use crate::document;
use crate::document::plan::Plan;
use crate::testing::{plan_of, spec_with};

fn step() -> VersionStep {
    let version = |text: &str| text.parse().unwrap();
    VersionStep { component: "voice".parse().unwrap(), from: version("1"), to: version("2") }
}

/// A plan of version 2 of the voice server after this was said about it.
fn planned(warnings: Vec<VersionWarning>) -> Plan {
    let mut plan = plan_of(&spec_with("voice", "2"), 2).unwrap();
    keep_forward(&mut plan, &VersionDecision { warnings, ..VersionDecision::default() });
    plan
}

/// The instances that are not rolled back.
fn forward_only(plan: &Plan) -> Vec<String> {
    let shares = plan.nodes.iter().flat_map(|(node, share)| {
        let instances = share.instances.iter().filter(|(_, it)| it.policy.forward_only);
        instances.map(move |(name, _)| format!("{node}/{name}"))
    });
    shares.collect()
}

#[test]
fn a_component_over_a_step_without_a_way_back_leads_forward_only() {
    let (because, loses) = (String::new(), String::new());
    let no_way_back = VersionWarning::NoWayBack { step: step(), because, loses };
    let forward = VersionRefusal::Forward { step: step(), because: String::new() };
    for warning in [no_way_back, VersionWarning::Forced(forward)] {
        let plan = planned(vec![warning]);
        assert_eq!(forward_only(&plan), ["n2/voice", "n3/voice"]);
        let read: Plan = document::read(&document::write(&plan)).unwrap();
        assert_eq!(forward_only(&read), ["n2/voice", "n3/voice"]);
        // It is about that change: the next one is none, and the containers are the same.
        assert_eq!(diff(Some(&plan), &planned(Vec::new())), []);
    }
}

#[test]
fn a_way_back_that_was_forced_has_the_way_forward_again() {
    let (because, loses) = (String::new(), String::new());
    let back = VersionRefusal::Back { step: step(), because, loses };
    let plan = planned(vec![VersionWarning::Forced(back)]);
    assert_eq!(forward_only(&plan), Vec::<String>::new());
    assert!(!document::write(&plan).contains("forward_only"), "a default is not written");
}
