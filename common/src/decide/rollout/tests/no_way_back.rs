//! Rollouts with a migration, and with one that cannot be undone.

use super::*;
use crate::document::Verbatim;
use crate::document::assignment::Desired;
use crate::document::instance::{Instance, OperationCommand, OperationStep};

/// Another version of voice is wanted, with such a migration on `n2`.
fn changing(version: &str) -> World {
    let mut world = World::changing("voice", version);
    migrate_on_n2(&mut world, 2);
    world
}

/// Lets the plan of a revision migrate voice on `n2`.
fn migrate_on_n2(world: &mut World, revision: u64) {
    let run = OperationCommand {
        command: vec!["migrate".to_owned()],
        entrypoint: Vec::new(),
        env: [].into(),
        deadline_ms: 1_000,
    };
    let step = OperationStep { operation: "schema".parse().unwrap(), run, irreversible: true };
    let plan = world.plans.get_mut(&revision).unwrap();
    let share = plan.nodes.get_mut(&"n2".parse().unwrap()).unwrap();
    let desired = share.instances.get_mut(&"voice".parse().unwrap()).unwrap();
    let instance = Instance { migrations: vec![step], ..(*desired.instance).clone() };
    let policy = desired.policy.clone();
    *desired = Verbatim::seal(Desired { instance: Verbatim::seal(instance), policy });
}

#[test]
fn a_node_that_is_busy_with_what_was_superseded_does_not_overtake_the_one_that_migrates_for_it() {
    let mut world = World::half_changed();
    world.change(&spec_with("voice", "3"));
    migrate_on_n2(&mut world, 3);
    world.rollout.waves = ["n2", "n3"].map(|node| vec![node.parse().unwrap()]).to_vec();
    assert_eq!(world.pass(), "progressing [n2->3] ");
    assert_eq!(world.pass(), "progressing [] n2: has not taken its assignment yet");
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n3->3] ");
    world.settle("");
    assert_eq!(world.rollout.state.as_str(), "completed");
}

#[test]
fn a_rollout_pauses_where_it_could_only_go_back_over_it() {
    let mut world = changing("bad");
    world.pass();
    world.report("n2", |desired| {
        let failed = report_of(desired, "bad");
        let phase = if failed.failure.is_some() { Phase::Failed } else { failed.phase };
        InstanceReport { phase, ..failed }
    });
    assert_eq!(world.pass(), "paused [] ");
    let why = "voice on n2: exited with 1; not rolled back, because no earlier version of voice can run \
               after its migration schema, which may have run";
    assert_eq!(world.rollout.state.why(), why);
    assert_eq!(world.targets[&"n2".parse().unwrap()], RevisionNumber(2));
}

#[test]
fn a_rollout_pauses_when_a_later_node_fails_after_it() {
    let mut world = changing("2");
    world.pass();
    world.obey("n2", "");
    assert_eq!(world.pass(), "progressing [n3->2] ");
    world.obey("n3", "2");
    assert_eq!(world.pass(), "paused [] ");
    assert!(world.rollout.state.why().contains("its migration schema"));
}

#[test]
fn a_rollout_goes_back_where_the_migration_itself_failed() {
    let mut world = changing("bad");
    world.pass();
    world.obey("n2", "bad");
    assert_eq!(world.pass(), "rolling-back [n2->1] ");
}

#[test]
fn a_rollout_pauses_where_what_was_migrated_could_not_be_reloaded() {
    let mut world = changing("bad");
    world.pass();
    world.report("n2", |desired| {
        let hash = Some(desired.instance.workload_hash());
        InstanceReport { hash, ..report_of(desired, "bad") }
    });
    assert_eq!(world.pass(), "paused [] ");
    assert!(world.rollout.state.why().contains("its migration schema"));
}
