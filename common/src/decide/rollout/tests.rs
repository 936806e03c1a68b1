//! Rollouts as their operators see them, move by move.

use std::collections::BTreeMap;

use super::*;
use crate::decide::assign::{self, assign};
use crate::decide::plan::NodeFacts;
use crate::document::assignment::Assignment;
use crate::document::report::{Failure, HostUsage, InstanceReport, Phase};
use crate::document::rollout::{FailureSummary, NodeFailure};
use crate::document::status::Health;
use crate::id::TenantId;
use crate::testing::{CATALOG, SPEC, nodes, plan_on, spec_with, with_unreadable_voice};

mod no_way_back;
mod properties;
mod undecided;

/// Nothing on `n3`.
const WITHOUT_N3: &str = "\
tenant: acme
catalog: test
settings: {colour: blue}
components:
  db: \"1\"
  voice: {version: \"1\", nodes: [n2]}
  exporter: {nodes: [n1, n2]}
rollout: {min_healthy_for: 5s}
";

/// A tenant of three nodes that run or fail as the test sets.
struct World {
    plans: BTreeMap<u64, Plan>,
    rollout: Rollout,
    targets: BTreeMap<NodeName, RevisionNumber>,
    assignments: BTreeMap<NodeName, Assignment>,
    reports: BTreeMap<NodeName, Report>,
    enrolled: BTreeMap<NodeName, NodeFacts>,
    away: Vec<NodeName>,
    moves_max: usize,
    now: Timestamp,
}

impl World {
    fn install(spec: &str) -> Self {
        Self::install_on(nodes(), spec)
    }

    fn install_on(nodes: BTreeMap<NodeName, NodeFacts>, spec: &str) -> Self {
        let plan = plan_on(&nodes, spec, CATALOG, 1).unwrap();
        let (now, enrolled) = (Timestamp(0), &nodes.keys().cloned().collect());
        let begin = Begin { from: None, to: &plan, superseded: None, enrolled, now };
        Self {
            rollout: Rollout::begin(begin),
            plans: [(1, plan)].into(),
            targets: BTreeMap::new(),
            assignments: BTreeMap::new(),
            reports: BTreeMap::new(),
            enrolled: nodes,
            away: Vec::new(),
            moves_max: MOVES_MAX,
            now,
        }
    }

    /// What was asked for first runs everywhere.
    fn settled(spec: &str) -> Self {
        let mut world = Self::install(spec);
        world.settle("");
        world
    }

    /// [`SPEC`] runs everywhere, and another version of one component is asked for.
    fn changing(component: &str, version: &str) -> Self {
        let mut world = Self::settled(SPEC);
        world.change(&spec_with(component, version));
        world
    }

    /// Of the two voice nodes, `n2` runs the new version and `n3` was moved to it.
    fn half_changed() -> Self {
        let mut world = Self::changing("voice", "2");
        world.pass();
        world.obey("n2", "");
        assert_eq!(world.pass(), "progressing [n3->2] ");
        world
    }

    /// The new version failed on `n2`, which was moved back.
    fn coming_back() -> Self {
        let mut world = Self::changing("voice", "bad");
        world.pass();
        world.obey("n2", "bad");
        assert_eq!(world.pass(), "rolling-back [n2->1] ");
        world
    }

    fn change(&mut self, spec: &str) {
        let Rollout { from, to, .. } = self.rollout;
        let good = if self.rollout.state == State::Completed { Some(to) } else { from };
        let number = self.plans.len() as u64 + 1;
        self.plans.insert(number, plan_on(&self.enrolled, spec, CATALOG, number).unwrap());
        self.rollout = Rollout::begin(Begin {
            from: good.map(|good| &self.plans[&good.0]),
            to: &self.plans[&number],
            superseded: Some(&self.rollout),
            enrolled: &self.enrolled.keys().cloned().collect(),
            now: self.now,
        });
    }

    /// One pass of the controller; says which pointers moved.
    fn pass(&mut self) -> String {
        let said = self.decide();
        self.assign();
        said
    }

    fn decide(&mut self) -> String {
        let next = {
            let hashes: BTreeMap<_, _> =
                self.assignments.iter().map(|(n, a)| (n.clone(), a.content.share.hash())).collect();
            let views = self
                .enrolled
                .keys()
                .map(|name| {
                    let assigned = self.assignments.get(name);
                    let view = NodeView {
                        connected: !self.away.contains(name),
                        assigned: assigned.map(|a| (a.generation, &hashes[name])),
                        report: self.reports.get(name),
                    };
                    (name.clone(), view)
                })
                .collect();
            let input = Input {
                rollout: &self.rollout,
                targets: &self.targets,
                to: &self.plans[&self.rollout.to.0],
                from: self.rollout.from.map(|from| &self.plans[&from.0]),
                nodes: &views,
                now: self.now,
            };
            step_within(input, self.moves_max)
        };
        self.rollout = next.rollout;
        let moves: Vec<String> = next
            .moves
            .iter()
            .map(|(node, to)| format!("{node}->{}", to.map_or("none".into(), |r| r.to_string())))
            .collect();
        for (node, to) in next.moves {
            match to {
                Some(to) => self.targets.insert(node, to),
                None => self.targets.remove(&node),
            };
        }
        format!("{} [{}] {}", self.rollout.state.as_str(), moves.join(" "), next.waits_for)
    }

    fn assign(&mut self) {
        let tenant: TenantId = "acme".parse().unwrap();
        for node in self.enrolled.keys().cloned() {
            let plan = self.targets.get(&node).map(|number| &self.plans[&number.0]);
            let held = self.assignments.get(&node);
            let force_reissue = self.rollout.force_reissue(&node);
            let input = assign::Input {
                epoch: 1,
                tenant: &tenant,
                node: &node,
                plan,
                policy: None,
                held,
                force_reissue,
            };
            if let Some(assignment) = assign(input) {
                self.assignments.insert(node, assignment);
            }
        }
    }

    /// The node takes its assignment; versions that are `bad` come back failed.
    fn obey(&mut self, node: &str, bad: &str) {
        self.report(node, |desired| report_of(desired, bad));
    }

    /// The node takes its assignment and begins with what differs.
    fn take(&mut self, node: &str) {
        let node: NodeName = node.parse().unwrap();
        let before = self.reports.get(&node).map(|report| report.instances.clone());
        let before = before.unwrap_or_default();
        self.report(node.as_str(), |desired| {
            let begun = report_of(desired, "");
            let same = before.values().find(|instance| instance.hash == begun.hash);
            same.cloned().unwrap_or(InstanceReport { phase: Phase::Starting, ..begun })
        });
        let Some(report) = self.reports.get_mut(&node) else { return };
        for (component, instance) in before {
            let leaves = InstanceReport { phase: Phase::Removing, ..instance };
            report.instances.entry(component).or_insert(leaves);
        }
    }

    fn report(
        &mut self,
        node: &str,
        stand: impl Fn(&crate::document::assignment::Desired) -> InstanceReport,
    ) {
        let node: NodeName = node.parse().unwrap();
        let Some(assignment) = self.assignments.get(&node) else { return };
        let instances = &assignment.content.share.instances;
        let report = Report {
            applied: Some(assignment.generation),
            revision: assignment.content.revision,
            at: self.now,
            agent_version: String::new(),
            errors: Vec::new(),
            instances: instances.iter().map(|(name, d)| (name.clone(), stand(d))).collect(),
            host: HostUsage::default(),
        };
        self.reports.insert(node, report);
    }

    fn remove(&mut self, node: &str) {
        let node: NodeName = node.parse().unwrap();
        self.enrolled.remove(&node);
        self.reports.remove(&node);
    }

    /// Passes and obedient nodes until nothing happens by itself.
    fn settle(&mut self, bad: &str) {
        for _ in 0..8 * self.enrolled.len() {
            self.pass();
            for node in self.enrolled.keys().cloned().collect::<Vec<_>>() {
                self.obey(node.as_str(), bad);
            }
        }
    }
}

fn report_of(desired: &crate::document::assignment::Desired, bad: &str) -> InstanceReport {
    let hash = desired.instance.workload_hash();
    let version = desired.instance.version().cloned();
    let failed = version.as_ref().is_some_and(|v| v.as_str() == bad);
    let failure = failed.then(|| {
        let message = "exited with 1".to_owned();
        crate::decide::update::given_up(hash.clone(), version.clone(), message, Timestamp(0))
    });
    let phase = if failed { Phase::RolledBack } else { Phase::Ready };
    InstanceReport {
        version,
        // One that was rolled back runs another workload.
        hash: (!failed).then_some(hash),
        health: Health::Healthy,
        calls_cut: Some(0),
        failure,
        ..InstanceReport::new(phase)
    }
}

#[test]
fn an_installation_goes_wave_by_wave_and_one_node_at_a_time() {
    let mut world = World::install(SPEC);
    assert_eq!(world.pass(), "progressing [n1->1] ");
    assert_eq!(world.pass(), "progressing [] n1: has not taken its assignment yet");
    world.obey("n1", "");
    assert_eq!(world.pass(), "progressing [n2->1] ");
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n3->1] ");
    world.obey("n3", "");
    assert_eq!(world.pass(), "completed [] ");
}

#[test]
fn a_change_touches_only_nodes_that_differ() {
    let mut world = World::changing("voice", "2");
    assert_eq!(world.pass(), "progressing [n2->2] ");
    world.obey("n2", "");
    world.pass();
    world.obey("n3", "");
    // n1 takes the number and nothing else: its assignment does not change.
    let before = world.assignments.clone();
    assert_eq!(world.pass(), "completed [n1->2] ");
    assert_eq!(world.assignments, before);
}

#[test]
fn a_version_that_does_not_hold_goes_back_and_never_reaches_the_next_node() {
    let mut world = World::changing("voice", "bad");
    world.pass();
    world.obey("n2", "bad");
    assert_eq!(world.pass(), "rolling-back [n2->1] ");
    assert_eq!(world.pass(), "rolling-back [] n2: has not taken its assignment yet");
    world.obey("n2", "bad");
    assert_eq!(world.pass(), "rolled-back [] ");
    assert_eq!(world.rollout.state.why(), "voice on n2: exited with 1");
    assert_eq!(world.targets[&"n3".parse().unwrap()], RevisionNumber(1));
}

#[test]
fn after_a_way_back_that_failed_too_the_next_change_is_made_on_what_was_good() {
    let mut world = World::coming_back();
    world.obey("n2", "1");
    assert_eq!(world.pass(), "paused [] ");
    let why = "voice on n2: exited with 1; the rollback failed too: voice on n2: exited with 1";
    assert_eq!(world.rollout.state.why(), why);
    assert_eq!(world.rollout.returns_to(), Some(RevisionNumber(1)));
}

#[test]
fn a_first_installation_that_fails_pauses_because_there_is_nothing_to_return_to() {
    let mut world = World::install(&spec_with("db", "bad"));
    world.pass();
    world.obey("n1", "bad");
    assert_eq!(world.pass(), "paused [] ");
}

#[test]
fn an_unreachable_node_is_waited_for_after_any_last_report() {
    let mut world = World::changing("voice", "2");
    world.pass();
    world.obey("n2", "");
    world.away = vec!["n2".parse().unwrap()];
    assert_eq!(world.pass(), "progressing [] n2 is unreachable");
}

#[test]
fn an_old_report_never_passes_a_gate() {
    let mut world = World::changing("db", "2");
    world.pass();
    assert_eq!(world.pass(), "progressing [] n1: has not taken its assignment yet");
}

#[test]
fn the_same_bad_version_is_tried_again_only_when_asked() {
    let mut world = World::settled(SPEC);
    let bad = spec_with("voice", "bad");
    world.change(&bad);
    world.settle("bad");
    assert_eq!(world.rollout.state.as_str(), "rolled-back");
    world.change(&bad);
    assert_eq!(world.pass(), "progressing [n2->3] ");
    // What n2 said about the attempt before is not held against this one.
    assert_eq!(world.pass(), "progressing [] n2: has not taken its assignment yet");
}

#[test]
fn what_paused_is_tried_again_when_asked_for_again() {
    let bad = spec_with("db", "bad");
    let mut world = World::install(&bad);
    world.settle("bad");
    assert_eq!(world.rollout.state.as_str(), "paused");
    world.change(&bad);
    assert_eq!(world.pass(), "progressing [n1->2] ");
    // What it said of the attempt before is not held against this one.
    assert_eq!(world.pass(), "progressing [] n1: has not taken its assignment yet");
    world.settle("");
    assert_eq!(world.rollout.state.as_str(), "completed");
}

#[test]
fn a_node_that_never_moved_does_not_hold_up_the_way_back() {
    let mut world = World::changing("voice", "bad");
    world.pass();
    world.away = vec!["n3".parse().unwrap()];
    world.obey("n2", "bad");
    world.pass();
    world.obey("n2", "bad");
    assert_eq!(world.pass(), "rolled-back [] ");
}

#[test]
fn a_node_on_its_way_to_what_was_superseded_turns_round_before_others_move() {
    let mut world = World::changing("voice", "2");
    assert_eq!(world.pass(), "progressing [n2->2] ");
    world.change(&spec_with("db", "2").replace("voice: \"1\"", "voice: \"2\""));
    assert_eq!(world.pass(), "progressing [n2->3] ");
    assert_eq!(world.pass(), "progressing [] n2: has not taken its assignment yet");
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n1->3] ");
}

#[test]
fn going_back_to_what_was_good_is_waited_for_where_it_was_left() {
    let mut world = World::half_changed();
    world.change(SPEC);
    // Both voice nodes left the good revision; one of them is still busy.
    assert_eq!(world.pass(), "progressing [n3->3] ");
    world.obey("n3", "");
    assert_eq!(world.pass(), "progressing [n2->3] ");
    assert_eq!(world.pass(), "progressing [] n2: has not taken its assignment yet");
    world.obey("n2", "");
    assert_eq!(world.pass(), "completed [n1->3] ");
}

#[test]
fn what_supersedes_and_fails_takes_every_node_back_to_what_was_good() {
    let mut world = World::half_changed();
    world.change(&spec_with("db", "bad"));
    world.settle("bad");
    assert_eq!(world.rollout.state.as_str(), "rolled-back");
    assert!(world.targets.values().all(|target| target.0 == 1), "{:?}", world.targets);
}

#[test]
fn a_node_that_never_had_anything_is_not_waited_for_when_nothing_is_wanted_of_it() {
    let mut world = World::settled(SPEC);
    let n3: NodeName = "n3".parse().unwrap();
    world.targets.remove(&n3);
    world.assignments.remove(&n3);
    world.reports.remove(&n3);
    world.change(WITHOUT_N3);
    world.settle("");
    assert_eq!(world.rollout.state.as_str(), "completed");
    assert_eq!(world.assignments.get(&n3), None, "what is found on it is left alone");
}

#[test]
fn going_back_by_hand_from_a_failed_change_ends_although_a_node_of_it_was_never_reached() {
    let mut world = World::settled(WITHOUT_N3);
    let pauses = "on_failure: pause, min_healthy_for";
    world.change(&spec_with("voice", "bad").replace("min_healthy_for", pauses));
    world.settle("bad");
    assert_eq!(world.rollout.state.as_str(), "paused");
    world.change(WITHOUT_N3);
    world.settle("");
    assert_eq!(world.rollout.state.as_str(), "completed");
}

#[test]
fn a_node_removed_on_the_way_is_not_waited_for() {
    let mut world = World::changing("voice", "2");
    assert_eq!(world.pass(), "progressing [n2->2] ");
    world.remove("n2");
    assert_eq!(world.pass(), "progressing [n3->2] ");
    world.obey("n3", "");
    assert_eq!(world.pass(), "completed [n1->2] ");
}

#[test]
fn a_node_removed_on_the_way_back_is_not_waited_for_and_points_to_what_is_good() {
    let mut world = World::settled(SPEC);
    let parallel = "max_parallel: 2, min_healthy_for";
    world.change(&spec_with("voice", "bad").replace("min_healthy_for", parallel));
    assert_eq!(world.pass(), "progressing [n2->2 n3->2] ");
    world.remove("n2");
    world.obey("n3", "bad");
    assert_eq!(world.pass(), "rolling-back [n3->1] ");
    world.obey("n3", "bad");
    assert_eq!(world.pass(), "rolled-back [n2->1] ");
}

#[test]
fn what_supersedes_a_way_back_lets_it_come_to_its_end_before_others_move() {
    let mut world = World::coming_back();
    world.change(&spec_with("db", "2"));
    // Nobody knows yet whether the old version runs on n2 again.
    assert_eq!(world.pass(), "progressing [n2->3] ");
    assert_eq!(world.pass(), "progressing [] n2: has not taken its assignment yet");
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n1->3] ");
    world.settle("");
    assert_eq!(world.rollout.state.as_str(), "completed");
}

#[test]
fn what_supersedes_a_way_back_and_fails_waits_for_both_ways_back() {
    let mut world = World::coming_back();
    world.obey("n2", "");
    world.change(&spec_with("db", "bad"));
    assert_eq!(world.pass(), "progressing [n1->3] ");
    world.obey("n1", "bad");
    world.away = vec!["n2".parse().unwrap()];
    assert_eq!(world.pass(), "rolling-back [n1->1] n2 is unreachable");
    world.obey("n1", "");
    assert_eq!(world.pass(), "rolling-back [] n2 is unreachable");
    world.away.clear();
    assert_eq!(world.pass(), "rolled-back [] ");
}

#[test]
fn a_rollout_ends_with_the_last_of_more_pointers_than_one_step_moves() {
    let mut world = World::changing("db", "2");
    world.moves_max = 1;
    assert_eq!(world.pass(), "progressing [n1->2] ");
    world.obey("n1", "");
    // Neither n2 nor n3 differs: they only take the new number.
    assert_eq!(world.pass(), "progressing [n2->2] ");
    assert_eq!(world.pass(), "completed [n3->2] ");
}

#[test]
fn a_rollback_ends_with_the_last_of_more_pointers_than_one_step_moves() {
    let mut world = World::settled(SPEC);
    let parallel = "max_parallel: 2, min_healthy_for";
    world.change(
        &spec_with("db", "2")
            .replace("min_healthy_for", parallel)
            .replace("voice: \"1\"", "voice: \"bad\""),
    );
    world.pass();
    world.obey("n1", "");
    assert_eq!(world.pass(), "progressing [n2->2 n3->2] ");
    world.moves_max = 1;
    world.obey("n2", "bad");
    world.remove("n1");
    world.remove("n3");
    assert_eq!(world.pass(), "rolling-back [n2->1] ");
    world.obey("n2", "");
    assert_eq!(world.pass(), "rolling-back [n1->1] ");
    assert_eq!(world.pass(), "rolled-back [n3->1] ");
}

#[test]
fn of_many_failures_no_more_is_recorded_than_a_record_may_hold() {
    let failure = |number: usize| NodeFailure {
        node: format!("n{number}").parse().unwrap(),
        component: "voice".parse().unwrap(),
        failure: Failure {
            log_tail: (0..20).map(|line| format!("{line} {}", "é".repeat(398))).collect(),
            ..crate::decide::update::given_up(
                crate::decide::update::nothing(),
                None,
                "exited with 1".into(),
                Timestamp(0),
            )
        },
    };
    let many: Vec<NodeFailure> = (1..=300).map(failure).collect();
    let why = FailureSummary::of(&many).to_string();
    assert!(why.starts_with("voice on n1: exited with 1; voice on n2: "), "{why}");
    assert!(why.ends_with("voice on n5: exited with 1; and 295 more"), "{why}");
    let kept: Vec<NodeFailure> = failures::kept(many).collect();
    assert_eq!((kept.len(), kept[0].node.as_str()), (20, "n1"));
    let tail = &kept[0].failure.log_tail;
    assert!(tail.len() == 2 && tail[1].starts_with("19 "), "the last words count: {tail:?}");
    assert!(serde_json::to_vec(&kept).unwrap().len() < 100_000);
}
