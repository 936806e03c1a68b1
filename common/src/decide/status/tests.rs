use super::*;
use crate::decide::rollout::{NodeWait, Wait};
use crate::document::assignment::Content;
use crate::document::report::{HostUsage, InstanceReport, Phase};
use crate::document::rollout::{FailedComponent, FailureSummary};
use crate::id::{Generation, TenantId};
use crate::testing::{SPEC, plan_of, spec_with};
use crate::time::Timestamp;

fn node() -> NodeName {
    "n2".parse().unwrap()
}

/// The assignment that gives the node its share of a plan.
fn assigned(plan: &Plan, number: u64) -> Assignment {
    let tenant: TenantId = "acme".parse().unwrap();
    let share = plan.nodes[&node()].clone();
    let content = Content { revision: plan.revision, policy: plan.policy.clone(), share };
    Assignment { generation: Generation { epoch: 1, number }, tenant, node: node(), content }
}

fn report(assigned: &Assignment) -> Report {
    Report {
        applied: Some(assigned.generation),
        revision: assigned.content.revision,
        at: Timestamp(0),
        agent_version: String::new(),
        errors: Vec::new(),
        instances: BTreeMap::new(),
        host: HostUsage::default(),
    }
}

fn preparing() -> InstanceReport {
    InstanceReport::new(Phase::Preparing)
}

#[test]
fn a_node_runs_the_revision_that_it_reports() {
    let plan = plan_of(SPEC, 7).unwrap();
    let (node, given) = (node(), assigned(&plan, 1));
    let report = report(&given);
    let facts = NodeProgress {
        node: &node,
        plan: Some(&plan),
        target: Some(plan.revision),
        assigned: Some(&given),
        report: Some(&report),
    };
    assert_eq!(facts.applied_revision(), RevisionNumber(7));
    assert_eq!(NodeProgress { report: None, ..facts }.applied_revision(), RevisionNumber(0));
    assert_eq!(NodeProgress { target: None, ..facts }.applied_revision(), RevisionNumber(7));
}

#[test]
fn a_revision_that_changes_nothing_on_a_node_is_applied_with_the_one_before() {
    let (before, same) = (plan_of(SPEC, 7).unwrap(), plan_of(SPEC, 8).unwrap());
    let changed = plan_of(&spec_with("voice", "2"), 8).unwrap();
    let (node, given) = (node(), assigned(&before, 1));
    let report = report(&given);
    let facts = NodeProgress {
        node: &node,
        plan: Some(&same),
        target: Some(RevisionNumber(8)),
        assigned: Some(&given),
        report: Some(&report),
    };
    assert_eq!(facts.applied_revision(), RevisionNumber(8));
    let differs = NodeProgress { plan: Some(&changed), ..facts };
    assert_eq!(differs.applied_revision(), RevisionNumber(7));
    let not_moved_yet = NodeProgress { target: Some(RevisionNumber(7)), ..facts };
    assert_eq!(not_moved_yet.applied_revision(), RevisionNumber(7));
    let later = Assignment { generation: Generation { epoch: 1, number: 2 }, ..given.clone() };
    let not_applied_yet = NodeProgress { assigned: Some(&later), ..facts };
    assert_eq!(not_applied_yet.applied_revision(), RevisionNumber(7));
}

#[test]
fn components_of_the_plan_are_expected_until_they_are_reported() {
    let plan = plan_of(SPEC, 7).unwrap();
    let (node, given) = (node(), assigned(&plan, 1));
    let facts = NodeProgress {
        node: &node,
        plan: Some(&plan),
        target: None,
        assigned: Some(&given),
        report: None,
    };
    let (voice, exporter) = ("voice".parse().unwrap(), "exporter".parse().unwrap());
    let version: Version = "1".parse().unwrap();
    assert_eq!(facts.unreported(), [(voice, Some(version)), (exporter, None)].into());
    assert_eq!(NodeProgress { plan: None, ..facts }.unreported(), BTreeMap::new());
    let mut report = report(&given);
    report.instances.insert("voice".parse().unwrap(), preparing());
    let reported = NodeProgress { report: Some(&report), ..facts };
    assert_eq!(reported.unreported().len(), 1, "only the exporter is left");
}

fn rollout(state: State) -> Rollout {
    Rollout {
        from: Some(RevisionNumber(7)),
        to: RevisionNumber(8),
        waves: vec![vec![node()], vec!["n3".parse().unwrap()]],
        state,
        since: Timestamp(0),
        failures: Vec::new(),
        moved: [].into(),
        inherited: [].into(),
    }
}

#[test]
fn a_rollout_under_way_shows_its_wave_and_what_it_waits_for() {
    let waits_for = WaitsFor(vec![NodeWait { node: node(), wait: Wait::Unreachable }]);
    let shown = |wave| summary(&rollout(State::Progressing { wave }), &waits_for);
    assert_eq!((shown(1).wave, shown(1).waves), (1, 2));
    assert_eq!(shown(5).wave, 2, "never more than there are");
    assert_eq!(shown(0).reason, waits_for.to_string());
    let done = summary(&rollout(State::Completed), &WaitsFor::default());
    assert_eq!(done, RolloutSummary { wave: 2, waves: 2, reason: String::new() });
}

#[test]
fn a_rollout_that_is_rolled_back_shows_why_and_what_it_waits_for() {
    let failed = FailedComponent {
        component: "voice".parse().unwrap(),
        node: node(),
        message: "it ended".to_owned(),
    };
    let why = FailureSummary { named: vec![failed], more: 0 };
    let rollout = rollout(State::RollingBack { why: why.clone() });
    assert_eq!(summary(&rollout, &WaitsFor::default()).reason, why.to_string());
    let waits_for = WaitsFor(vec![NodeWait { node: node(), wait: Wait::Unreachable }]);
    let both = summary(&rollout, &waits_for);
    assert_eq!((both.wave, both.reason), (0, format!("{why}; waits for {waits_for}")));
}

#[test]
fn all_is_well_only_if_everything_is_known_connected_ready_and_healthy() {
    let plan = plan_of(SPEC, 7).unwrap();
    let healthy = InstanceReport { health: Health::Healthy, ..InstanceReport::new(Phase::Ready) };
    let with = |instance: InstanceReport| {
        let instances = [("voice".parse().unwrap(), instance)].into();
        Report { instances, ..report(&assigned(&plan, 1)) }
    };
    let well = with(healthy.clone());
    let node = NodeCondition { is_connected: true, is_complete: true, report: Some(&well) };
    assert_eq!(overall_health(0, []), OverallHealth::Healthy);
    assert_eq!(overall_health(0, [node, node]), OverallHealth::Healthy);
    assert_eq!(overall_health(1, [node]), OverallHealth::NotHealthy);
    for phase in [Phase::CrashLooping, Phase::Unhealthy, Phase::Unknown] {
        let report = with(InstanceReport { phase, ..healthy.clone() });
        let other = NodeCondition { report: Some(&report), ..node };
        assert_eq!(overall_health(0, [node, other]), OverallHealth::NotHealthy, "{phase:?}");
    }
    let unobserved = with(InstanceReport { health: Health::Unknown, ..healthy.clone() });
    for other in [
        NodeCondition { report: Some(&unobserved), ..node },
        NodeCondition { is_connected: false, ..node },
        NodeCondition { is_complete: false, report: None, ..node },
    ] {
        assert_eq!(overall_health(0, [node, other]), OverallHealth::NotHealthy, "{other:?}");
    }
}
