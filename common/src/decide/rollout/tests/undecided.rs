//! Nodes of which the controller does not know what they run: after a restore,
//! and when one joins again on the way.

use super::*;

impl World {
    /// The controller was restored: no pointers, nothing good, nothing decided.
    /// Agents leave alone what runs.
    fn restored() -> Self {
        let mut world = Self::settled(SPEC);
        world.targets.clear();
        for (node, held) in &mut world.assignments {
            *held = assign::undecided(held, 1);
            let report = world.reports.get_mut(node).unwrap();
            report.applied = Some(held.generation);
            report.revision = held.content.revision;
        }
        world.rollout = Rollout {
            from: None,
            state: State::Paused { why: PauseReason::Restored, returning: false },
            moved: BTreeSet::new(),
            inherited: world.assignments.keys().cloned().collect(),
            ..world.rollout
        };
        world
    }
}

#[test]
fn after_a_restore_a_node_that_gets_nothing_is_reported_and_waited_for() {
    let mut world = World::restored();
    world.change(WITHOUT_N3);
    assert_eq!(world.pass(), "progressing [n1->2] ");
    world.obey("n1", "");
    assert_eq!(world.pass(), "progressing [n2->2] ");
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n3->2] ");
    let emptied = &world.assignments[&"n3".parse().unwrap()].content;
    assert!(emptied.share.is_empty() && emptied.revision == RevisionNumber(2));
    assert_eq!(world.pass(), "progressing [] n3: has not taken its assignment yet");
    world.take("n3");
    assert!(world.pass().contains("n3: exporter is removing"), "{:?}", world.rollout);
    world.obey("n3", "");
    assert_eq!(world.pass(), "completed [n3->none] ");
    let at_the_end = world.assignments.clone();
    world.pass();
    assert_eq!(world.assignments, at_the_end, "it stays decided");
}

#[test]
fn after_a_restore_an_assignment_not_yet_written_is_not_taken_for_one_that_was_obeyed() {
    let mut world = World::restored();
    world.change(WITHOUT_N3);
    for node in ["n1", "n2"] {
        world.pass();
        world.obey(node, "");
    }
    let n3 = "n3".parse().unwrap();
    world.reports.get_mut(&n3).unwrap().instances.clear();
    assert_eq!(world.decide(), "progressing [n3->2] ");
    assert_eq!(world.decide(), "progressing [] n3: has not taken its assignment yet");
}

#[test]
fn after_a_restore_nodes_that_have_not_been_heard_yet_still_move_in_waves() {
    let mut world = World::restored();
    world.reports.clear();
    world.change(SPEC);
    assert_eq!(world.pass(), "progressing [n1->2] ");
    assert_eq!(world.pass(), "progressing [] n1: has not taken its assignment yet");
}

#[test]
fn a_node_that_joins_again_after_its_wave_passes_a_gate_of_its_own() {
    let mut world = World::changing("voice", "2");
    let n3: NodeName = "n3".parse().unwrap();
    assert_eq!(world.pass(), "progressing [n2->2] ");
    let facts = world.enrolled.remove(&n3).unwrap();
    world.rollout.state = State::Progressing { wave: world.rollout.waves.len() - 1 };
    world.pass();
    world.rollout.state = State::Progressing { wave: world.rollout.waves.len() };
    world.enrolled.insert(n3, facts);
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n3->2] ");
    assert_eq!(world.pass(), "progressing [] n3: has not taken its assignment yet");
    world.obey("n3", "");
    assert_eq!(world.pass(), "completed [n1->2] ");
}

#[test]
fn an_instance_that_cannot_be_read_never_passes_a_gate() {
    let mut world = World::changing("voice", "2");
    let held = with_unreadable_voice(&world.plans[&2]);
    world.plans.insert(2, held);
    assert_eq!(world.pass(), "progressing [n2->2] ");
    let before = world.reports[&"n2".parse().unwrap()].instances.clone();
    world.obey("n2", "");
    // The agent may be of a newer release and run it.
    let report = world.reports.get_mut(&"n2".parse().unwrap()).unwrap();
    report.instances = before;
    assert_eq!(
        world.pass(),
        "progressing [] n2: voice cannot be read by this controller; install a newer release of the controller"
    );
}
